# SPDX-License-Identifier: MIT
"""The mistakes that people make, one at a time: each kind is a function that yields them
all for one function of the source."""

import difflib
import re
from dataclasses import dataclass

from source import KEYWORDS, MERELY_TELLS

LOCKS = re.compile(r"^(?:pthread_)?(?:raw_)?(spin|mutex|rcu_read|read|write|mmap_read|mmap_write|rwlock_rd|"
		   r"rwlock_wr|rwlock)_?(un)?lock(_irq|_irqsave|_irqrestore|_bh)?$|^(up|down)_(read|write)$|^local_lock$")
BARRIERS = re.compile(r"^smp_w?r?mb(__\w+)?$|^smp_mb(__\w+)?$|^barrier$|^synchronize_\w+$|"
		      r"^__atomic_(thread|signal)_fence$|^bufpool_barrier\w*$|^cpu_relax$")
STRONG = ("__ATOMIC_ACQUIRE", "__ATOMIC_RELEASE", "__ATOMIC_ACQ_REL", "__ATOMIC_SEQ_CST")
OTHER = {
	"compare": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
	"operator": {"+": "-", "-": "+", "&": "|", "|": "&", "<<": ">>", ">>": "<<", "+=": "-=", "-=": "+=",
		     "|=": "&=", "&=": "|=", "++": "--", "--": "++", "/": "*"},
	"boolean": {"true": "false", "false": "true"},
	"function": {"min": "max", "max": "min", "min_t": "max_t", "max_t": "min_t", "list_add": "list_add_tail",
		     "list_add_tail": "list_add", "list_first_entry": "list_last_entry", "list_last_entry": "list_first_entry",
		     "list_for_each_entry": "list_for_each_entry_reverse", "ALIGN": "ALIGN_DOWN", "round_up": "round_down",
		     "time_before": "time_after", "time_after": "time_before"},
}
BINARY = ("+", "-", "&", "|", "<<", ">>", "/")
ENDS_OPERAND = {"&&": ("&&", "||"), "||": ("||",)}
STOPS = (",", ";", "=", "?", ":", "return", "{", "}") + ("+=", "-=", "|=", "&=")


@dataclass
class Mistake:
	source: object
	function: str
	kind: str
	line: int
	edits: list		# (from, to, text): what stands in place of those characters
	name: str = ""		# FILE:LINE:KIND, and a number from the second of those on

	@property
	def paths(self):
		return [self.source.path]

	def make_in(self, tree):
		(tree / self.source.path).write_text(self.text())

	def text(self):
		"""The whole file with it. It has as many lines as before."""
		text = self.source.text
		for start, end, new in sorted(self.edits, reverse=True):
			missing = text.count("\n", start, end) - new.count("\n")
			text = text[:start] + new + "\n" * missing + text[end:]
		return text

	def patch(self, context=3):
		def lines(text):
			return text.splitlines(keepends=True)
		path = self.source.path
		return "".join(difflib.unified_diff(lines(self.source.text), lines(self.text()),
						    "a/" + path, "b/" + path, n=context))

	def changed(self):
		"""What is taken away and put in, for people to tell it from others by: no blanks, no numbers."""
		lines = self.patch(0).splitlines()[2:]
		return [line[0] + " " + " ".join(line[1:].split()) for line in lines
			if line[0] in "-+" and line[1:].strip()]

	def before(self):
		"""The line in front of what is changed"""
		first = re.search(r"^@@ -(\d+)", self.patch(0), re.M)
		return " ".join(self.source.text.splitlines()[int(first.group(1)) - 2].split())


