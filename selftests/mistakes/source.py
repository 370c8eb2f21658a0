# SPDX-License-Identifier: MIT
"""A file of C as mistakes are made in it: tokens, functions, and their statements.

Not a parser of C: it knows what files in the kernel's style look like, where a function's
body begins with a brace in the first column. What it takes for something else costs a
mistake that does not compile, and is dropped."""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
	(?P<comment>/\*.*?\*/|//[^\n]*)
	|(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
	|(?P<string>"(?:[^"\\\n]|\\.)*")
	|(?P<char>'(?:[^'\\\n]|\\.)*')
	|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)
	|(?P<name>[A-Za-z_]\w*)
	|(?P<mark>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\.\.\.|[^\s\w])
	""", re.X | re.S | re.M)

OPENING = {"(": ")", "[": "]", "{": "}"}
JUMPS = ("return", "goto", "break", "continue")
KEYWORDS = JUMPS + ("if", "else", "while", "for", "do", "switch", "case", "default", "sizeof")

# What begins a line of which nothing is to be noticed: it tells, or it checks.
MERELY_TELLS = re.compile(r"pr_\w+|trace_\w+|lockdep_\w+|WARN\w*|BUILD_BUG\w*|static_assert|"
			  r"_Static_assert|VM_WARN\w*|__set_current_state_debug")


@dataclass
class Token:
	kind: str
	text: str
	start: int

	@property
	def end(self):
		return self.start + len(self.text)


@dataclass
class Statement:
	"""From its first token to that behind its last, a semicolon."""
	kind: str		# expression, declaration or jump
	first: int
	end: int
	guarded: bool		# all that an if without an else does


@dataclass
class Function:
	name: str
	returns: str		# the words in front of the name
	first: int		# token behind the brace
	end: int		# the brace that closes it
	statements: list = field(default_factory=list)
	conditions: list = field(default_factory=list)	# (first, end) between an if's parentheses


class Source:
	def __init__(self, path, text):
		self.path = path
		self.text = text
		self.tokens = [Token(m.lastgroup, m.group(), m.start()) for m in TOKEN.finditer(text)
			       if m.lastgroup not in ("comment", "directive")]
		self.lines = [0] + [m.end() for m in re.finditer("\n", text)]
		self.closing = self._pair()
		self.functions = list(self._functions())

	def line_of(self, token):
		"""The number of the line that a token is in, from 1."""
		low, high = 0, len(self.lines)
		while high - low > 1:
			middle = (low + high) // 2
			if self.lines[middle] <= self.tokens[token].start:
				low = middle
			else:
				high = middle
		return low + 1

	def is_text(self, token, *texts):
		return 0 <= token < len(self.tokens) and self.tokens[token].text in texts

	def between(self, first, end):
		"""The text from one token up to another, which is not part of it."""
		return self.text[self.tokens[first].start:self.tokens[end - 1].end]

	def _pair(self):
		closing, opened = {}, []
		for i, token in enumerate(self.tokens):
			if token.text in OPENING:
				opened.append(i)
			elif token.text in OPENING.values() and opened:
				closing[opened.pop()] = i
		return closing

	def _functions(self):
		for i, token in enumerate(self.tokens):
			if token.text != "{" or i not in self.closing or token.start not in self.lines:
				continue
			function = self._head(i)
			if function:
				_Body(self, function).read()
				yield function

	def _head(self, brace):
		first = brace
		while first > 0 and self.tokens[first - 1].text not in (";", "}"):
			first -= 1
		for i in range(first, brace - 1):
			if self.tokens[i].kind == "name" and self.is_text(i + 1, "(") and \
			   not self.tokens[i].text.startswith("__"):
				returns = " ".join(t.text for t in self.tokens[first:i])
				return Function(self.tokens[i].text, returns, brace + 1, self.closing[brace])
		return None


class _Body:
	"""Finds a function's statements and conditions."""

	def __init__(self, source, function):
		self.source = source
		self.function = function

	def read(self):
		at = self.function.first
		while at < self.function.end:
			at = self._statement(at, False)

	def _text(self, at):
		return self.source.tokens[at].text

	def _statement(self, at, guarded):
		"""Return: the token behind it."""
		text = self._text(at)
		if text == "{":
			return self._block(at, guarded)
		if text == "if":
			return self._if(at)
		if text in ("while", "for", "switch"):
			return self._statement(self.source.closing[at + 1] + 1, False)
		if text == "do":
			return self._simple_end(self._statement(at + 1, False))
		if text in ("case", "default"):
			while self._text(at) != ":":
				at += 1
			return at + 1
		if self.source.tokens[at].kind == "name" and self._text(at + 1) == ":":
			return at + 2
		if self._is_loop(at):
			return self._statement(self.source.closing[at + 1] + 1, False)
		return self._simple(at, guarded)

	def _block(self, at, guarded):
		end = self.source.closing[at]
		at += 1
		while at < end:
			at = self._statement(at, guarded and self._simple_end(at) == end)
		return end + 1

	def _if(self, at):
		end = self.source.closing[at + 1]
		self.function.conditions.append((at + 2, end))
		body = len(self.function.statements)
		at = self._statement(end + 1, True)
		if self._text(at) != "else":
			return at
		for statement in self.function.statements[body:]:
			statement.guarded = False
		return self._statement(at + 1, False)

	def _is_loop(self, at):
		"""Whether a macro begins a loop there: statements follow its parentheses."""
		if self.source.tokens[at].kind != "name" or self._text(at + 1) != "(":
			return False
		behind = self.source.closing[at + 1] + 1
		return self._text(behind) == "{" or self.source.tokens[behind].kind == "name"

	def _simple_end(self, at):
		while at < self.function.end and self._text(at) != ";":
			at = self.source.closing.get(at, at) + 1
		return min(at + 1, self.function.end)

	def _simple(self, at, guarded):
		end = self._simple_end(at)
		if self._text(at) in JUMPS:
			kind = "jump"
		else:
			kind = "declaration" if self._declares(at, end) else "expression"
		if end - at > 1:
			self.function.statements.append(Statement(kind, at, end, guarded))
		return end

	def _declares(self, at, end):
		"""Two names in a row, or with stars between them: a type and a variable."""
		if self.source.tokens[at].kind != "name":
			return False
		at += 1
		while at < end and self._text(at) == "*":
			at += 1
		return self.source.tokens[at].kind == "name"
