#!/bin/bash
# SPDX-License-Identifier: MIT
# Prove the harness: plant one thing that is wrong at a time, and see that the
# run, or the static check, fails with a line that names it.

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/parts.sh"

logs=$build/log/harness

# judge NAME STATUS EXPRESSION: a run must end with this status (ok or bad) and
# have printed a line that matches.
judge() {
	local name=$1 status=$2 expression=$3 got=ok line
	[ "$(cat "$logs/$name/status")" -eq 0 ] || got=bad
	line=$(grep -m 1 -E -- "$expression" "$logs/$name/out" || true)
	if [ $got = "$status" ] && [ -n "$line" ]; then
		echo 1 0 0 >"$logs/$name/proved"
		printf 'ok    %-12s %s\n' "$name" "$(tr -s ' ' <<<"$line")"
	else
		echo 0 1 0 >"$logs/$name/proved"
		printf 'FAIL  %-12s the run ended %s; expected %s and a line with "%s"\n' "$name" $got "$status" "$expression"
		sed 's/^/      /' "$logs/$name/out"
	fi
}

# prove NAME STATUS EXPRESSION COMMAND...: run the command and judge what it says
prove() {
	local name=$1 status=$2 expression=$3
	shift 3
	proofs+=("$logs/$name/proved")
	mkdir -p "$logs/$name"
	rm -f "$logs/$name/proved"
	[ "$(jobs -pr | wc -l)" -lt $at_once ] || wait -n || true
	{
		"$@" >"$logs/$name/out" 2>&1 && echo 0 >"$logs/$name/status" || echo $? >"$logs/$name/status"
		judge "$name" "$status" "$expression"
	} &
}

# plant NAME KERNEL STATUS EXPRESSION [VARIABLE=VALUE...]: run the planted test
# NAME.sh, or those of TESTS=; a few run at a time.
plant() {
	local name=$1 kernel=$2 status=$3 expression=$4 build_name
	shift 4
	build_name=$(build_of "$kernel")
	prove "$name" "$status" "$expression" \
		env TESTS="$name.sh" "$@" "$qemu_dir/suite.sh" "$kernel" "$logs/$name" "$build/$build_name/plant"
}

# run_steadily TEST...: as a part of a run does, with what it says at the end
run_steadily() {
	parts=("steady-$1")
	steady "${parts[0]}" stock "$*" "$build/stock/plant" || return
	echo "$(say_unsteady); counted: $(cat "$logs/${parts[0]}/counts")"
}

# deaths NUMBER: a file that tells plant/bin/qemu-system-x86_64 how often to die
deaths() {
	mkdir -p "$logs"
	echo "$1" >"$logs/deaths-$1"
	echo "$logs/deaths-$1"
}

# circles EXPRESSION LINE: look for circles where one.c calls two.c, which has the
# expression, and one.h includes two.h, which has the line
circles() (
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	echo 'int two(void); int one(void) { return two(); }' >"$dir/one.c"
	echo "int one(void); int two(void) { return $1; }" >"$dir/two.c"
	echo '#include "two.h"' >"$dir/one.h"
	echo "$2" >"$dir/two.h"
	for name in one two; do
		gcc -c -o "$dir/$name.o" "$dir/$name.c" || return
	done
	"$qemu_dir/circles.sh" "$dir" "$dir" && echo 'no circle'
)

# race_of STACK STACK: what is said of a race of two accesses with these stacks, whose frames
# have commas between them
race_of() {
	{
		echo 'BUG: KCSAN: data-race in one / two'
		printf 'read to 0x1 of 8 bytes by task 1 on cpu 0:\n %s\n' "${@//,/$'\n' }"
		echo 'Reported by Kernel Concurrency Sanitizer on:'
	} | sed 's/^/3,1,1,-;/' | awk -f "$qemu_dir/guest/kernel.awk" | sed -n '1s/^$/no trouble/; 1p'
}

