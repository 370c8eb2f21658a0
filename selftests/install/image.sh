#!/bin/bash
# SPDX-License-Identifier: MIT
# Provide a Debian to install packages in: a disk, its kernel and its initial file
# system, below the cache directory. mmdebstrap makes it, as root, or as anybody
# who may make user namespaces.
#
# usage: image.sh SUITE
#
# Prints a directory, which holds disk, vmlinuz and initrd. On the disk are the
# compiler, dkms, and the headers of its kernel; in apt's cache are these headers
# once more, and the backported kernel, so that the VM needs no network. What runs
# after a boot is "run" on the second disk, if there is one.

. "$(dirname "$0")/../qemu/lib.sh"
# shellcheck source=../qemu/archive.sh
. "$qemu_dir/archive.sh"

here=$(cd "$(dirname "$0")" && pwd)

packages=systemd-sysv,udev,dbus,kmod,initramfs-tools,linux-image-amd64,linux-headers-amd64
packages+=,dkms,gcc,make,libc6-dev,python3,pkg-config,man-db,bash-completion,adduser,passwd,psmisc,procps,xz-utils

# The hooks are given as text and files by mmdebstrap itself, because nothing that
# belongs to this user needs to be within reach of the namespace's root.
make_image() {
	local dir=$1 suite=$2 unit=install-check.service
	need_space 8000
	say "making a Debian $suite to install in; some minutes, once"
	write_sources "$suite" "$suite-backports" >"$dir/sources.list"
	SUITE=$suite quietly "$dir/log" mmdebstrap --variant=apt --include="$packages" \
		--skip=cleanup/apt,cleanup/reproducible \
		--essential-hook="$(cat "$here/setup.sh")" \
		--customize-hook="upload $here/guest/$unit /etc/systemd/system/$unit" \
		--customize-hook="$(cat "$here/customize.sh")" \
		--customize-hook="download /vmlinuz $dir/vmlinuz" --customize-hook="download /initrd.img $dir/initrd" \
		--format=ext2 --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$dir/disk" "$dir/sources.list"
	# room for what is installed
	truncate -s 6G "$dir/disk"
	quietly "$dir/log" resize2fs "$dir/disk"
}

[ $# -eq 1 ] || die "usage: image.sh SUITE"
recipe=$(cat "$0" "$here/setup.sh" "$here/customize.sh" "$here/guest/install-check.service" | sha256sum | cut -c1-12)
# not both behind one lock
name=$1-install-$recipe
once "$name" make_image "$1"
echo "$cache/$name"
