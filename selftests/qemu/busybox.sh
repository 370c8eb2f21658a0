#!/bin/bash
# SPDX-License-Identifier: MIT
# Provide another architecture's busybox, statically linked; prints its path.
#
# usage: busybox.sh ARCH

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/archive.sh"

make_busybox() {
	download "$1" "busybox-static:$arch"
}

arch=$1
name=busybox-$arch
release=$(release_of "$arch")
[ -d "$cache/$name" ] || use_suite "$arch" "$release" "$release"
once "$name" make_busybox
ls "$cache/$name"/{,usr/}bin/busybox 2>/dev/null || true
