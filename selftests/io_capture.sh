#!/bin/sh
# SPDX-License-Identifier: MIT
# The kernel's virtual camera writes into rented blocks, by dma-buf: the picture is the one
# that it has without. capture_dmabuf of the examples.

. "$(dirname "$0")/tap.sh"

frames=8

# The lower half of frame NR of a file: a test picture. The upper half has a clock in it.
lower_half() {
	dd if="$1" bs="$half" skip=$((2 * $2 + 1)) count=1 2>/dev/null | sha256sum
}


# by read(2), which has one whole frame a call
without() {
	dd if=/dev/video0 of="$work/without" bs=16M count=1 2>/dev/null
	half=$(($(stat -c %s "$work/without") / 2))
	[ $half -gt 0 ] && sum=$(lower_half "$work/without" 0)
}

captured() {
	capture_dmabuf /dev/video0 $frames >"$work/frames" &&
		same "the size" "$(stat -c %s "$work/frames")" $((2 * half * frames))
}

all_alike() {
	nr=0
	while [ $nr -lt $frames ]; do
		same "the sum of frame $nr" "$(lower_half "$work/frames" $nr)" "$sum" || return
		nr=$((nr + 1))
	done
}

need_commands capture_dmabuf
[ -c /dev/video0 ] || skip_all "there is no /dev/video0"
echo "TAP version 13"
test_case "a frame without blocks" without
test_case "frames in blocks" captured
test_case "they have the same picture" all_alike
test_case "once more, in the same blocks" captured
test_end
