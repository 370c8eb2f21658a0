#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prove the tests by what people have thought of: take out of the module, the library or the
tools one thing at a time that a promise rests on, and see that a test fails.
selftests/qemu/mutants/NAME.patch does it, and names the tests to run in a line "Tests:", for
the VM, "Tests on debug:" or the like where only that kernel's own checks can tell, or
"Tests here:". With "Promise:" and its number in docs/design.md it is of those that are made
before every release."""

import argparse
import os
import re
import subprocess
import sys
import threading

sys.dont_write_bytecode = True

from tree import TOP, Broken, Tree
from trial import LIMIT, Verdict, run_at_once, run_here, try_in_vm

MUTANTS = TOP / "selftests/qemu/mutants"

# How much longer tests take on other kernels than stock
SLOWER = 4


class Mutant:
	def __init__(self, name):
		self.name = name
		self.text = (MUTANTS / f"{name}.patch").read_text()
		self.paths = re.findall(r"^\+\+\+ b/(\S+)", self.text, re.M)
		on, self.tests = re.search(r"^Tests(?: on)? ?(\w*): (.*)", self.text, re.M).groups()
		self.tests = self.tests.split()
		self.here = on == "here"
		self.kernel = "stock" if self.here else on or "stock"

	def make_in(self, tree):
		subprocess.run(["patch", "-s", "-p1", "-d", str(tree)], input=self.text, text=True, check=True)


class Run:
	def __init__(self, names):
		self.left = [Mutant(name) for name in names]
		self.lock = threading.Lock()
		self.passed = self.failed = 0

	def work(self):
		trees = {}
		while mutant := self._next():
			if mutant.kernel not in trees:
				# what a mutant takes out may leave something that nobody uses
				trees[mutant.kernel] = Tree(mutant.kernel, warnings="")
			self._finish(mutant, judge(trees[mutant.kernel], mutant))

	def _next(self):
		with self.lock:
			return self.left.pop(0) if self.left else None

	def _finish(self, mutant, verdict):
		noticed = verdict.word in ("noticed", "hang")
		with self.lock:
			self.passed += noticed
			self.failed += not noticed
		words = f"{verdict.test}: {verdict.words}" if noticed else "no test noticed: " + verdict.words
		print(f"{'ok' if noticed else 'FAIL':5} {mutant.name:32} {' '.join(words.split())[:150]}", flush=True)


def judge(tree, mutant):
	try:
		if not tree.apply(mutant):
			return Verdict("survived", "", "it compiles to the same code")
		if mutant.here:
			return run_here(tree, mutant.tests)
		limit = LIMIT if mutant.kernel == "stock" else SLOWER * LIMIT
		tree.link_for_vm(mutant.tests)
		return try_in_vm(tree, mutant.tests, 20 * len(mutant.tests), limit)
	except Broken:
		return Verdict("survived", "", "it does not compile")
	finally:
		tree.revert()


def names_of(words):
	patches = sorted(MUTANTS.glob("*.patch"))
	if words == ["all"]:
		return [path.stem for path in patches]
	return words or [path.stem for path in patches if re.search("^Promise: ", path.read_text(), re.M)]


def main():
	parser = argparse.ArgumentParser(description=__doc__)
	parser.add_argument("--at-once", type=int, default=os.cpu_count(), help="how many VMs at a time")
	parser.add_argument("names", nargs="*", metavar="NAME", help="mutants, or all; none: those that break a promise")
	options = parser.parse_args()
	run = Run(names_of(options.names))
	run_at_once(options.at_once, run.work)
	print(f"{run.passed} passed, {run.failed} failed")
	return run.failed > 0


if __name__ == "__main__":
	sys.exit(main())
