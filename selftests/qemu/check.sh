#!/bin/bash
# SPDX-License-Identifier: MIT
# Build everything, then run the quick static checks, the library's tests here
# unless TESTS names others, and the tests on each kernel.
# The last line says how many cases passed, failed and were skipped.
#
# usage: check.sh [KERNEL]...

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/parts.sh"

# shellcheck disable=SC2046 # words
[ $# -gt 0 ] || set -- $(kernels_of check)
# the programs for each architecture, and the modules
archs=$(for kernel; do field_of "$kernel" arch; done | sort -u)
# shellcheck disable=SC2046,SC2086 # words
"$qemu_dir/build.sh" $(printf 'user-%s ' $archs) library "$@"
"$qemu_dir/accel.sh" >/dev/null
rm -f "$build"/log/*/counts
built=$SECONDS

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
part lint "$qemu_dir/lint.sh" quick
[ -n "${TESTS:-}" ] || part library "$qemu_dir/library.sh" "$build/log/library"
for kernel; do
	read -ra tests <<<"${TESTS:-$(all_tests "$kernel")}"
	suites "$kernel" "${tests[@]}"
done
wait
trap - EXIT
echo "seconds: build $built, $(say_seconds)"
counts=("${parts[@]/%//counts}")
total "${counts[@]/#/$build/log/}"
