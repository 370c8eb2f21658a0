#!/bin/bash
# SPDX-License-Identifier: MIT
# Print kvm where QEMU can use it, else tcg. That /dev/kvm exists proves
# little (inside some virtual machines a guest never gets past its firmware),
# so a kernel is booted once; the answer is good until this machine reboots.

. "$(dirname "$0")/lib.sh"

kvm_boots() {
	local dir=$1
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	"$qemu_dir/initramfs.sh" stock "$dir/initramfs" probe /nonexistent
	# the braces take what this shell says of a QEMU that crashes
	{ BUFPOOL_ACCEL=kvm BUFPOOL_DEADLINE=10 "$qemu_dir/vm.sh" stock "$dir/initramfs" "$dir" || true; } >"$dir/log" 2>&1
	grep -q up "$dir/verdict" 2>/dev/null
}

find_out() {
	local answer=tcg
	mkdir -p "$1/probe"
	if kvm_boots "$1/probe"; then
		answer=kvm
	fi
	rm -rf "$1/probe"
	echo $answer >"$1/answer"
}

name=accel-$(cat /proc/sys/kernel/random/boot_id)
once "$name" find_out
cat "$cache/$name/answer"
