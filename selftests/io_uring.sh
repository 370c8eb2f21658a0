#!/bin/sh
# SPDX-License-Identifier: MIT
# A file is copied past the page cache by io_uring, through several rented blocks at a time,
# and is the same afterwards: copy_uring of the examples.

. "$(dirname "$0")/tap.sh"

need_commands copy_uring mount
echo "TAP version 13"
for file_system in ext4 xfs; do
	copies_on copy_uring $file_system
done
test_end
