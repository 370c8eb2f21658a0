#!/bin/bash
# SPDX-License-Identifier: MIT
# Count the instructions of every call, in a VM whose clock is its instruction
# counter, on the stock kernel. Prints a table; build/bench/vm.csv has the counts, and
# instructions.handover.md those of messages from process to process, with pictures.
#
# With BENCH_CASES="a b" from the environment, names of bench/vm/main.c, only these; the counts
# are in vm-some.csv then.

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

csv=$build/bench/vm${BENCH_CASES:+-some}.csv
handover=$build/bench/instructions.handover
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

handover_questions() {
	cat <<-'EOF'
		instructions-1 One message on its way at a time, a word in every page
		instructions-64 64 messages on their way at a time, a word in every page
		instructions-word One message on its way at a time, a word in its first page
	EOF
}

# A table and a picture for each of them
show_handover() {
	local name title
	awk -f "$top/bench/vm/handover.awk" "$csv" >"$handover.csv"
	while read -r name title; do
		printf '### Instructions: %s\n\n' "$title"
		awk -v show=count -v question="$name" -f "$top/bench/native/table.awk" "$handover.csv"
		echo
	done < <(handover_questions) >"$handover.md"
	! command -v gnuplot >/dev/null ||
		handover_questions | "$top/bench/native/pictures.sh" "$handover.csv" "$build/bench" instructions
}

"$qemu_dir/build.sh" bench stock
mkdir -p "$log"
"$qemu_dir/initramfs.sh" stock "$log/initramfs" bench "$build/bench/guest" cases="${BENCH_CASES:-}"
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
show_handover
awk -F, -f "$top/bench/vm/family.awk" -f "$top/bench/vm/table.awk" "$csv"
