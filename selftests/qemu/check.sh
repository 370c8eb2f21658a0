#!/bin/bash
# SPDX-License-Identifier: MIT
# Build everything, run the quick static checks, the library's tests here unless
# TESTS names others, and the tests on each kernel.
# The last line says how many cases passed, failed and were skipped.
#
# usage: check.sh [stock|debug]...

. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- stock debug
"$qemu_dir/build.sh" user library "$@"
"$qemu_dir/accel.sh" >/dev/null
rm -f "$build"/log/*/counts

"$qemu_dir/lint.sh" quick || true
suites=() logs=("$build/log/lint")
if [ -z "${TESTS:-}" ]; then
	"$qemu_dir/library.sh" "$build/log/library" || true
	logs+=("$build/log/library")
fi
trap 'kill "${suites[@]}" 2>/dev/null || true' EXIT

# start KERNEL LOG TEST...: run these tests in a VM of their own
start() {
	TESTS="${*:3}" "$qemu_dir/suite.sh" "$1" "$build/log/$2" &
	suites+=($!)
	logs+=("$build/log/$2")
}

# The debug kernel takes so long that two VMs share its tests.
read -ra tests <<<"${TESTS:-$(tr '\n' ' ' <"$build/selftests/tests.list")}"
for kernel in "$@"; do
	if [ "$kernel" = debug ] && [ ${#tests[@]} -gt 1 ]; then
		half=([0]="" [1]="")
		for i in "${!tests[@]}"; do
			half[i % 2]+=" ${tests[i]}"
		done
		# shellcheck disable=SC2086 # words
		start debug debug ${half[0]}
		# shellcheck disable=SC2086 # words
		start debug debug-2 ${half[1]}
	else
		start "$kernel" "$kernel" "${tests[@]}"
	fi
done
wait
trap - EXIT
total "${logs[@]/%//counts}"
