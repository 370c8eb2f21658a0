#!/bin/bash
# SPDX-License-Identifier: MIT
# What the tests run of the module, in the VMs of the debug kernel, and of the library and
# the tools, here and in a VM of the stock one. Into build/coverage:
#
#   html/index.html  line by line
#   table            by file, and what is left out, with the reason
#   missing          each line, and each way out of one, that no test goes
#   by-test          "TEST FILE:LINE" for each line that a test goes through
#
# usage: coverage.sh
#
# TESTS names the tests to run, else all that the kernel runs, and too little is a failure.
# Nothing but build/coverage is built otherwise than for make check. Nobody looks for leaks.

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/parts.sh"

logs=$coverage_dir/log

# chosen TEST...: those of them that TESTS names, if it names any
chosen() {
	local test
	for test; do
		[[ -n "${TESTS:-}" && " $TESTS " != *" $test "* ]] || echo "$test"
	done | xargs
}

# tests_in DIRECTORY: those of a VM
tests_in() {
	# shellcheck disable=SC2046 # words
	chosen $(cat "$1/tests.list")
}

run_here() {
	local tests
	# shellcheck disable=SC2046 # words
	tests=$(chosen $(library_tests_of coverage))
	[ -z "$tests" ] || part here env TESTS="$tests" GCOV_PREFIX_STRIP="$strip" "$qemu_dir/library.sh" "$logs/here" coverage
}

run_programs() {
	local tests
	tests=$(tests_in "$coverage_dir/selftests")
	[ -z "$tests" ] || part stock env TESTS="$tests" BUFPOOL_COVERAGE=programs BUFPOOL_PROGRAMS="$coverage_dir" \
		"$qemu_dir/suite.sh" stock "$logs/stock"
}

# Those which the debug kernel does not run otherwise it does not run here.
run_module() {
	local tests
	tests=$(tests_in "$build/selftests")
	export BUFPOOL_COVERAGE=module BUFPOOL_MODULES=$coverage_dir/modules
	# shellcheck disable=SC2086 # words
	[ -z "$tests" ] || suites all debug $tests
	unset BUFPOOL_COVERAGE BUFPOOL_MODULES
}

# What each test has counted lies in counts/VM/TEST, as what it has here in counts/here/TEST
unpack() {
	local part
	rm -rf "$counts"
	for part in "${parts[@]}"; do
		mkdir -p "$counts/$part"
		if [ "$part" = here ]; then
			rename_counts
		else
			# one for each test, with zeroes between
			tar -C "$counts/$part" --ignore-zeros -xf "$logs/$part/coverage.tar" 2>/dev/null || say "nothing came from $part"
		fi
	done
}

rename_counts() {
	local dir
	for dir in "$logs"/here/counts-*; do
		mv "$dir" "$counts/here/${dir##*/counts-}"
	done
}

# say_objects DIRECTORY ROOT SUFFIX: what gcov says of the objects there, whose sources are
# below the root
say_objects() {
	(cd "$1" && gcov --branch-probabilities --branch-counts --stdout --relative-only --source-prefix "$2" -- *."$3" 2>>"$logs/gcov")
}

# notes_for PART: where the compiler left its notes of it
notes_for() {
	case $1 in
	module) echo "$coverage_dir/src/module" ;;
	*) echo "$coverage_dir/$1" ;;
	esac
}

# root_for PART: of its sources, as they were compiled
root_for() {
	case $1 in
	module) echo "$coverage_dir/src" ;;
	*) echo "$top" ;;
	esac
}

# What each test has counted; gcov wants it beside the notes.
say_tests() {
	local dir part
	for dir in "$counts"/*/*; do
		echo "test ${dir##*/}"
		for part in module userlib tools/objects; do
			compgen -G "$dir/$part/*.gcda" >/dev/null || continue
			cp -l "$(notes_for $part)"/*.gcno "$dir/$part"
			say_objects "$dir/$part" "$(root_for $part)" gcda
		done
	done
}

# What no test has run at all is in the notes alone.
say_notes() {
	local part
	for part in module userlib tools/objects; do
		[ ! -d "$(notes_for $part)" ] || say_objects "$(notes_for $part)" "$(root_for $part)" gcno
	done
}

# The table, to the terminal too
report() {
	local bounds=1
	[ -z "${TESTS:-}" ] || bounds=0
	{ say_notes && say_tests; } | awk -v bounds=$bounds -v info="$coverage_dir/info" \
		-v by_test="$coverage_dir/by-test" -v missing="$coverage_dir/missing" \
		-f "$qemu_dir/coverage.awk" "$top/selftests/coverage.reasons" - | tee "$coverage_dir/table"
}

draw() {
	(cd "$top" && quietly "$logs/genhtml" genhtml --branch-coverage --no-function-coverage --legend \
		--title bufpool --output-directory "$coverage_dir/html" "$coverage_dir/info")
}

export BUFPOOL_LEAN=1
mkdir -p "$logs"
counts=$coverage_dir/counts
strip=$(tr -cd / <<<"$coverage_dir" | wc -c)
"$qemu_dir/build.sh" user stock coverage debug-coverage
"$qemu_dir/accel.sh" >/dev/null
rm -rf "$logs"/*/counts* "$logs/gcov"
built=$SECONDS
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
run_module
run_programs
run_here
wait
trap - EXIT
unpack
status=0
report || status=1
draw
echo "seconds: build $built, $(say_seconds)"
paths=("${parts[@]/#/$logs/}")
total "${paths[@]/%//counts}" || status=1
exit $status
