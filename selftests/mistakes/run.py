#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prove the tests by chance: make one-line mistakes anywhere in the module, the library and
the tools, each in a copy of the tree, and see which no test notices. The same seed makes the
same mistakes. What was found before is not run again."""

import argparse
import hashlib
import json
import math
import random
import re
import sys
import threading

sys.dont_write_bytecode = True

from mistakes import mistakes_of
from source import Source
from tree import PLACE, TOP, Broken, Tree, tests_of_kind
from trial import Tests, Verdict, run_at_once, run_here, run_in_vm, run_kind_here

PARTS = ("module", "userlib", "tools")
RACING = ("weakened", "dropped-lock", "dropped-barrier")	# what a sanitizer of threads may see
GOLDEN = (math.sqrt(5) - 1) / 2


def sources(paths):
	for path in sorted(paths):
		yield Source(str(path.relative_to(TOP)), path.read_text())


def files_of(parts):
	return [path for part in parts for path in sorted((TOP / part).glob("*.[ch]"))]


def sample(mistakes, seed):
	"""All of them in an order whose every beginning is spread evenly over the lines."""
	lines = {}
	for mistake in mistakes:
		lines.setdefault((mistake.source.path, mistake.line), []).append(mistake)
	lines = list(lines.values())
	chance = random.Random(seed)
	at = chance.random()
	left = len(mistakes)
	while left:
		line = lines[int(at * len(lines))]
		at = (at + GOLDEN) % 1
		if line:
			# a line has many constants to be taken for each other, and one condition
			kind = chance.choice(sorted({mistake.kind for mistake in line}))
			mistake = chance.choice([mistake for mistake in line if mistake.kind == kind])
			line.remove(mistake)
			left -= 1
			yield mistake
		elif not any(lines):
			return


class Explained:
	"""Mistakes that change nothing that anybody could notice, and why."""

	def __init__(self, path=TOP / "selftests/mistakes/explained"):
		self.entries = [self._entry(paragraph) for paragraph in path.read_text().split("\n\n")
				if paragraph.strip() and not paragraph.startswith("#")]

	@staticmethod
	def _entry(paragraph):
		lines = paragraph.strip().splitlines()
		return (*lines[0].split(), *(line for line in lines[1:] if line[0] in "=-+"))

	@staticmethod
	def _keys(mistake):
		"""One of many that are alike is told by the line in front of it."""
		place = mistake.source.path, mistake.function
		return {(*place, *mistake.changed()), (*place, "= " + mistake.before(), *mistake.changed())}

	def has(self, mistake):
		return not self._keys(mistake).isdisjoint(self.entries)

	def gone(self):
		"""Those that nobody can make any more"""
		paths = {TOP / entry[0] for entry in self.entries}
		possible = {key for source in sources(p for p in paths if p.exists())
			    for mistake in mistakes_of(source) for key in self._keys(mistake)}
		return [entry for entry in self.entries if entry not in possible]


def digest(*texts):
	return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def digest_of(paths):
	return digest(*(path.read_text() for path in sorted(paths) if path.is_file()))


class Results:
	"""What was found, by the mistake and the file that it was made in. That a test notices it is
	true for as long as the test is the same, and that none does while all are."""

	def __init__(self, scope, place=PLACE / "results"):
		self.scope = scope		# which tests there were, for what none noticed
		self.place = place
		self.place.mkdir(parents=True, exist_ok=True)

	def _path(self, mistake):
		return self.place / digest(mistake.source.text, mistake.patch())

	def _tests(self, verdict):
		selftests = TOP / "selftests"
		if verdict.word in ("noticed", "hang"):
			return digest_of(selftests.glob(verdict.test + "*"))
		if verdict.word == "survived":
			return digest(self.scope, digest_of(selftests.glob("*.*")), digest_of([selftests / "mistakes/tests"]))
		return ""

	def get(self, mistake):
		try:
			saved = json.loads(self._path(mistake).read_text())
		except FileNotFoundError:
			return None
		verdict = Verdict(*saved["verdict"])
		return verdict if saved["tests"] == self._tests(verdict) else None

	def put(self, mistake, verdict):
		if verdict.word == "unclear":
			return
		path = self._path(mistake)
		part = path.with_suffix(".part")
		part.write_text(json.dumps({"name": mistake.name, "tests": self._tests(verdict),
					    "verdict": [verdict.word, verdict.test, verdict.words]}))
		part.rename(path)


class Run:
	def __init__(self, options):
		self.options = options
		self.tests = Tests()
		self.explained = Explained()
		self.results = Results(f"{options.kernels} {options.here} {options.likely}")
		self.order = sample([m for source in sources(files_of(options.parts)) for m in mistakes_of(source)
				     if re.search(options.only, m.name)], options.seed)
		self.lock = threading.Lock()
		self.running = 0
		self.done = []			# (mistake, verdict), but for those that are none
		self.none = 0

	def next(self):
		with self.lock:
			if self.running + len(self.done) >= self.options.count:
				return None
			mistake = next(self.order, None)
			self.running += mistake is not None
			return mistake

	def finish(self, mistake, verdict):
		with self.lock:
			self.running -= 1
			if verdict.word in ("same", "broken"):
				self.none += 1
				return
			self.done.append((mistake, verdict))
		word = "ok" if verdict.word in ("noticed", "hang", "explained") else "FAIL"
		words = {"survived": "no test noticed", "noticed": verdict.test + ": " + verdict.words,
			 "hang": verdict.test + " (hangs): " + verdict.words}.get(verdict.word, f"{verdict.word} {verdict.words}")
		print(f"{word:5} {mistake.name:44} {' '.join(words.split())[:150]}", flush=True)

	def work(self):
		trees = {}
		while mistake := self.next():
			verdict = self.known(mistake)
			if not verdict:
				verdict = self.judge(trees, mistake)
				self.results.put(mistake, verdict)
			self.finish(mistake, verdict)

	def known(self, mistake):
		return Verdict("explained") if self.explained.has(mistake) else self.results.get(mistake)

	def judge(self, trees, mistake):
		"""On each kernel, until a test on one notices: only the module is another there."""
		for kernel in self.options.kernels:
			tree = trees[kernel] = trees.get(kernel) or Tree(kernel)
			verdict = self.judge_in(tree, mistake)
			if verdict.word != "survived" or not mistake.source.path.startswith("module/"):
				break
		return verdict

	def judge_in(self, tree, mistake):
		try:
			if not tree.apply(mistake):
				return Verdict("same")
			return self.run_tests(tree, mistake)
		except Broken:
			return Verdict("broken")
		finally:
			tree.revert()

	def run_tests(self, tree, mistake):
		here = self.tests.here(mistake)
		verdict = run_here(tree, here)
		is_brief = self.options.likely or tree.kernel != self.options.kernels[0]
		for tests in (self.tests.in_vm(mistake), [] if is_brief else self.tests.others(mistake)):
			if verdict.word == "survived" and not self.options.here:
				verdict = run_in_vm(tree, tests, self.tests.seconds_of)
		if verdict.word == "survived" and mistake.kind in RACING and here:
			verdict = run_kind_here(tree, [test for test in here if test in tests_of_kind("tsan")], "tsan")
		return verdict


def list_survivors(done):
	place = PLACE / "survivors"
	place.mkdir(parents=True, exist_ok=True)
	for path in place.iterdir():
		path.unlink()
	for mistake, verdict in done:
		if verdict.word in ("survived", "unclear"):
			text = f"{mistake.source.path} {mistake.function}\n" + "\n".join(mistake.changed())
			(place / (mistake.name.replace("/", "-") + ".patch")).write_text(
				f"{mistake.name}, which no test noticed; for the file explained:\n\n{text}\n\n{mistake.patch()}")


def figures(done):
	"""Lines of a table, by part"""
	def row(name, words):
		noticed = sum(word in ("noticed", "hang") for word in words)
		hangs, explained = words.count("hang"), words.count("explained")
		lost = len(words) - noticed - explained
		share = 100 * (noticed + explained) // max(len(words), 1)
		return (f"{name:10}{noticed:8} noticed of {len(words)} ({hangs} by hanging), {explained} explained, "
			f"{lost} survived: {share} %")
	words = [verdict.word for _, verdict in done]
	for part in PARTS:
		of_part = [verdict.word for mistake, verdict in done if mistake.source.path.startswith(part + "/")]
		if of_part:
			yield row(part, of_part)
	yield row("all", words)


def check():
	"""What lint asks: whether the tables are of this code."""
	for entry in Explained().gone():
		print("selftests/mistakes/explained: not in the code any more: " + " ".join(entry))
	tests = Tests()
	for row, names in tests.table.items():
		if "." in row and not (TOP / row).exists():
			print(f"selftests/mistakes/tests: there is no {row}")
		for name in names:
			if not any((TOP / "selftests" / (name + end)).exists() for end in ("", ".c")):
				print(f"selftests/mistakes/tests: there is no test {name}")


def take_options():
	parser = argparse.ArgumentParser(description=__doc__)
	parser.add_argument("--check", action="store_true", help="only see whether the tables fit the code")
	parser.add_argument("--list", action="store_true", help="only print the mistakes, as patches")
	parser.add_argument("--count", type=int, default=20, help="how many mistakes")
	parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10000))
	parser.add_argument("--at-once", type=int, default=2, help="how many VMs at a time")
	parser.add_argument("--kernels", nargs="*", default=["stock", "debug"],
			    help="on the second, and so on, what none noticed in the module before, with the likely tests")
	parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
	parser.add_argument("--only", default="", metavar="PATTERN", help="mistakes whose names match it")
	parser.add_argument("--likely", action="store_true", help="in the VM, only the tests that the table names")
	parser.add_argument("--here", action="store_true", help="no VM: what needs none of it")
	return parser.parse_args()


def main():
	options = take_options()
	if options.check:
		return check()
	run = Run(options)
	if options.list:
		for _ in range(options.count):
			mistake = next(run.order)
			print(f"{mistake.name} in {mistake.function}()\n{mistake.patch()}")
		return None
	print(f"seed {options.seed}", flush=True)
	try:
		run_at_once(options.at_once, run.work)
	finally:
		list_survivors(run.done)
		print(*figures(run.done), sep="\n")
		print(f"{run.none} more did not compile, or to the same code; survivors are in {PLACE}/survivors")
	return any(verdict.word in ("survived", "unclear") for _, verdict in run.done)


if __name__ == "__main__":
	sys.exit(main())
