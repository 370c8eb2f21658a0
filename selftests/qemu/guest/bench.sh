# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Count what things cost, and tell the host.

load_module && /tests/count >&3
