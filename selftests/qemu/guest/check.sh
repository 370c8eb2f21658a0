# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Run the tests of /etc/run one by one, judge each, and at the end what the
# module left behind. For each a line goes to the host:
#
#   start NAME
#   result NAME pass|fail|skip PASSED FAILED SKIPPED SECONDS REASON
#
# "alive" every few seconds, and, after everything, "end". Every test begins with a module just loaded
# with its defaults; after it the module is unloaded and its traces counted.

# Everything the kernel and the tests say, from two readers that go on all the
# time, so that a test that clears the kernel's log hides nothing.
cat /dev/kmsg >/run/kernel &
: >/run/output
tail -f /run/output >/dev/console &
marks=0 keep='' loaded=''

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

# What /dev/kmsg said since the test began.
kernel_window() {
	tail -c +$((kernel_from + 1)) /run/kernel
}

# Sets now, in tenths of a second. Starting a process is slow in here, so what
# runs for every test gets along without.
look_at_clock() {
	read -r now _ </proc/uptime
	now=${now%?}
	now=${now%.*}${now#*.}
}

# Sets processes: all that programs have started and that still run.
find_processes() {
	local dir pid line
	processes=
	for dir in /proc/[0-9]*; do
		pid=${dir#/proc/}
		case " 1 $keep " in *" $pid "*) continue ;; esac
		line=
		read -r line 2>/dev/null <"$dir/cmdline"
		[ -z "$line" ] || processes="$processes $pid"
	done
}

# A test's children may outlive it; the next test must not meet them.
kill_leftovers() {
	find_processes
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$processes" ] || kill -9 $processes 2>/dev/null
}

fail() {
	verdict_is=fail
	failed=$((failed + 1))
	reason="${reason:+$reason; }$*"
}

run_program() {
	(
		cd /tests || exit 1
		exec timeout -k 5 "$limit" "./$1"
	) </dev/null >>/run/output 2>&1 3>&- 4>&-
	status=$?
	look_at_clock
	seconds=$((now - began))
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

# Unload, look for what should be gone with the module, and read what the
# kernel said all the time.
judge_kernel() {
	local trouble lost uncounted
	if ! unload_module && module_loaded; then
		fail "the module does not unload: $(cat /run/rmmod)"
	fi
	kernel_log_catch_up "end of $1" || fail "the kernel's log was lost"
	kernel_window | awk -f /guest/kernel.awk >/run/judged
	{
		read -r trouble
		read -r lost
		read -r uncounted
		cat >>/run/races
	} </run/judged
	[ -z "$trouble" ] || fail "kernel log: $trouble"
	[ -z "$lost" ] || fail "slabs are lost: $lost"
	[ -z "$uncounted" ] || fail "the module did not say at unload how many slabs it created"
	! grep -q bufpool /proc/slabinfo || fail "left in /proc/slabinfo: $(grep -o 'bufpool[^ ]*' /proc/slabinfo | tr '\n' ' ')"
	[ ! -e /dev/bufpool ] || fail "/dev/bufpool is left"
}

report() {
	verdict "result $1 $verdict_is $passed $failed $skipped $((seconds / 10)).$((seconds % 10)) $reason"
	[ $verdict_is = fail ] || return
	verdict "| --- $1: what it said"
	tail -c +$((output_from + 1)) /run/output | awk -f /guest/failure.awk >&3
	verdict "| --- $1: the end of the kernel's messages"
	kernel_window | tail -n 40 | sed 's/^[^;]*;/| /' >&3
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
	look_at_clock
	began=$now
	seconds=0
	for step in "$@"; do
		$step "$name"
	done
	look_at_clock
	[ $seconds -gt 0 ] || seconds=$((now - began))
	report "$name"
}

# load_once MODULE: one of the kernel's own; it stays
load_once() {
	case " $loaded " in
	*" $1 "*) return ;;
	esac
	insmod "/modules/$1.ko" >>/run/output 2>&1 || fail "insmod $1: $(tail -n 1 /run/output)"
	loaded="$loaded $1"
}

load_or_fail() {
	load_module >>/run/output 2>&1 || {
		fail "insmod refused the module: $(tail -n 1 /run/output)"
		return 1
	}
}

# load_needed TEST: the modules that it needs; a test that does not get all it needs is
# a skip that names what there is not
load_needed() {
	local word rest
	[ -e "/modules/of/$1" ] || return 0
	while read -r word rest; do
		case $word in
		missing) reason="${reason:+$reason, }no ${rest#the }" ;;
		*) load_once "$word" ;;
		esac
	done <"/modules/of/$1"
	[ $verdict_is = pass ] || return
	[ -n "$reason" ] || return 0
	verdict_is=skip skipped=1
	return 1
}

