#!/bin/sh
# SPDX-License-Identifier: MIT
# A case fails, and the program's status hides it.
echo 1..2
echo ok 1 first
echo not ok 2 second