"$qemu_dir/build.sh" stock debug stock-plant debug-plant
"$qemu_dir/accel.sh" >/dev/null
proofs=()
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
plant good stock ok '^stock +ok +good.sh +2 passed'
plant memory_leak debug bad '^debug +FAIL +kmemleak .*unreferenced object'
plant failing stock bad '^stock +FAIL +failing.sh .*exit status 1: second'
plant lying stock bad '^stock +FAIL +lying.sh .*exited with 0 although these failed: second'
plant early stock bad '^stock +FAIL +early.sh .*exited early: 1 of 3'
plant silent stock bad '^stock +FAIL +silent.sh .*no plan'
plant hanging stock bad '^stock +FAIL +hanging.sh .*timed out after 3 s' BUFPOOL_TIMEOUT=3
plant stuck stock bad '^stock +FAIL +stuck.sh .*deadline' BUFPOOL_DEADLINE=45
plant poweroff stock bad '^stock +FAIL +poweroff.sh .*the VM ended early'
plant warning stock bad '^stock +FAIL +warning.sh .*WARNING: .*plant_init'
plant slab_leak stock bad '^stock +FAIL +slab_leak.sh .*slabinfo: bufpool_planted'
plant imbalance stock bad '^stock +FAIL +imbalance.sh .*slabs are lost: .*planted: 2'
plant dies_once stock ok '^stock +note +boot .*planted: .*; trying once more' TESTS=good.sh \
	PATH="$qemu_dir/plant/bin:$PATH" PLANTED_DEATHS="$(deaths 1)"
plant dies_twice stock bad '^stock +FAIL +the VM +QEMU failed with status 1: planted' TESTS=good.sh \
	PATH="$qemu_dir/plant/bin:$PATH" PLANTED_DEATHS="$(deaths 2)"
plant patched stock bad '^stock +note +patched.sh +the emulator.s fault: .*int3.*; trying once more' BUFPOOL_ACCEL=tcg
plant mute stock bad '^stock +FAIL +mute.sh .*no sign of life for 30 s' BUFPOOL_SILENCE=30 BUFPOOL_ACCEL=tcg
plant unseen stock bad '^stock +note +unseen.sh +the emulator.s fault: a processor never saw .*; trying once more' \
	BUFPOOL_ACCEL=tcg
plant unbootable stock bad '^stock +FAIL +the VM +the VM ended early: Kernel panic' TESTS=good.sh \
	BUFPOOL_APPEND=rdinit=/none
plant preempt preempt ok '^preempt +ok +preemption +1 passed' TESTS=good.sh
plant not_preempt preempt bad '^preempt +FAIL +preemption .*preempt=full was asked for' TESTS=good.sh \
	BUFPOOL_APPEND=preempt=none
prove steady_again ok '^unsteady: unsteady.sh .*failed, and passed once more.*; counted: 4 0 0 ' run_steadily unsteady.sh good.sh
prove steady_failing bad '^stock +FAIL +failing.sh' run_steadily failing.sh good.sh
prove steady_warning bad '^stock +FAIL +warning.sh' run_steadily warning.sh good.sh
prove race ok '^BUG: KCSAN' race_of 'two+0x1/0x2' 'one+0x1/0x2 [bufpool]'
prove race_by_tree ok '^BUG: KCSAN' race_of 'rb_erase+0x1/0x2,one+0x1/0x2 [bufpool]' 'two+0x1/0x2'
prove race_below ok '^no trouble$' race_of 'two+0x1/0x2,one+0x1/0x2 [bufpool]' 'two+0x1/0x2'
prove no_circle ok '^no circle$' circles 2 ''
prove sources bad '^  two.c -> one.c: one$' circles 'one()' ''
prove headers bad '^  two.h -> one.h: #include$' circles 2 '#include "one.h"'
wait
trap - EXIT
total "${proofs[@]}"
