#!/bin/sh
# SPDX-License-Identifier: MIT
# A test that fails, and says so.
echo 1..2
echo ok 1 first
echo not ok 2 second
exit 1
