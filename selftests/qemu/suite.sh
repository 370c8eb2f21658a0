#!/bin/bash
# SPDX-License-Identifier: MIT
# Run the installed tests on one kernel, in the VM, and judge what came out.
#
# usage: suite.sh KERNEL LOG_DIRECTORY [TESTS_DIRECTORY]
#
# Prints one line per test, and more where one fails. The log directory gets
# the VM's console and verdict, "counts": cases passed, failed, skipped; and, where some
# failed by their own word alone, "again": which.
# TESTS names the tests to run, else all; with BUFPOOL_BRIEF they take less random effort;
# BUFPOOL_STRESS_SECONDS is how long the races last, BUFPOOL_SEED what they do, BUFPOOL_MEETINGS how often waiters and
# blocks meet, BUFPOOL_FRAMES how many frames are written, BUFPOOL_FUZZ_* what
# the fuzzer does; BUFPOOL_TIMEOUT replaces each test's own limit,
# and BUFPOOL_SILENCE the 300 seconds after which a VM that says nothing at all is ended.
# With BUFPOOL_COVERAGE=module or programs the log directory gets what each test had
# run of them, in coverage.tar.

. "$(dirname "$0")/lib.sh"

kernel=$1 log=$2
tests_dir=${3:-$(programs_of "$(field_of "$kernel" arch)")/selftests}
preemption=$(field_of "$kernel" preempt)
passed=0 failed=0 skipped=0
# tests that failed, and what more there is than their own word: the kernel's, or a crash
failures=() troubles=0

# line RESULT TEST WORDS...
line() {
	printf '%-7s %-4s  %-12s %s\n' "$kernel" "$1" "$2" "${*:3}"
}

complain() {
	failed=$((failed + 1))
	troubles=$((troubles + 1))
	line FAIL "$@"
}

# The names in the file tests.list, which the build wrote.
choose_tests() {
	local name
	mapfile -t all <"$tests_dir/tests.list"
	tests=("${all[@]}")
	[ -z "${TESTS:-}" ] || read -ra tests <<<"$TESTS"
	for name in "${tests[@]}"; do
		[[ " ${all[*]} " = *" $name "* ]] || die "there is no test '$name'; there are: ${all[*]}"
	done
	expected=("${tests[@]}" unload)
	! is_debug "$kernel" || is_lean "$kernel" || expected+=(kmemleak)
	! finds_races "$kernel" || expected+=(races)
	[ -z "$preemption" ] || expected+=(preemption)
}

words_for() {
	local what="$1 passed"
	[ "$2" -eq 0 ] || what+=", $2 failed"
	[ "$3" -eq 0 ] || what+=", $3 skipped"
	echo "$what, $4 s"
}

take_result() {
	local name=$1 verdict=$2 p=$3 f=$4 s=$5 seconds=$6 reason=${7:-} word=ok
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$verdict" = fail ]; then
		word=FAIL
		failures+=("$name")
		[[ $reason = 'exit status 1: '* && $reason != *'; '* ]] || troubles=$((troubles + 1))
	fi
	[ "$verdict" != skip ] || word=skip
	line $word "$name" "$(words_for "$p" "$f" "$s" "$seconds")${reason:+: $reason}"
}

# Why a VM will never come to its end, if that is known: it does not even say that it is alive,
# nor its kernel anything, or that kernel waits for a processor to see what it has patched.
stuck() {
	local last
	last=$(stat -c %Y "$log/verdict" "$log/console" | sort -n | tail -n 1)
	if [ $(($(date +%s) - last)) -ge "$silence" ]; then
		echo "no sign of life for $silence s"
	elif grep -aqE 'text_poke_(bp_)?batch' "$log/console" &&
		grep -aqE 'soft lockup .* stuck for [0-9]{3,}s' "$log/console"; then
		echo "a processor never saw what the kernel had patched"
	fi
}

end_when_stuck() {
	while sleep 5 && kill -0 "$1"; do
		[ -s "$log/stuck" ] || stuck >"$log/stuck"
		[ ! -s "$log/stuck" ] || kill "$1"
	done
}

# Every line of the verdict, as it comes.
follow() {
	local kind name rest text watcher
	# shellcheck disable=SC2154 # run_vm's
	end_when_stuck "$vm" >/dev/null 2>&1 </dev/null &
	watcher=$!
	while IFS= read -r text; do
		case $text in
		'| '*)
			printf '%s\n' "${text#| }"
			continue
			;;
		esac
		read -r kind name rest <<<"$text"
		case $kind in
		start) running=$name ;;
		result)
			running=
			results+=("$name")
			# shellcheck disable=SC2086 # five words and a sentence
			set -- $rest
			take_result "$name" "$1" "$2" "$3" "$4" "$5" "${*:6}"
			;;
		end) ended=1 ;;
		esac
	done
	kill $watcher 2>/dev/null || true
}

