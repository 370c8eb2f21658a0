#!/bin/bash
# SPDX-License-Identifier: MIT
# Time rents beside processes that get little CPU time, on the stock kernel as it comes
# and fully preemptible. Prints a table, also into build/bench/strangers.txt. It is to be
# read; nothing passes or fails by it.

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

guest=$build/bench/strangers
log=$build/log/strangers
times=$log/times

# Every line that the program prints is a name and three numbers, and the last is "end".
take_times() {
	local beside rents mean worst
	while read -r beside rents mean worst; do
		if [ "$beside" = end ]; then
			ended=1
		elif [[ "$rents $mean $worst" =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]]; then
			echo "$kernel $beside $rents $mean $worst" >>"$times"
		else
			say "$beside $rents $mean $worst"
		fi
	done
}

# time_rents NAME ARGUMENT: boot the kernel with that argument
time_rents() {
	kernel=$1 ended=
	"$qemu_dir/initramfs.sh" stock "$log/initramfs" strangers "$guest"
	BUFPOOL_APPEND=$2 run_vm stock "$log" take_times
	[ -n "$ended" ] && return
	show_console "$log/console" >&2
	die "the program did not come to its end (QEMU's status is $vm_status)"
}

"$qemu_dir/build.sh" stock
mkdir -p "$guest" "$log"
quietly "$log/build" make -C "$top/bench/strangers" O="$guest"
: >"$times"
time_rents stock preempt=voluntary
time_rents preempt=full preempt=full
awk -f "$top/bench/strangers/table.awk" "$times" | tee "$build/bench/strangers.txt"
