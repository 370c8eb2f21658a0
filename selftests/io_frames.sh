#!/bin/sh
# SPDX-License-Identifier: MIT
# Frames of 2160p video are written past the page cache, each in a block that is rented for
# it. BUFPOOL_FRAMES is how many.

. "$(dirname "$0")/tap.sh"

frames() {
	mount_disk ext4 && "$(dirname "$0")/frames" "$work/ext4/frame" "${BUFPOOL_FRAMES:-16}" >"$work/said" || return
	say "$(cat "$work/said")"
	umount "$work/ext4"
}

need_commands mount
echo "TAP version 13"
test_case "frames to ext4" frames
test_end
