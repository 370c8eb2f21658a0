# SPDX-License-Identifier: MIT
"""A trial: the tests of what a mistake is in, until one notices it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from tree import ENVIRONMENT, TOP

# Where a mistake makes a test hang that takes seconds
LIMIT = 60
STRESS = 15

# What says only that the VM is gone: that may be its own fault, not the mistake's.
NO_PROOF = re.compile(r"QEMU failed|no panic, no verdict|reported \d+ times")
LATE = re.compile(r"no end after|timed out after|terminated by timeout|nothing for")

# A test that is late may be so since the machine is busy: it is late when it is alone, with
# so many times the limit.
PATIENCE = 2

# Tests that load the module themselves: coverage has only what they did with the last
RELOADING = {"module.sh", "unloading", "fail_nth_module", "oversize", "kunit.sh"}

# A test of the library that does nothing where it runs as it is
KINDS = {"library_watch": "valgrind"}


@dataclass
class Verdict:
	word: str		# noticed, hang, survived or unclear
	test: str = ""
	words: str = ""


def read_table(path):
	"""Rows of words, by the first of them."""
	rows = {}
	for line in path.read_text().splitlines():
		words = line.split()
		if words and not line.startswith("#"):
			rows[words[0]] = words[1:]
	return rows


def tests_of_mutants():
	"""What notices the mutants that people have made, by the file: another of those may."""
	tests = {}
	for path in sorted((TOP / "selftests/qemu/mutants").glob("*.patch")):
		text = path.read_text()
		names = re.search(r"^Tests: (.*)", text, re.M)
		for file in re.findall(r"^\+\+\+ b/(\S+)", text, re.M):
			tests.setdefault(file, []).extend(names.group(1).split() if names else [])
	return tests


class Coverage:
	"""Which tests go through which line, where make coverage has found that out."""

	def __init__(self, path=TOP / "build/coverage/by-test"):
		self.time = path.stat().st_mtime if path.exists() else 0
		self.tests = {}
		for line in path.read_text().splitlines() if self.time else []:
			test, place = line.split()
			self.tests.setdefault(place, set()).add(test)
		self.known = set().union(*self.tests.values()) - RELOADING

	def of(self, mistake):
		"""None where that is not known of the file as it is. A line that continues another is not counted."""
		path = mistake.source.path
		if (TOP / path).stat().st_mtime > self.time:
			return None
		for line in range(mistake.line, max(mistake.line - 5, 0), -1):
			if f"{path}:{line}" in self.tests:
				return self.tests[f"{path}:{line}"]
		return None


class Tests:
	"""Which tests are to notice what, the likely ones first."""

	def __init__(self):
		self.table = read_table(TOP / "selftests/mistakes/tests")
		self.mutants = tests_of_mutants()
		self.coverage = Coverage()
		self.seconds = {test: words[0] for test, words in read_table(TOP / "selftests/qemu/tests").items()}

	def here(self, mistake):
		"""Those of the library that need no device."""
		path = mistake.source.path
		if not path.startswith("userlib/"):
			return []
		row = self.table.get(path, [])
		private = self.table["userlib/"]
		return self._covering(mistake, [test for test in row if test in private] + private)

	def in_vm(self, mistake):
		"""Those that the table names, and mutants of the file."""
		path = mistake.source.path
		row = (self.table.get(path) or self.table[path.split("/")[0] + "-vm"]) + self.mutants.get(path, [])
		if path.startswith("userlib/"):
			row = [test for test in row if test not in self.table["userlib/"]] + self.table["userlib-vm"]
		return self._covering(mistake, row)

	def others(self, mistake):
		"""All others that may notice it, which are many: the quickest first."""
		if not mistake.source.path.startswith("module/"):
			return []
		tests = (TOP / "build/selftests/tests.list").read_text().split()
		wanted = set(tests) - set(self.in_vm(mistake)) - {test for test, seconds in self.seconds.items() if seconds == "-"}
		return self._covering(mistake, sorted(wanted, key=self.seconds_of), unknown=False)

	def _covering(self, mistake, tests, unknown=True):
		"""Those that go through its line, and with @unknown those of which that is not known."""
		covering = self.coverage.of(mistake)
		return [test for test in dict.fromkeys(tests) if covering is None or test in covering or
			unknown and test not in self.coverage.known]

	def seconds_of(self, test):
		seconds = self.seconds.get(test, "-")
		return float(seconds) if seconds != "-" else 20


# What goes on, and is to be stopped where a run ends early
RUNNING = set()


def run_at_once(number, work):
	"""Call work() in so many threads, and end what they have begun where a run ends early."""
	failures = []

	def work_or_fail():
		try:
			work()
		except Exception as error:
			failures.append(error)

	signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
	workers = [threading.Thread(target=work_or_fail, daemon=True) for _ in range(number)]
	try:
		for worker in workers:
			worker.start()
		for worker in workers:
			worker.join()
	finally:
		for trial in list(RUNNING):
			trial.stop()
	if failures:
		raise failures[0]


class Here:
	"""One of the library's tests on this machine, which is stopped as soon as a case fails."""

	def __init__(self, tree, test, kind, limit):
		self.limit = limit
		self.log = tree.log / "library" / f"{kind}-{test}"
		self.log.unlink(missing_ok=True)
		environment = dict(ENVIRONMENT, TESTS=test, BUFPOOL_TIMEOUT=str(limit), BUFPOOL_STRESS_SECONDS="3")
		self.process = subprocess.Popen([str(tree.harness / "library.sh"), str(tree.log / "library"), kind],
						env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
						stderr=subprocess.DEVNULL)
		self.began = time.monotonic()
		RUNNING.add(self)

	def wait(self):
		"""Return: what failed, or None."""
		while self.process.poll() is None and not not_ok(self.log):
			time.sleep(0.1)
		late = time.monotonic() - self.began >= self.limit
		self.stop()
		failure = not_ok(self.log)
		if failure or self.process.returncode == 0:
			return failure
		return f"timed out after {self.limit} s" if late else "ended with a failure"

	def stop(self):
		if self.process.poll() is None:
			for session in children_of(self.process.pid):
				end_session(session)
		self.process.wait()
		RUNNING.discard(self)


