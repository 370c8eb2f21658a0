# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Run the tests of /etc/run one by one, judge each, and at the end what the
# module left behind. For each a line goes to the host:
#
#   start NAME
#   result NAME pass|fail|skip PASSED FAILED SKIPPED SECONDS REASON
#
# and, after everything, "end". Every test begins with a module just loaded
# with its defaults; after it the module is unloaded and its traces counted.

# What the kernel says only when something is wrong.
trouble='WARNING:|BUG:|BUG |INFO: |KASAN|UBSAN|Oops|Call Trace|possible circular|possible recursive|inconsistent lock'
trouble="$trouble|suspicious RCU|unreferenced object|blocked for more than|page allocation failure|general protection"
trouble="$trouble|stack-protector|Objects remaining|still has objects|bad usercopy|corrupt"

# Everything the kernel and the tests say, from two readers that go on all the
# time, so that a test that clears the kernel's log hides nothing.
cat /dev/kmsg >/run/kernel &
: >/run/output
tail -f /run/output >/dev/console &
marks=0

size_of() {
	stat -c %s "$1"
}

# Wait until the log's reader has come to where the kernel is now.
kernel_log_catch_up() {
	local mark tries=0
	marks=$((marks + 1))
	mark="bufpool-vm: $1 ($marks)"
	echo "$mark" >/dev/kmsg
	until tail -c 20000 /run/kernel | grep -qF "$mark"; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
		usleep 50000
	done
}

# The kernel's own messages since the test began; what programs write to the
# log has a facility, that is, a number over 7.
kernel_window() {
	tail -c +$((kernel_from + 1)) /run/kernel |
		awk '/^[0-9]+,/ && $0 + 0 < 8 { sub(/^[^;]*;/, ""); print }'
}

uptime_tenths() {
	local up
	read -r up _ </proc/uptime
	up=${up%?}
	echo "${up%.*}${up#*.}"
}

setting() {
	sed -n "s/^$1=//p" /tests/settings 2>/dev/null | tail -n 1
}

user_processes() {
	local dir pid line
	for dir in /proc/[0-9]*; do
		pid=${dir#/proc/}
		case " 1 $$ $keep " in *" $pid "*) continue ;; esac
		line=
		read -r line 2>/dev/null <"$dir/cmdline"
		[ -z "$line" ] || echo "$pid"
	done
}

# A test's children may outlive it; the next test must not meet them.
kill_leftovers() {
	local left
	left=$(user_processes)
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$left" ] || kill -9 $left 2>/dev/null
}

fail() {
	verdict_is=fail
	failed=$((failed + 1))
	reason="${reason:+$reason; }$*"
}

run_program() {
	local limit=${timeout:-$(setting timeout)}
	limit=$((${limit:-45} + ${BUFPOOL_STRESS_SECONDS:-0}))
	(
		cd /tests || exit 1
		exec timeout -k 5 "$limit" "./$1"
	) </dev/null >>/run/output 2>&1 3>&-
	status=$?
	seconds=$(($(uptime_tenths) - began))
	kill_leftovers
	if [ $seconds -ge $((limit * 10)) ] && [ $status -ne 0 ]; then
		status="timed out after $limit s"
	fi
}

# What the program itself says about its cases.
judge_program() {
	local plan words
	tail -c +$((output_from + 1)) /run/output | awk -f /guest/tap.awk >/run/tap
	{
		read -r plan passed failed skipped
		read -r words
	} </run/tap
	local done=$((passed + failed + skipped))
	case $status in
	0)
		if [ "$plan" = - ]; then
			fail "exited with 0 and had reported no plan (1..N)"
		elif [ "$plan" -ne $done ]; then
			fail "exited early: $done of $plan cases reported"
		elif [ "$failed" -gt 0 ]; then
			verdict_is=fail
			reason="exited with 0 although these failed: $words"
		fi
		;;
	4)
		verdict_is=skip
		passed=0
		skipped=$((done > 0 ? done : 1))
		[ "$failed" -eq 0 ] || fail "cases failed: $words"
		reason=${words:-$(tail -n 1 /run/output)}
		;;
	[0-9]*)
		verdict_is=fail
		reason="exit status $status${words:+: $words}"
		[ "$failed" -gt 0 ] || failed=1
		;;
	*)
		fail "$status${words:+ ($words)}; its last line: $(tail -n 1 /run/output)"
		;;
	esac
}

