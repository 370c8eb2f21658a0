#!/bin/sh
# SPDX-License-Identifier: MIT
# A test that ends the VM.
echo 1..1
echo ok 1 first
reboot -f
