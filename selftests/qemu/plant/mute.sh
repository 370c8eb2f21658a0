#!/bin/sh
# SPDX-License-Identifier: MIT
# The VM says nothing any more, not even that it is alive.
echo TAP version 13
echo 1..1
kill -STOP "$(cat /run/heart)"
sleep 600