class Maker:
	"""The mistakes that can be made in one function."""

	def __init__(self, source, function):
		self.source = source
		self.function = function
		self.tokens = source.tokens
		self.mute = set()
		for statement in function.statements:
			if MERELY_TELLS.fullmatch(self.tokens[statement.first].text):
				self.mute.update(range(statement.first, statement.end))

	def all(self):
		for kind in (self.dropped, self.negated, self.others, self.logic, self.halves, self.constants, self.errors,
			     self.lock_pairs, self.orderings, self.early_returns, self.results, self.swapped):
			yield from kind()

	def _code(self):
		"""The tokens of the body in which there is anything to be mistaken."""
		return (i for i in range(self.function.first, self.function.end) if i not in self.mute)

	def _mistake(self, kind, *edits):
		"""Edits are (first token, token behind the last, text)."""
		return Mistake(self.source, self.function.name, kind, self.source.line_of(edits[0][0]),
			       [(self.tokens[first].start, self.tokens[end - 1].end, text) for first, end, text in edits])

	def _statements(self, *kinds):
		return (s for s in self.function.statements if s.kind in kinds and s.first not in self.mute)

	def _is_call(self, statement):
		return self.source.is_text(statement.first + 1, "(") and \
			self.source.closing[statement.first + 1] == statement.end - 2

	def _kind_of_dropping(self, statement):
		name = self.tokens[statement.first].text
		if statement.kind == "jump":
			return "dropped-check"
		if BARRIERS.match(name):
			return "dropped-barrier"
		return "dropped-call" if self._is_call(statement) else "dropped-assignment"

	def dropped(self):
		for statement in self._statements("expression", "jump"):
			if statement.kind == "jump" and not statement.guarded:
				continue
			# of a pair
			if LOCKS.match(self.tokens[statement.first].text):
				continue
			yield self._mistake(self._kind_of_dropping(statement), (statement.first, statement.end, "{}"))

	def negated(self):
		for first, end in self.function.conditions:
			if first in self.mute:
				continue
			text = self.source.between(first, end)
			if self.tokens[first].text == "!" and not re.search("[&|=<>?]", text.replace("->", "")):
				yield self._mistake("negated", (first, first + 1, ""))
			else:
				yield self._mistake("negated", (first, end, "!" + text if end - first == 1 else "!(" + text + ")"))

	def _is_binary(self, i):
		before = self.tokens[i - 1]
		return before.text in (")", "]") or before.kind in ("name", "number") and before.text not in KEYWORDS

	def others(self):
		for i in self._code():
			text = self.tokens[i].text
			for kind, instead in OTHER.items():
				if text not in instead or text in BINARY and not self._is_binary(i):
					continue
				yield self._mistake(kind, (i, i + 1, instead[text]))

	def _operand(self, i, step, ends):
		"""How far the operand goes that begins beside token i."""
		opening = {close: open for open, close in self.source.closing.items()}
		over = self.source.closing if step > 0 else opening
		stops = STOPS + ends + ((")", "]") if step > 0 else ("(", "["))
		i += step
		while self.tokens[i].text not in stops:
			i = over.get(i, i) + step
		return i

	def _level(self, i):
		"""The operators like token i in its condition, inside the same parentheses."""
		at = self._operand(i, -1, ()) + 1
		end = self._operand(i, 1, ())
		while at < end:
			if self.tokens[at].text == self.tokens[i].text:
				yield at
			at = self.source.closing.get(at, at) + 1

	def logic(self):
		for i in self._code():
			text = self.tokens[i].text
			if text not in ENDS_OPERAND:
				continue
			level = list(self._level(i))
			if level[0] == i:
				yield self._mistake("logic", *((at, at + 1, "||" if text == "&&" else "&&") for at in level))

	def halves(self):
		for i in self._code():
			ends = ENDS_OPERAND.get(self.tokens[i].text)
			if not ends:
				continue
			yield self._mistake("half", (self._operand(i, -1, ends) + 1, i + 1, ""))
			yield self._mistake("half", (i, self._operand(i, 1, ends), ""))

	def constants(self):
		for i in self._code():
			token = self.tokens[i]
			if token.kind != "number":
				continue
			digits = token.text.rstrip("uUlL")
			value = int(digits, 8 if digits.isdigit() and digits[0] == "0" else 0)
			for other in {value + 1, value - 1} - {-1}:
				yield self._mistake("constant", (i, i + 1, str(other) + token.text[len(digits):]))
		yield from self._names_like_it()

	def _names_like_it(self):
		"""A constant instead of another of the same file that has the same first words."""
		def stem(name):
			return name.rsplit("_", 1)[0]
		names = sorted({t.text for t in self.tokens if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+){2,}", t.text)})
		for i in self._code():
			name = self.tokens[i].text
			if name not in names or self.source.is_text(i + 1, "("):
				continue
			for other in names:
				if other != name and stem(other) == stem(name):
					yield self._mistake("constant", (i, i + 1, other))

	def errors(self):
		"""Another error of those in this file."""
		known = sorted({t.text for t in self.tokens if re.fullmatch(r"E[A-Z0-9]{3,}", t.text)})
		for i in self._code():
			if self.tokens[i].text not in known:
				continue
			for other in known:
				if other != self.tokens[i].text:
					yield self._mistake("error", (i, i + 1, other))

	def lock_pairs(self):
		"""All of a function's taking and leaving of one lock."""
		pairs = {}
		for statement in self._statements("expression"):
			if LOCKS.match(self.tokens[statement.first].text) and self._is_call(statement):
				pairs.setdefault(self.source.between(statement.first + 1, statement.end), []).append(statement)
		for statements in pairs.values():
			if len(statements) > 1:
				yield self._mistake("dropped-lock", *((s.first, s.end, "{}") for s in statements))

	def _arguments(self, i):
		"""The arguments of the call whose name token i is, as (first, end)."""
		close = self.source.closing[i + 1]
		first, arguments = i + 2, []
		at = first
		while at < close:
			if self.tokens[at].text == ",":
				arguments.append((first, at))
				first = at + 1
			at = self.source.closing.get(at, at) + 1
		if first < close:
			arguments.append((first, close))
		return arguments

	def _calls(self):
		return (i for i in self._code() if self.tokens[i].kind == "name" and self.source.is_text(i + 1, "(") and
			self.tokens[i].text not in KEYWORDS)

	def orderings(self):
		for i in self._code():
			if self.tokens[i].text in STRONG:
				yield self._mistake("weakened", (i, i + 1, "__ATOMIC_RELAXED"))
		for i in self._calls():
			texts = [self.source.between(*argument) for argument in self._arguments(i)]
			end = self.source.closing[i + 1] + 1
			weaker = {
				"READ_ONCE": "({0})", "WRITE_ONCE": "{0} = ({1})",
				"smp_load_acquire": "READ_ONCE(*({0}))", "smp_store_release": "WRITE_ONCE(*({0}), {1})",
				"rcu_dereference": "rcu_access_pointer({0})",
			}.get(self.tokens[i].text)
			if weaker:
				yield self._mistake("weakened", (i, end, weaker.format(*texts)))

	def early_returns(self):
		words = self.function.returns.split()
		if "*" in words:
			value = " NULL"
		elif "void" in words:
			value = ""
		else:
			value = " false" if "bool" in words else " 0"
		for statement in self._statements("expression"):
			first = self.tokens[statement.first]
			# a body without braces would be the return alone, and the statement unconditional
			yield self._mistake("early-return", (statement.first, statement.first + 1,
							     f"if (1) return{value}; else {first.text}"))

	def results(self):
		for statement in self._statements("jump"):
			if self.tokens[statement.first].text != "return" or statement.end - statement.first < 3:
				continue
			first, end = statement.first + 1, statement.end - 1
			text = self.source.between(first, end)
			if text not in ("0", "true", "false", "NULL") and "bool" not in self.function.returns:
				yield self._mistake("result", (first, end, "NULL" if "*" in self.function.returns else "0"))
			elif "bool" in self.function.returns and text not in ("true", "false"):
				yield self._mistake("result", (first, end, "!(" + text + ")"))

	def swapped(self):
		"""Neighbours among the arguments; those of other types do not compile."""
		for i in self._calls():
			arguments = self._arguments(i)
			for one, other in zip(arguments, arguments[1:]):
				texts = self.source.between(*one), self.source.between(*other)
				if texts[0] != texts[1]:
					yield self._mistake("swapped", (*one, texts[1]), (*other, texts[0]))


def mistakes_of(source):
	"""All of a file, each with its name, and none twice."""
	seen, names = set(), {}
	for function in source.functions:
		for mistake in Maker(source, function).all():
			text = mistake.text()
			if text in seen or text == source.text:
				continue
			seen.add(text)
			name = f"{source.path}:{mistake.line}:{mistake.kind}"
			names[name] = names.get(name, 0) + 1
			mistake.name = name if names[name] == 1 else f"{name}-{names[name]}"
			yield mistake
