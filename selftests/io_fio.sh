#!/bin/sh
# SPDX-License-Identifier: MIT
# fio writes, reads and verifies a file in a rented block, by several engines: fio_bufpool of
# the examples.

. "$(dirname "$0")/tap.sh"

library=
for dir in /tools .; do
	[ ! -e $dir/fio_bufpool.so ] || library=$dir/fio_bufpool.so
done

# run ENGINE FILE_SYSTEM DEPTH
run() {
	LD_PRELOAD=$library FIO_BUFPOOL_VERBOSE=1 fio --name=job --filename="$work/$2/file" --size=8M --bs=64k \
		--rw=randwrite --verify=sha256 --direct=1 --iomem=mmap --ioengine="$1" --iodepth="$3" \
		--randrepeat=1 --fallocate=none >"$work/said" 2>&1 && grep -q 'fio_bufpool: rented' "$work/said" && return
	sed 's/^/# /' "$work/said"
	return 1
}

runs_on() {
	if ! disk_of "$1" >/dev/null || ! grep -qw "$1" /proc/filesystems || ! mount_disk "$1"; then
		test_skip "$1" "there is no disk with it"
		return
	fi
	test_case "psync on $1" run psync "$1" 1
	test_case "libaio on $1" run libaio "$1" 8
	test_case "io_uring on $1" run io_uring "$1" 8
	umount "$work/$1"
}

need_commands fio
[ -n "$library" ] || skip_all "there is no fio_bufpool.so"
echo "TAP version 13"
for file_system in ext4 xfs; do
	runs_on $file_system
done
test_end
