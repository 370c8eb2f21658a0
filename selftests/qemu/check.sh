#!/bin/bash
# SPDX-License-Identifier: MIT
# Build everything, then run static checks, the library's tests and
# fuzzer here unless TESTS names others, and the tests on each kernel.
# The last line says how many cases passed, failed and were skipped.
#
# usage: check.sh [brief|rest|KERNEL...]
#
#   brief    what guards every change: on the stock kernel each test but the long ones, with
#            an eighth of its random effort, on the debug kernel those of the core, and the quick
#            static checks
#   rest     what "brief" leaves out: these, on the debug kernel without a look for leaks, those
#            in which tasks meet with preempt=full, the newest kernel, the library's other kinds,
#            and the slow checks
#   KERNEL   all that there is for it
#
# Without a word, "brief", or, where TESTS names tests, these on the same kernels.

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/parts.sh"

run=${1:-brief}
case $run in
brief)
	# shellcheck disable=SC2046 # words
	set -- $(kernels_of check)
	kinds=$brief_kinds
	if [ -n "${TESTS:-}" ]; then
		run=all
	else
		export BUFPOOL_BRIEF=1
	fi
	;;
rest)
	# shellcheck disable=SC2046 # words
	set -- $(kernels_of check ci)
	export BUFPOOL_LEAN=1
	kinds=$(xargs -n 1 <<<"$library_kinds" | grep -vwF "$(xargs -n 1 <<<"$brief_kinds")" | xargs)
	;;
*)
	run=all
	kinds=$library_kinds
	;;
esac
# the programs for each architecture, and the modules
archs=$(for kernel; do field_of "$kernel" arch; done | sort -u)
[ -z "${TESTS:-}" ] || kinds=''
# shellcheck disable=SC2046,SC2086 # words
"$qemu_dir/build.sh" $(printf 'user-%s ' $archs) "$@" ${kinds:+$(printf 'library-%s ' $kinds)}
"$qemu_dir/accel.sh" >/dev/null
rm -f "$build"/log/*/{counts,again,unsteady}
built=$SECONDS

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
# what takes longest first, so that nothing long is left at the end
for kernel; do
	read -ra tests <<<"${TESTS:-$(all_tests "$kernel")}"
	suites "$run" "$kernel" "${tests[@]}"
done
part lint "$qemu_dir/lint.sh" "$([ "$run" = rest ] && echo slow || echo quick)"
# shellcheck disable=SC2086 # words
[ -z "$kinds" ] || part library "$qemu_dir/library.sh" "$build/log/library" $kinds
[ -z "$kinds" ] || [ "$run" = rest ] || part fuzz-library "$top/selftests/fuzz/library.sh"
wait
trap - EXIT
echo "seconds: build $built, $(say_seconds)"
say_unsteady
counts=("${parts[@]/%//counts}")
total "${counts[@]/#/$build/log/}"