# Its own name goes with the other disks.
add_coverage_disk() {
	rm -f "$log/coverage.tar" "$log/disk-coverage"
	truncate -s 512M "$log/coverage.tar"
	ln "$log/coverage.tar" "$log/disk-coverage"
	disks+=("$log/disk-coverage")
}

boot() {
	"$qemu_dir/initramfs.sh" "$kernel" "$log/initramfs" check "$tests_dir" "${settings[@]}"
	make_disks "$log" "${tests[@]}"
	[ -z "${BUFPOOL_COVERAGE:-}" ] || add_coverage_disk
	rm -f "$log/stuck"
	running='' ended='' results=()
	run_vm "$kernel" "$log" follow
}

out_of_time() {
	[ "$vm_status" -eq 124 ] || [ "$vm_status" -eq 137 ]
}

is_stuck() {
	[ -s "$log/stuck" ]
}

# What is wrong with the VM's end, if anything
trouble_at_end() {
	local why
	if is_stuck; then
		cat "$log/stuck"
	elif out_of_time; then
		echo "no end after $BUFPOOL_DEADLINE s, which is the deadline for the whole VM"
	elif [ "$vm_status" -ne 0 ]; then
		echo "QEMU failed with status $vm_status: $(tail -n 1 "$log/qemu")"
	elif [ -z "$ended" ]; then
		# grep reads the file itself: a tr in front of it would fail, once grep has read enough
		why=$(grep -aoE -m 1 '(WARNING:|BUG:|Kernel panic|Oops).*' "$log/console" | tr -d '\r') || true
		echo "the VM ended early: ${why:-no panic, no verdict}"
	fi
}

# Such a VM has run nothing of the project, so its end says nothing about it.
ended_before_tests() {
	[ -z "$running$ended" ] && [ ${#results[@]} -eq 0 ] && ! out_of_time && ! is_stuck
}

# Kernels patch their own code behind a breakpoint, and an emulated processor may meet the
# breakpoint when it is gone: once, which is an oops that no machine has; or for ever, with
# interrupts off, where it has kept its translation of what stood there for the while.
was_badly_emulated() {
	[ -z "$ended" ] && [ "${BUFPOOL_ACCEL:-$("$qemu_dir/accel.sh")}" = tcg ] &&
		{ is_stuck || grep -aq 'Oops: int3' "$log/console"; }
}

# once_more WHY TROUBLE: forget what there was, and boot again
once_more() {
	mv "$log/console" "$log/console-1"
	line note "${running:-boot}" "$1: $2; trying once more, the first console is $log/console-1"
	passed=0 failed=0 skipped=0 failures=() troubles=0
	boot
}

judge_end() {
	local name count trouble
	trouble=$(trouble_at_end)
	if [ -n "$trouble" ]; then
		complain "${running:-the VM}" "$trouble"
		show_console "$log/console"
	fi
	for name in "${expected[@]}"; do
		count=$(printf '%s\n' "${results[@]}" | grep -cxF "$name" || true)
		[ "$count" -eq 1 ] || [ "$name" = "$running" ] || complain "$name" "reported $count times instead of once"
	done
	[ ${#results[@]} -le ${#expected[@]} ] || complain verdict "results of tests nobody asked for: ${results[*]}"
}

mkdir -p "$log"
rm -f "$log"/{counts,again}
choose_tests
silence=${BUFPOOL_SILENCE:-300}
export BUFPOOL_DEADLINE=${BUFPOOL_DEADLINE:-$((2400 + ${BUFPOOL_STRESS_SECONDS:-0}))}
settings=(tests="${tests[*]}" timeout="${BUFPOOL_TIMEOUT:-}" preemption="$preemption" lean="${BUFPOOL_LEAN:-}"
	coverage="${BUFPOOL_COVERAGE:-}" coverage_root="$coverage_dir" GCOV_PREFIX_STRIP="$(tr -cd / <<<"$coverage_dir" | wc -c)")
for name in BUFPOOL_BRIEF BUFPOOL_STRESS_SECONDS BUFPOOL_SEED BUFPOOL_MEETINGS BUFPOOL_FRAMES BUFPOOL_MESSAGES \
	BUFPOOL_FUZZ_OPERATIONS BUFPOOL_FUZZ_SECONDS BUFPOOL_FUZZ_ROUND BUFPOOL_FUZZ_BLIND; do
	[ -z "${!name:-}" ] || settings+=("$name=${!name}")
done
boot
trouble=$(trouble_at_end)
if ended_before_tests; then
	once_more "before the first test" "$trouble"
fi
# the more is patched, the more often
for _ in 1 2; do
	! was_badly_emulated || once_more "the emulator's fault" "$(trouble_at_end)"
done
judge_end
[ $troubles -gt 0 ] || [ ${#failures[@]} -eq 0 ] || printf '%s\n' "${failures[@]}" >"$log/again"
echo "$passed $failed $skipped $SECONDS" >"$log/counts"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
