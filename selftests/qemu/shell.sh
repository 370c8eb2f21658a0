#!/bin/bash
# SPDX-License-Identifier: MIT
# A shell in the VM, with the module loaded.
#
# usage: shell.sh KERNEL

. "$(dirname "$0")/lib.sh"

[ -t 0 ] || die "this is for a terminal; 'make check' runs tests"
"$qemu_dir/build.sh" user "$1"
# shellcheck disable=SC2046 # words
make_disks "$build/$1" $(cat "$build/selftests/tests.list")
"$qemu_dir/initramfs.sh" "$1" "$build/$1/shell.initramfs" shell "$build/selftests"
BUFPOOL_DISKS="${disks[*]}" exec "$qemu_dir/vm.sh" -i "$1" "$build/$1/shell.initramfs"
