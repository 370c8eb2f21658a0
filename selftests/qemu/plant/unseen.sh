#!/bin/sh
# SPDX-License-Identifier: MIT
# The kernel says what it does where an emulated processor goes round at a breakpoint.
echo TAP version 13
echo 1..1
echo "watchdog: BUG: soft lockup - CPU#0 stuck for 104s! [planted:1]" >/dev/kmsg
echo "text_poke_bp_batch+0x1/0x2" >/dev/kmsg
sleep 600
