#!/bin/sh
# SPDX-License-Identifier: MIT
# A test that passes while fewer slabs are destroyed than were created.
echo 1..1
insmod ./plant_balance.ko && rmmod plant_balance
echo ok 1 first
