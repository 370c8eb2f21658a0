# SPDX-License-Identifier: MIT
"""A copy of the tree in which mistakes are made one after another: nothing is compiled but
what a mistake changes."""

import fcntl
import hashlib
import itertools
import os
import re
import subprocess
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILDING = threading.Lock()
PLACE = TOP / "build/mutants"

# A make that this runs in has variables of its own.
ENVIRONMENT = {name: value for name, value in os.environ.items()
	       if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "RANDOM", "TESTS", "O")}


class Broken(Exception):
	"""It does not compile, or only with a warning."""


def output_of(*command, cwd=None, **variables):
	try:
		return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd,
				      env=ENVIRONMENT | variables).stdout
	except subprocess.CalledProcessError as error:
		error.add_note(error.stdout + error.stderr)
		raise


def ask(*words):
	"""What a function of the harness says"""
	return output_of("bash", "-c", '. "$0"; "$@"', str(TOP / "selftests/qemu/lib.sh"), *words).strip()


def tests_of_kind(kind):
	"""Those of the library's that are run in such a way"""
	return ask("library_tests_of", kind).split()


class Tree:
	def __init__(self, kernel, warnings="-Werror"):
		self.kernel = kernel
		self.warnings = warnings	# what is to become of the compiler's
		self.modules = ask("build_of", kernel)
		self.path = self._take_place()
		self.build = self.path / "build"
		self.log = self.path / "build/log"
		self.harness = self.path / "selftests/qemu"
		self.prepared = {}		# part: its objects' digests
		self.changed = None		# the part of which something is built with a mistake
		self.originals = {}		# what the files are without it
		self.has_programs = False
		self.log.mkdir(parents=True, exist_ok=True)
		files = output_of("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=TOP)
		subprocess.run(["rsync", "-rlp", "--checksum", "--from0", "--ignore-missing-args", "--files-from=-", f"{TOP}/",
				f"{self.path}/"], input=files, text=True, check=True)

	def _take_place(self):
		"""The first tree that nobody is in, of this run or of another."""
		for number in itertools.count():
			path = PLACE / f"tree-{number}"
			path.mkdir(parents=True, exist_ok=True)
			self.place = open(PLACE / f"tree-{number}.lock", "w")
			try:
				fcntl.flock(self.place, fcntl.LOCK_EX | fcntl.LOCK_NB)
				return path
			except BlockingIOError:
				self.place.close()

	def apply(self, mistake):
		"""Return: whether any object is another; Broken."""
		part = mistake.paths[0].split("/")[0]
		if self.changed not in (None, part):
			self._build(self.changed)
		if part not in self.prepared:
			self._build(part)
			self.prepared[part] = self._digests(part)
		self.changed = part
		self.originals = {path: (self.path / path).read_text() for path in mistake.paths}
		mistake.make_in(self.path)
		try:
			self._build(part)
		except subprocess.CalledProcessError as error:
			raise Broken from error
		return self._digests(part) != self.prepared[part]

	def revert(self):
		for path, text in self.originals.items():
			(self.path / path).write_text(text)

	def _build(self, part):
		{"module": self._build_module, "userlib": self._build_userlib, "tools": self._build_tools}[part]()

	def _build_module(self):
		self._have_programs()
		output_of(str(self.harness / "build.sh"), self.kernel, KCFLAGS=self.warnings)

	def _build_userlib(self):
		objects = self._objects("userlib")
		objects.mkdir(parents=True, exist_ok=True)
		output_of("make", "-s", "-C", str(self.path / "userlib"), f"O={objects}", f"-j{os.cpu_count()}",
			  f"{objects}/libbufpool.a", f"{objects}/libbufpool.so")

	def _build_tools(self):
		objects = self._objects("tools")
		self._have_programs()
		output_of("make", "-s", "-C", str(self.path / "tools"), f"O={objects.parent}", "LDFLAGS=-static",
			  f"-j{os.cpu_count()}")

	def _objects(self, part):
		return self.build / {"module": self.modules + "/src/module", "userlib": "userlib", "tools": "tools/objects"}[part]

	def _digests(self, part):
		"""What each object does: all but what it tells debuggers, and of which sources it is."""
		digests = {}
		for path in sorted(set(self._objects(part).glob("*.o")) - set(self._objects(part).glob("*.mod.o"))):
			stripped = self.log / "stripped"
			output_of("objcopy", "--strip-debug", str(path), str(stripped))
			digests[path.name] = hashlib.sha256(stripped.read_bytes()).digest()
		return digests

	def _have_programs(self):
		"""What the VM has besides what is changed, as it is here now."""
		if self.has_programs:
			return
		with BUILDING:
			output_of(str(TOP / "selftests/qemu/build.sh"), "user", self.kernel)
		output_of("rsync", "-a", "--relative", "--exclude=objects", "examples", "selftests", "tools", self.modules + "/modules",
			  str(self.build), cwd=TOP / "build")
		self._build_userlib()
		self.has_programs = True

	def link_here(self, test, kind):
		"""A program of the library's tests, for this machine."""
		library = self.build / f"userlib-{kind}"
		self.link(test, self.build / "library" / kind / test)
		library.exists() or library.symlink_to("userlib")

	def build_kind(self, kind):
		"""All of these, with a compiler that looks for more."""
		output_of(str(self.harness / "build.sh"), f"library-{kind}")

	def link_for_vm(self, tests):
		"""Those of these tests that have the library in them."""
		self._have_programs()
		for test in tests:
			if test.startswith(("library", "soak")):
				self.link(test, self.build / "selftests" / test, *([] if test == "library_unload" else ["-static"]))

	def link(self, test, program, *flags):
		"""Broken where the mistake is in what programs compile themselves."""
		try:
			self._link(test, program, *flags)
		except subprocess.CalledProcessError as error:
			raise Broken from error

	def _link(self, test, program, *flags):
		program.parent.mkdir(parents=True, exist_ok=True)
		object_file = self.path / "selftests" / (test + ".o")
		sources = [object_file.with_suffix(".c"), self.path / "userlib/bufpool.h", *object_file.parent.glob("*.h")]
		if not object_file.exists() or object_file.stat().st_mtime < max(s.stat().st_mtime for s in sources):
			object_file.unlink(missing_ok=True)
			self._make(test + ".o")
		output_of("gcc", *flags, *self._linker_flags(test), "-o", str(program), str(object_file),
			  str(self.build / "userlib/libbufpool.a"), "-lpthread")

	def _linker_flags(self, test):
		"""What the Makefile has for that test alone"""
		return re.findall(r"-Wl,\S+", self._make("-n", f"USERLIB_A={self.build}/userlib/libbufpool.a", f"{self.log}/{test}"))

	def _make(self, *words):
		"""What make says in the directory of the tests"""
		return output_of("make", "-s", "-C", str(self.path / "selftests"), f"KSFT={self._kselftest()}",
				 f"OUTPUT={self.log}", "USERCFLAGS=-I../userlib", *words)

	def _kselftest(self):
		return output_of(str(self.harness / "kernel.sh"), "source").strip() + "/tools/testing/selftests"
