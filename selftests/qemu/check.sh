#!/bin/bash
# SPDX-License-Identifier: MIT
# Build everything, run the quick static checks, the library's tests here unless
# TESTS names others, and the tests on each kernel.
# The last line says how many cases passed, failed and were skipped.
#
# usage: check.sh [KERNEL]...

. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || set -- $kernels
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

# heaviest_first TEST...: "SECONDS TEST" for each; one that nobody has measured yet
# counts as one of the middle
heaviest_first() {
	printf '%s\n' "$@" | awk '
		NR == FNR { if (!/^#/) seconds[$1] = $2; next }
		{ print ($1 in seconds ? seconds[$1] : 10), $1 }' "$qemu_dir/debug.seconds" - | sort -k 1,1nr
}

# share_out TEST...: half of the work to each, the next test to whom has less
share_out() {
	local seconds test to sum=(0 0)
	half=("" "")
	while read -r seconds test; do
		to=$((sum[0] > sum[1]))
		sum[to]=$((sum[to] + seconds))
		half[to]+=" $test"
	done < <(heaviest_first "$@")
}

# The debug kernel takes so long that two VMs share its tests.
read -ra tests <<<"${TESTS:-$(tr '\n' ' ' <"$build/selftests/tests.list")}"
for kernel in "$@"; do
	if [ "$kernel" = debug ] && [ ${#tests[@]} -gt 1 ]; then
		share_out "${tests[@]}"
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
