# SPDX-License-Identifier: MIT
# shellcheck shell=busybox
# Say that the VM runs at all.

verdict up
