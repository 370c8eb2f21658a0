#!/bin/bash
# SPDX-License-Identifier: MIT
# Run the demonstration in the VM, on the stock kernel; its words come out here.

. "$(dirname "$0")/lib.sh"

# What has | in front is for people.
show_text() {
	sed -un 's/^| //p'
}

log=$build/log/demo
"$qemu_dir/build.sh" tools stock
mkdir -p "$log"
"$qemu_dir/initramfs.sh" stock "$log/initramfs" demo /nonexistent
run_vm stock "$log" show_text
if [ "$vm_status" -ne 0 ] || ! grep -q '^result demo pass ' "$log/verdict"; then
	show_console "$log/console"
	die "the demonstration failed: $(grep '^result demo' "$log/verdict" || echo "no verdict, QEMU's status is $vm_status")"
fi
