#!/bin/bash
# SPDX-License-Identifier: MIT
# Count the instructions of every call, in a VM whose clock is its instruction
# counter, on the stock kernel. Prints a table; build/bench/vm.csv has the counts.

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

csv=$build/bench/vm.csv
log=$build/log/bench

# Every line that the program prints is a name and a count, and the last is "end".
take_counts() {
	local name count
	while read -r name count; do
		if [ "$name" = end ]; then
			ended=1
		elif [[ $count =~ ^[0-9.]+$ ]]; then
			echo "$name,$count" >>"$csv.part"
		else
			echo "$name $count" >>"$log/said"
		fi
	done
}

"$qemu_dir/build.sh" bench stock
mkdir -p "$log"
"$qemu_dir/initramfs.sh" stock "$log/initramfs" bench "$build/bench/guest"
echo 'name,count' >"$csv.part"
: >"$log/said"
ended=
export BUFPOOL_ACCEL=count BUFPOOL_DEADLINE=${BUFPOOL_DEADLINE:-900}
run_vm stock "$log" take_counts
cat "$log/said" >&2
if [ -z "$ended" ]; then
	show_console "$log/console" >&2
	die "the count did not come to its end (QEMU's status is $vm_status; what there is of it: $csv.part)"
fi
mv "$csv.part" "$csv"
awk -F, -f "$top/bench/vm/family.awk" -f "$top/bench/vm/table.awk" "$csv"