def run_here(tree, tests):
	"""As they are, but for those that do nothing then"""
	for test in tests:
		kind = KINDS.get(test, "plain")
		tree.link_here(test, kind)
		verdict = try_here(tree, test, kind)
		if verdict.word != "survived":
			return verdict
	return Verdict("survived")


def run_kind_here(tree, tests, kind):
	"""With a compiler that looks for more"""
	tree.build_kind(kind)
	for test in tests:
		verdict = try_here(tree, test, kind)
		if verdict.word != "survived":
			return verdict
	return Verdict("survived")


def try_here(tree, test, kind):
	failure = Here(tree, test, kind, LIMIT).wait()
	late = failure and LATE.search(failure)
	if late:
		failure = Here(tree, test, kind, 2 * LIMIT).wait()
	if not failure:
		return Verdict("survived")
	return Verdict("hang" if late else "noticed", test, failure)


def not_ok(log):
	"""What a test says of the first case that failed, if one has"""
	found = re.search(r"(?:^# .*terminated by timeout\s+)?^not ok .*", text_of(log), re.M)
	return found and " ".join(found.group().split())


def text_of(path):
	try:
		return path.read_text(errors="replace")
	except FileNotFoundError:
		return ""


def processes():
	"""For each its number, its parent's and its session's"""
	for entry in os.scandir("/proc"):
		if entry.name.isdigit():
			try:
				with open(entry.path + "/stat") as file:
					fields = file.read().rpartition(")")[2].split()
				yield int(entry.name), int(fields[1]), int(fields[3])
			except (OSError, IndexError):
				pass


def children_of(parent):
	return [pid for pid, of, _ in processes() if of == parent]


def end_session(session):
	for pid, _, of in processes():
		if of == session:
			try:
				os.kill(pid, signal.SIGKILL)
			except ProcessLookupError:
				pass