# Unload, and look for what should be gone with the module.
judge_unload() {
	local line
	if module_loaded && ! unload_module; then
		fail "the module does not unload: $(cat /run/rmmod)"
		return
	fi
	kernel_log_catch_up "end of $1" || fail "the kernel's log was lost"
	line=$(grep -o 'bufpool[^ ]*' /proc/slabinfo | tr '\n' ' ')
	[ -z "$line" ] || fail "left in /proc/slabinfo: $line"
	[ ! -e /dev/bufpool ] || fail "/dev/bufpool is left"
	line=$(kernel_window | grep 'slabs created')
	[ -n "$line" ] || fail "the module did not say at unload how many slabs it created"
	line=$(echo "$line" | sed -n 's/.*bufpool: \(.* \([0-9]*\) slabs created, \([0-9]*\) destroyed\).*/\2 \3 \1/p' |
		awk '$1 != $2' | cut -d ' ' -f 3- | head -n 1)
	[ -z "$line" ] || fail "slabs are lost: $line"
}

judge_kernel_log() {
	local line
	line=$(kernel_window | grep -E "$trouble" | head -n 1)
	[ -z "$line" ] || fail "kernel log: $line"
}

report() {
	verdict "result $1 $verdict_is $passed $failed $skipped $((seconds / 10)).$((seconds % 10)) $reason"
	[ $verdict_is = fail ] || return
	verdict "| --- $1: the end of its output"
	tail -c +$((output_from + 1)) /run/output | tail -n 30 | sed 's/^/| /' >&3
	verdict "| --- $1: the end of the kernel's messages"
	kernel_window | tail -n 40 | sed 's/^/| /' >&3
}

# judge NAME STEP...: run the steps, which call fail, and report
judge() {
	local name=$1 step
	shift
	verdict_is=pass passed=0 failed=0 skipped=0 reason='' status=0
	verdict "start $name"
	kernel_from=$(size_of /run/kernel)
	output_from=$(size_of /run/output)
	kernel_log_catch_up "start of $name" || fail "the kernel's log was lost"
	began=$(uptime_tenths)
	seconds=0
	for step in "$@"; do
		$step "$name"
	done
	[ $seconds -gt 0 ] || seconds=$(($(uptime_tenths) - began))
	report "$name"
}

load_or_fail() {
	load_module >>/run/output 2>&1 || {
		fail "insmod refused the module: $(tail -n 1 /run/output)"
		return 1
	}
}

run_test() {
	load_or_fail || return
	run_program "$1"
	judge_program
	judge_unload "$1"
	judge_kernel_log
}

# The last word, after all tests: the module comes and goes.
run_unload() {
	load_or_fail || return
	[ -c /dev/bufpool ] || fail "no /dev/bufpool after insmod"
	judge_unload "$1"
	! grep -q bufpool /proc/modules || fail "/proc/modules: $(grep bufpool /proc/modules)"
	judge_kernel_log
	[ $verdict_is = fail ] || passed=1
}

# kmemleak speaks of what is older than five seconds and was the same in two
# scans.
run_kmemleak() {
	local leaks=/sys/kernel/debug/kmemleak leak
	sleep 6 &
	echo scan >$leaks || fail "kmemleak does not scan"
	wait $!
	echo scan >$leaks
	cat $leaks >>/run/output
	leak=$(grep -A 1 -m 1 'unreferenced object' $leaks | tr '\n' ' ')
	if [ -n "$leak" ]; then
		fail "kmemleak: $leak"
	else
		passed=1
	fi
}

echo scan=off >/sys/kernel/debug/kmemleak 2>/dev/null
keep=$(user_processes | tr '\n' ' ')
# shellcheck disable=SC2154 # from /etc/run
for name in $tests; do
	judge "$name" run_test
done
judge unload run_unload
[ ! -e /sys/kernel/debug/kmemleak ] || judge kmemleak run_kmemleak
# let the console have the rest of the output
sleep 1
verdict end
