#!/bin/sh
# SPDX-License-Identifier: MIT
# A file is copied past the page cache through a rented block, on several file systems, and
# is the same afterwards: copy_direct of the examples.

. "$(dirname "$0")/tap.sh"

need_commands copy_direct mount
echo "TAP version 13"
for file_system in ext4 xfs; do
	copies_on copy_direct $file_system
done
test_end