run_test() {
	load_needed "$1" || return
	[ -z "$coverage" ] || coverage_begin "$1"
	load_or_fail || return
	run_program "$1"
	judge_program
	judge_kernel "$1"
	[ -z "$coverage" ] || coverage_end "$1"
}

# The last word, after all tests: the module comes and goes.
run_unload() {
	load_or_fail || return
	[ -c /dev/bufpool ] || fail "no /dev/bufpool after insmod"
	judge_kernel "$1"
	! grep -q bufpool /proc/modules || fail "/proc/modules: $(grep bufpool /proc/modules)"
	[ $verdict_is = fail ] || passed=1
}

# The kernel runs as its command line asked.
run_preemption() {
	local modes=/sys/kernel/debug/sched/preempt
	# shellcheck disable=SC2154 # from /etc/run
	if grep -qF "($preemption)" $modes; then
		passed=1
	else
		fail "$modes says '$(cat $modes)', and preempt=$preemption was asked for"
	fi
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

# The kernel has looked for races all the time; what it found in its own code is said.
run_races() {
	local watched
	watched=$(sed -n 's/^setup_watchpoints: *//p' $kcsan)
	if ! grep -q '^enabled: *1' $kcsan || [ "${watched:-0}" -eq 0 ]; then
		fail "KCSAN was not on: $(head -n 3 $kcsan | tr '\n' ' ')"
		return
	fi
	passed=1
	reason="watched $watched accesses; $(wc -l </run/races) reports about the kernel's own code only"
	verdict "| --- races of the kernel's own code: how often each was reported"
	sort /run/races | uniq -c | sort -nr | sed 's/BUG: KCSAN: //; s/^/| /' >&3
}

# The first quota of processor time, and the end of the last one, have the scheduler
# patched while it runs, and an emulated processor may still meet the breakpoint that
# stood there for the while ("Oops: int3"). So one cgroup that nobody is in has a quota
# all the time.
keep_a_quota() {
	local cgroups=/sys/fs/cgroup
	grep -qw cpu $cgroups/cgroup.controllers || return
	echo +cpu >$cgroups/cgroup.subtree_control
	mkdir $cgroups/quota
	[ ! -e $cgroups/quota/cpu.max ] || echo 100000 >$cgroups/quota/cpu.max
}

# Each suspend patches what asks whether a task is to freeze, everywhere and all at once, and
# where an emulated processor takes the breakpoint for what stands there for good, all go round
# in it with interrupts off. So one old cgroup that nobody is in is frozen all the time.
keep_a_freezer() {
	local cgroups=/run/freezer
	mkdir $cgroups
	mount -t cgroup -o freezer none $cgroups 2>/dev/null || return
	mkdir $cgroups/empty
	echo FROZEN >$cgroups/empty/freezer.state
}

say_alive() {
	while :; do
		verdict alive
		sleep 5
	done
}

kcsan=/sys/kernel/debug/kcsan
: >/run/races
[ ! -e $kcsan ] || echo on >$kcsan
echo scan=off >/sys/kernel/debug/kmemleak 2>/dev/null
keep_a_quota
keep_a_freezer
say_alive &
echo $! >/run/heart
find_processes
keep=$processes
# the run's own limit, else the tests', else kselftest's
limit=${timeout:-$(sed -n 's/^timeout=//p' /tests/settings 2>/dev/null)}
limit=$((${limit:-45} + ${BUFPOOL_STRESS_SECONDS:-0}))
[ -z "$preemption" ] || judge preemption run_preemption
# shellcheck disable=SC1091,SC2154 # a path inside the VM, and from /etc/run
[ -z "$coverage" ] || . /guest/coverage.sh
# shellcheck disable=SC2154 # from /etc/run
for name in $tests; do
	judge "$name" run_test
done
judge unload run_unload
# shellcheck disable=SC2154 # from /etc/run
[ ! -e /sys/kernel/debug/kmemleak ] || [ -n "$lean" ] || judge kmemleak run_kmemleak
[ ! -e $kcsan ] || judge races run_races
# let the console have the rest of the output
sleep 1
verdict end
