#!/bin/bash
# SPDX-License-Identifier: MIT
# Print the frequency of this machine's time stamp counter in kHz; it is good
# until the machine reboots.

. "$(dirname "$0")/lib.sh"

find_out() {
	gcc -O2 -Wall -Wextra -o "$1/tsc" "$qemu_dir/tsc.c" || die "could not compile $qemu_dir/tsc.c"
	"$1/tsc" >"$1/khz"
}

name=tsc-$(cat /proc/sys/kernel/random/boot_id)
once "$name" find_out
cat "$cache/$name/khz"
