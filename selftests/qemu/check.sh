#!/bin/bash
# SPDX-License-Identifier: MIT
# Build everything, run the quick static checks, and the tests on each kernel.
# The last line says how many cases passed, failed and were skipped.
#
# usage: check.sh [stock|debug]...

. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- stock debug
"$qemu_dir/build.sh" user "$@"
"$qemu_dir/accel.sh" >/dev/null
rm -f "$build"/log/*/counts

"$qemu_dir/lint.sh" quick || true
suites=()
trap 'kill "${suites[@]}" 2>/dev/null || true' EXIT
for kernel in "$@"; do
	"$qemu_dir/suite.sh" "$kernel" "$build/log/$kernel" &
	suites+=($!)
done
wait
trap - EXIT
logs=("${@/#/$build/log/}")
total "$build/log/lint/counts" "${logs[@]/%//counts}"
