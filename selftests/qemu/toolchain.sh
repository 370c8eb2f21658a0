#!/bin/bash
# SPDX-License-Identifier: MIT
# Run a command with the compiler of one of Debian's releases, which its kernels' headers
# want: here, or in a root of that release below the cache. Needs no root, but user
# namespaces. The project and the cache are where they are, in there too.
#
# usage: toolchain.sh RELEASE COMMAND [ARG...]

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/archive.sh"

# what compiling a module, or a kernel, takes
packages=gcc,make,bc,bison,flex,cpio,kmod,perl,python3-minimal,rsync,xz-utils,libelf-dev,libssl-dev,libc6-dev,gcc-aarch64-linux-gnu,libc6-dev-arm64-cross

make_root() {
	local dir=$1 release=$2
	need_space 3000
	use_suite amd64 "$release" "$release"
	say "making a root of $release, for its compiler; once"
	mkdir -p "$dir/root"
	mmdebstrap --quiet --variant=apt --include=$packages --aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' "$release" "$dir/root.tar" \
		<"$(dirname "$APT_CONFIG")/sources.list" >&2 ||
		die "could not make a root of $release; see above, check the network and try again"
	briefly tar -C "$dir/root" --no-same-owner --exclude='./dev/*' -xf "$dir/root.tar" ||
		die "could not unpack the root of $release; is the disk full?"
	rm "$dir/root.tar"
}

# In namespaces of its own, as their root.
enter() {
	local root=$1 dir
	shift
	for dir in "$top" "$cache" /dev; do
		mkdir -p "$root$dir"
		mount --rbind "$dir" "$root$dir"
	done
	mount -t proc proc "$root/proc"
	exec chroot "$root" env -C "$PWD" PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

release=$1
shift
if [ "$release" = "$(host_release)" ]; then
	exec "$@"
elif [ "$release" = --entered ]; then
	enter "$@"
fi
name=root-$release-$(echo $packages | sha256sum | cut -c1-12)
once "$name" make_root "$release"
user=()
[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
exec unshare "${user[@]}" --mount --pid --fork --kill-child "$0" --entered "$cache/$name/root" "$@"
