# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What runs beside each other: the tests of several kernels, and those of one in two VMs; to
# be sourced after lib.sh.

# shellcheck disable=SC2154 # set by lib.sh

logs=$build/log

# A VM of the debug kernel keeps almost a processor busy, one of the others half of
# one, and their tests wait a lot.
at_once=$(($(nproc) + 1))
parts=()

# part NAME COMMAND...: run it beside the others as soon as fewer than at_once run;
# what it counts is in NAME of the logs
part() {
	while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do
		wait -n || true
	done
	parts+=("$1")
	"${@:2}" &
}

# suite NAME KERNEL TEST...: run these tests in a VM of their own
suite() {
	part "$1" env TESTS="${*:3}" "$qemu_dir/suite.sh" "$2" "$logs/$1"
}

# heaviest_first TEST...: "SECONDS TEST" for each; one that nobody has measured yet
# counts as one of the middle
heaviest_first() {
	printf '%s\n' "$@" | awk '
		NR == FNR { if (!/^#/) seconds[$1] = $2; next }
		{ print (seconds[$1] > 0 ? seconds[$1] : 10), $1 }' "$qemu_dir/debug.seconds" - | sort -k 1,1nr
}

# share_out TEST...: half of the work to each, the next test to the half with less
share_out() {
	local seconds test to sum=(0 0)
	half=("" "")
	while read -r seconds test; do
		to=$((sum[0] > sum[1]))
		sum[to]=$((sum[to] + seconds))
		half[to]+=" $test"
	done < <(heaviest_first "$@")
}

# tests_for KERNEL TEST...: all, but those that another kernel's run is enough for, unless
# TESTS names them
tests_for() {
	local runs=all
	! is_debug "$1" || runs=debug
	[ -z "$(field_of "$1" preempt)" ] || runs=meets
	[ -z "${TESTS:-}" ] || runs=all
	printf '%s\n' "${@:2}" | awk -v runs=$runs '
		NR == FNR { if (runs == "debug" && $2 == "-" || runs == "meets" && $3 != "meets") skip[$1]; next }
		!($1 in skip)' "$qemu_dir/debug.seconds" - | xargs
}

# all_tests KERNEL: every test that is built for its architecture
all_tests() {
	tr '\n' ' ' <"$(programs_of "$(field_of "$1" arch)")/selftests/tests.list"
}

# The debug kernel takes so long that two VMs share its tests.
suites() {
	local kernel=$1
	shift
	# shellcheck disable=SC2046 # words
	set -- $(tests_for "$kernel" "$@")
	if is_debug "$kernel" && [ $# -gt 1 ]; then
		share_out "$@"
		# shellcheck disable=SC2086 # words
		suite "$kernel" "$kernel" ${half[0]}
		# shellcheck disable=SC2086 # words
		suite "$kernel-2" "$kernel" ${half[1]}
	else
		suite "$kernel" "$kernel" "$@"
	fi
}

# How long each part took
say_seconds() {
	local name seconds
	for name in "${parts[@]}"; do
		read -r _ _ _ seconds <"$logs/$name/counts" || seconds='?'
		printf '%s %s, ' "$name" "$seconds"
	done 2>/dev/null
	echo "all $SECONDS"
}
