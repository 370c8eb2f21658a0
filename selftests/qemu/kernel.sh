#!/bin/bash
# SPDX-License-Identifier: MIT
# Provide a kernel, from Debian's packages, below the cache directory.
#
# usage: kernel.sh stock|debug|source|clang
#
#   stock   the distribution's own kernel, as released
#   debug   the same version built here with debug.config
#   source  the source tree alone (kselftest, checkpatch, kernel-doc)
#   clang   a tree prepared for compiling modules with clang
#
# Prints a directory. It holds: for stock and debug, bzImage, build (the tree
# to compile modules against), release (the version string) and, for stock,
# modules (the distribution's); for source and clang, the tree itself.

. "$(dirname "$0")/lib.sh"

apt_depends() {
	apt-cache depends "$1" 2>/dev/null | sed -n "s/^ *|\\?Depends: \\($2\\)\$/\\1/p" | head -n 1
}

candidate() {
	apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p'
}

# download DIRECTORY PACKAGE...: fetch and unpack, touching nothing installed
download() {
	local dir=$1 tmp
	shift
	tmp=$dir/.deb
	mkdir -p "$tmp"
	say "fetching $*"
	(cd "$tmp" && apt-get -q=2 -o APT::Sandbox::User=root download "$@") >&2 ||
		die "could not fetch $*; check the network, run 'apt-get update' as root, and try again"
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || die "could not unpack ${deb##*/}; is the disk full?"
	done
	rm -rf "$tmp"
}

make_stock() {
	local dir=$1 image=$2 release=${2#linux-image-} headers kbuild
	headers=linux-headers-$release
	kbuild=$(apt_depends "$headers" 'linux-kbuild-.*')
	download "$dir" "$image" "$headers" \
		"$(apt_depends "$headers" 'linux-headers-.*-common')" "$kbuild"
	# The headers' Makefile and links name absolute paths: point them here.
	local final="$cache/$stock_name"
	sed -i "s,/usr/,$final/usr/,g" "$dir/usr/src/$headers/Makefile"
	for link in scripts tools; do
		local at
		for at in "$dir/usr/src/"linux-headers-*/"$link"; do
			[ -L "$at" ] && ln -sfn "../../lib/$kbuild/$link" "$at"
		done
	done
	cp "$dir/boot/vmlinuz-$release" "$dir/bzImage"
	[ -d "$dir/lib/modules" ] || ln -s usr/lib "$dir/lib"
	ln -s "lib/modules/$release" "$dir/modules"
	ln -s "usr/src/$headers" "$dir/build"
	echo "$release" >"$dir/release"
}

make_source() {
	local dir=$1 package=$2
	download "$dir" "$package"
	say "unpacking $package"
	tar -C "$dir" --strip-components=1 -xf "$dir/usr/src/$package.tar.xz" ||
		die "could not unpack $package; is the disk full?"
	rm -rf "${dir:?}"/usr/{src,share}
}

configure() {
	local dir=$1
	shift
	quietly "$dir/log" make -C "$source_dir" O="$dir/build" "$@" tinyconfig
	KCONFIG_CONFIG=$dir/build/.config quietly "$dir/log" \
		"$source_dir/scripts/kconfig/merge_config.sh" -m -O "$dir/build" "$dir/build/.config" "$qemu_dir/debug.config"
	quietly "$dir/log" make -C "$source_dir" O="$dir/build" "$@" olddefconfig
	local lost
	lost=$(grep -E '^CONFIG_.*=' "$qemu_dir/debug.config" | grep -v '=n$' |
		grep -vxFf "$dir/build/.config" || true)
	[ -z "$lost" ] || [ $# -gt 0 ] || die "debug.config asks for what this kernel does not grant: ${lost//$'\n'/ }"
}

make_debug() {
	local dir=$1
	say "building a debug kernel ($source_name); some minutes, once"
	mkdir -p "$dir/build"
	configure "$dir"
	quietly "$dir/log" make -C "$source_dir" O="$dir/build" -j"$(nproc)" bzImage modules
	cp "$dir/build/arch/x86/boot/bzImage" "$dir/bzImage"
	make -s -C "$source_dir" O="$dir/build" kernelrelease >"$dir/release"
	# Compiling a module needs neither the kernel's own objects nor vmlinux.
	find "$dir/build" \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \) \
		-not -path '*/scripts/*' -not -path '*/tools/*' -delete
	rm -f "$dir/build"/vmlinux* "$dir/build"/.tmp_vmlinux*
	repoint "$dir" "$debug_name"
}

make_clang() {
	local dir=$1
	mkdir -p "$dir/build"
	configure "$dir" CC=clang
	quietly "$dir/log" make -C "$source_dir" O="$dir/build" CC=clang -j"$(nproc)" modules_prepare
	repoint "$dir" "$clang_name"
}

# The build directory was filled under its .part name.
repoint() {
	grep -rlIF "$1" "$1/build" --include=Makefile --include='*.cmd' 2>/dev/null |
		xargs -r sed -i "s,$1,$cache/$2,g"
}

# ask_apt FILE: which packages the kernel and its source are in, and versions
ask_apt() {
	local image source_package
	image=$(apt_depends linux-image-amd64 'linux-image-.*')
	source_package=$(apt_depends linux-source 'linux-source-.*')
	if [ -z "$image" ] || [ -z "$source_package" ]; then
		die "apt knows no linux-image-amd64 or linux-source; run 'apt-get update' as root and try again"
	fi
	make_cache
	echo "$image $(candidate "$image") $source_package $(candidate "$source_package")" >"$1.$$"
	mv "$1.$$" "$1"
}

[ $# -eq 1 ] || die "usage: kernel.sh stock|debug|source|clang"
command -v apt-get >/dev/null || die "kernels come from Debian's packages, and this machine has no apt-get"
[ "$(dpkg --print-architecture)" = amd64 ] || die "the VM is an amd64 machine; this one is $(dpkg --print-architecture)"

# Asking apt takes seconds: its answer is good until its lists change.
versions=$cache/versions
[ "$versions" -nt /var/lib/apt/lists ] || ask_apt "$versions"
read -r image image_version source_package version <"$versions"
stock_name=stock-$image-$image_version
source_name=source-$version
source_dir=$cache/$source_name
# Raise the recipe's number when what make_debug or make_clang does changes.
recipe=1
config_hash=$( (echo $recipe && cat "$qemu_dir/debug.config") | sha256sum | cut -c1-12)
debug_name=debug-$version-$config_hash
clang_name=clang-$version-$config_hash

case $1 in
stock)
	[ -d "$cache/$stock_name" ] || need_space 1500
	once "$stock_name" make_stock "$image"
	echo "$cache/$stock_name"
	;;
source | debug | clang)
	[ -d "$source_dir" ] || need_space 4000
	once "$source_name" make_source "$source_package"
	case $1 in
	source) echo "$source_dir" ;;
	debug)
		once "$debug_name" make_debug
		echo "$cache/$debug_name"
		;;
	clang)
		once "$clang_name" make_clang
		echo "$cache/$clang_name"
		;;
	esac
	;;
*)
	die "unknown kernel '$1': stock, debug, source or clang"
	;;
esac