class Suite:
	"""suite.sh in a tree, which is stopped as soon as anything fails."""

	def __init__(self, tree, tests, seconds, limit):
		# when nothing comes for so long, the kernel hangs: it would have ended the test
		self.silence = limit + STRESS + 60
		self.log = tree.log / "vm"
		for name in ("console", "verdict"):
			(self.log / name).unlink(missing_ok=True)
		self.lines, self.said, self.since = [], None, 0
		environment = dict(ENVIRONMENT, TESTS=" ".join(tests), BUFPOOL_TIMEOUT=str(limit),
				   BUFPOOL_STRESS_SECONDS=str(STRESS), BUFPOOL_DEADLINE=str(int(limit + 10 * seconds)))
		self.process = subprocess.Popen([str(tree.harness / "suite.sh"), tree.kernel, str(self.log)], env=environment,
						stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
						text=True, start_new_session=True)
		RUNNING.add(self)
		self.reader = threading.Thread(target=self._read, daemon=True)
		self.reader.start()

	def _read(self):
		for line in self.process.stdout:
			self.lines.append(line)

	def _is_silent(self):
		"""Whether the VM has said nothing for too long."""
		said = len(self.lines), self._verdict()
		if said != self.said:
			self.said, self.since = said, time.monotonic()
		return time.monotonic() - self.since > self.silence

	def failure(self):
		"""The line of the first test that failed, or what one says that is about to."""
		if self._is_silent():
			return f"nothing for {self.silence} s"
		for line in list(self.lines):
			if re.match(r"\S+ +FAIL ", line) and not NO_PROOF.search(line):
				return " ".join(line.split()[2:])
		return not_ok(self.log / "console")

	def _verdict(self):
		return text_of(self.log / "verdict")

	def wait(self):
		"""Return: what failed first, or None."""
		while self.process.poll() is None and not self.failure():
			time.sleep(0.5)
		self.stop()
		self.reader.join(10)
		return self.failure()

	def test(self):
		"""The verdict's last word on which test ran."""
		verdict = self._verdict()
		started = re.findall(r"^start (\S+)", verdict, re.M)
		failed = re.findall(r"^result (\S+) fail", verdict, re.M)
		return failed[0] if failed else started[-1] if started else ""

	def stop(self):
		if self.process.poll() is None:
			# its trap ends the VM
			self.process.terminate()
		try:
			self.process.wait(15)
		except subprocess.TimeoutExpired:
			pass
		end_session(self.process.pid)
		self.process.wait()
		RUNNING.discard(self)


def run_in_vm(tree, tests, seconds_of):
	"""Tests that are many share one VM."""
	if not tests:
		return Verdict("survived")
	tree.link_for_vm(tests)
	seconds = sum(map(seconds_of, tests))
	verdict = try_in_vm(tree, tests, seconds, LIMIT)
	if verdict.word == "hang" and verdict.test not in tests:
		# what comes after them all, as a look for leaks, or before
		verdict = try_in_vm(tree, tests, PATIENCE * seconds, PATIENCE * LIMIT)
	while verdict.word == "hang" and verdict.test in tests:
		late = try_in_vm(tree, [verdict.test], seconds_of(verdict.test), PATIENCE * LIMIT)
		if late.word != "survived":
			return late
		tests = tests[tests.index(verdict.test) + 1:]
		verdict = try_in_vm(tree, tests, sum(map(seconds_of, tests)), LIMIT)
	return verdict


def try_in_vm(tree, tests, seconds, limit):
	"""The emulator's own faults get another VM."""
	if not tests:
		return Verdict("survived")
	for _ in range(2):
		suite = Suite(tree, tests, seconds, limit)
		failure = suite.wait()
		if failure:
			return Verdict("hang" if LATE.search(failure) else "noticed", suite.test(), failure)
		if suite.process.returncode == 0:
			return Verdict("survived")
	return Verdict("unclear", "", "".join(suite.lines[-3:]).strip())
