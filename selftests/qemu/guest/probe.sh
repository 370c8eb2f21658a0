# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Say that the VM runs at all.

verdict up
