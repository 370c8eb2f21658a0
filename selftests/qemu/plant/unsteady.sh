#!/bin/sh
# SPDX-License-Identifier: MIT
# A test that fails beside another, and passes when it runs alone.
echo 1..1
if grep -q good.sh /etc/run; then
	echo not ok 1 alone
	exit 1
fi
echo ok 1 alone
