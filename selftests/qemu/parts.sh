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
	part "$1" steady "$1" "$2" "${*:3}"
}

# sum_counts FIRST AGAIN: the first run's, with what failed in it passed
sum_counts() {
	local p f s seconds more
	read -r p f s seconds <"$1"
	read -r _ _ _ more <"$2"
	echo "$((p + f)) 0 $s $((seconds + more))" >"$1"
}

# steady NAME KERNEL TESTS [DIRECTORY]: a busy machine may cost a test its patience. Those that
# fail, and of which the kernel says nothing, run once more, in a VM of their own; what passes
# there is named at the end. The directory is for other tests than the installed ones.
steady() {
	local log=$logs/$1
	rm -rf "$log-again"
	! TESTS=$3 "$qemu_dir/suite.sh" "$2" "$log" "${@:4}" || return 0
	[ -s "$log/again" ] || return 1
	TESTS=$(xargs <"$log/again") "$qemu_dir/suite.sh" "$2" "$log-again" "${@:4}" || return 1
	sum_counts "$log/counts" "$log-again/counts"
	mv "$log/again" "$log/unsteady"
}

# say_unsteady: which tests passed only when they ran once more
say_unsteady() {
	local name
	for name in "${parts[@]}"; do
		[ ! -s "$logs/$name/unsteady" ] ||
			echo "unsteady: $(xargs <"$logs/$name/unsteady") ($name): failed, and passed once more; $logs/$name has what they said"
	done
}

# heaviest_first TEST...: "SECONDS TEST" for each; one that nobody has measured yet
# counts as one of the middle
heaviest_first() {
	printf '%s\n' "$@" | awk '
		NR == FNR { if (!/^#/) seconds[$1] = $2; next }
		{ print (seconds[$1] > 0 ? seconds[$1] : 10), $1 }' "$qemu_dir/tests" - | sort -k 1,1nr
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

# tests_for RUN KERNEL TEST...: those that this kernel runs, unless TESTS names them; RUN is
# "brief" (what guards every change), "rest" (what this has left to others) or "all"
tests_for() {
	local run=$1 kernel=$2 without='' only=''
	if is_debug "$kernel"; then
		without='-'
		[ "$run" != brief ] || only=core
		[ "$run" != rest ] || without+=' core slow'
	elif [ -n "$(field_of "$kernel" preempt)" ]; then
		only=meets
	elif [ "$run" = brief ]; then
		without=long
	elif [ "$run" = rest ]; then
		without=once
		[ "$(kernels_of check | grep -xF "$kernel")" = '' ] || without='' only=long
	fi
	[ -z "${TESTS:-}" ] || without='' only=''
	printf '%s\n' "${@:3}" | awk -v without="$without" -v only="$only" '
		function has(marks, word) { return index(marks " ", " " word " ") }
		NR == FNR { name = $1; sub(/^[^ ]+/, ""); marks[name] = $0; next }
		only != "" && !has(marks[$1], only) { next }
		{
			n = split(without, words, " ")
			for (i = 1; i <= n; i++)
				if (has(marks[$1], words[i]))
					next
			print
		}' "$qemu_dir/tests" - | xargs
}

# all_tests KERNEL: every test that is built for its architecture
all_tests() {
	tr '\n' ' ' <"$(programs_of "$(field_of "$1" arch)")/selftests/tests.list"
}

# suites RUN KERNEL TEST...: all that the debug kernel has takes so long that two VMs share it.
suites() {
	local run=$1 kernel=$2
	# shellcheck disable=SC2046 # words
	set -- $(tests_for "$@")
	if is_debug "$kernel" && [ "$run" != brief ] && [ $# -gt 1 ]; then
		share_out "$@"
		# shellcheck disable=SC2086 # words
		suite "$kernel" "$kernel" ${half[0]}
		# shellcheck disable=SC2086 # words
		suite "$kernel-2" "$kernel" ${half[1]}
	elif [ $# -gt 0 ]; then
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
