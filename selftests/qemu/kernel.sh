#!/bin/bash
# SPDX-License-Identifier: MIT
# Provide a kernel, from Debian's packages, below the cache directory.
#
# usage: kernel.sh KERNEL|source|clang
#
#   KERNEL  one of the table in "kernels"
#   source  the source tree alone (kselftest, checkpatch, kernel-doc)
#   clang   a tree prepared for compiling modules with clang
#
# Prints a directory. It holds: for a kernel, bzImage (whatever its architecture calls
# it), build (the tree to compile modules against), release (the version string) and,
# for one of Debian's, modules (the distribution's); for source and clang, the tree
# itself.

. "$(dirname "$0")/lib.sh"
. "$qemu_dir/archive.sh"

make_stock() {
	local dir=$1 image=$2 release headers kbuild
	need_space 1500
	release=${image#linux-image-}
	headers=linux-headers-$release
	kbuild=$(depends "$headers$foreign" 'linux-kbuild-.*' | head -n 1)
	# shellcheck disable=SC2046 # words
	download "$dir" "$image$foreign" $(depends "$image$foreign" 'linux-(binary|modules)-.*' | sed "s/\$/$foreign/") \
		"$headers$foreign" "$(depends "$headers$foreign" 'linux-headers-.*-common.*' | head -n 1)" "$kbuild"
	# The headers' Makefile and links name absolute paths: point them here.
	local final="$cache/$kernel_name"
	sed -i "s,/usr/,$final/usr/,g" "$dir/usr/src/$headers/Makefile"
	for link in scripts tools; do
		local at
		for at in "$dir/usr/src/"linux-headers-*/"$link"; do
			[ -L "$at" ] && ln -sfn "../../lib/$kbuild/$link" "$at"
		done
	done
	# With it a module's build wants the tool that made its types.
	rm -f "$dir/usr/src/$headers/vmlinux"
	[ -d "$dir/lib/modules" ] || ln -s usr/lib "$dir/lib"
	cp "$dir/boot/vmlinuz-$release" "$dir/bzImage" 2>/dev/null ||
		cp "$dir/lib/modules/$release/vmlinuz" "$dir/bzImage"
	ln -s "lib/modules/$release" "$dir/modules"
	ln -s "usr/src/$headers" "$dir/build"
	echo "$release" >"$dir/release"
}

make_source() {
	local dir=$1 package=$2
	need_space 4000
	download "$dir" "$package"
	say "unpacking $package"
	briefly tar -C "$dir" --strip-components=1 -xf "$dir/usr/src/$package.tar.xz" ||
		die "could not unpack $package; is the disk full?"
	rm -rf "${dir:?}"/usr/{src,share}
}

# is_known NAME: whether the source has such an option, of those that come and go
is_known() {
	grep -rqxE --include='Kconfig*' "(menu)?config ${1#CONFIG_}" "$source_dir"
}

# lost_options CONFIG: what vm.config and the kernel's own ask for and that has not, but for what this
# version does not know
lost_options() {
	local line
	while IFS= read -r line; do
		! is_known "${line%%=*}" || echo "$line"
	done < <(grep -hE '^CONFIG_.*=' "${configs[@]}" | grep -v '=n$' | grep -vxFf "$1")
}

configure() {
	local dir=$1
	shift
	quietly "$dir/log" "${compile[@]}" make -C "$source_dir" O="$dir/build" "$@" tinyconfig
	KCONFIG_CONFIG=$dir/build/.config quietly "$dir/log" \
		"$source_dir/scripts/kconfig/merge_config.sh" -m -O "$dir/build" "$dir/build/.config" "${configs[@]}"
	# Later versions' tinyconfig has an allocator that checks nothing, since 6.2, and
	# calls PROC_SYSCTL so, since 7.0.
	"$source_dir/scripts/config" --file "$dir/build/.config" -d SLUB_TINY -e SYSCTL
	quietly "$dir/log" "${compile[@]}" make -C "$source_dir" O="$dir/build" "$@" olddefconfig
	local lost
	lost=$(lost_options "$dir/build/.config")
	[ -z "$lost" ] || [ $# -gt 0 ] || die "${configs[*]##*/} ask for what this kernel does not grant: ${lost//$'\n'/ }"
}

make_built() {
	local dir=$1
	need_space 2000
	say "building a kernel with $config.config ($source_name); some minutes, once"
	mkdir -p "$dir/build"
	configure "$dir"
	quietly "$dir/log" "${compile[@]}" make -C "$source_dir" O="$dir/build" -j"$(nproc)" bzImage modules
	cp "$dir/build/arch/x86/boot/bzImage" "$dir/bzImage"
	"${compile[@]}" make -s -C "$source_dir" O="$dir/build" kernelrelease >"$dir/release"
	# Compiling a module needs neither the kernel's own objects nor vmlinux.
	find "$dir/build" \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \) \
		-not -path '*/scripts/*' -not -path '*/tools/*' -delete
	rm -f "$dir/build"/vmlinux* "$dir/build"/.tmp_vmlinux*
	repoint "$dir" "$kernel_name"
}

make_clang() {
	local dir=$1
	need_space 1000
	mkdir -p "$dir/build"
	configure "$dir" CC=clang
	quietly "$dir/log" make -C "$source_dir" O="$dir/build" CC=clang -j"$(nproc)" modules_prepare
	repoint "$dir" "$kernel_name"
}

# The build directory was filled under its .part name.
repoint() {
	grep -rlIF "$1" "$1/build" --include=Makefile --include='*.cmd' 2>/dev/null |
		xargs -r sed -i "s,$1,$cache/$2,g"
}

# ask_apt FILE: which package the table's is, and which version
ask_apt() {
	local name
	use_suite "$arch" "$release" "$suite"
	name=$(depends "$package$foreign" 'linux-(image|source)-[0-9].*' | head -n 1)
	[ -n "$name" ] || die "apt knows no $package of $suite; run 'apt-get update' as root and try again"
	echo "$name $(candidate "$name$foreign")" >"$1.$$"
	mv "$1.$$" "$1"
}

# Asking apt takes seconds: its answer is good until its lists change. Sets found and
# version.
find_package() {
	local answer
	make_cache
	answer=$cache/versions-$suite-$arch-$package
	[ "$answer" -nt /var/lib/apt/lists ] || ask_apt "$answer"
	read -r found version <"$answer"
}

# provide FUNCTION [ARG...]: make kernel_name, unless it is there
provide() {
	# what is there waits for nobody who makes another
	[ ! -d "$cache/$kernel_name" ] || return 0
	use_suite "$arch" "$release" "$suite"
	once "$kernel_name" "$@"
}

# provide_source: sets source_name and source_dir
provide_source() {
	source_name=source-$version
	source_dir=$cache/$source_name
	kernel_name=$source_name
	provide make_source "$found"
}

[ $# -eq 1 ] || die "usage: kernel.sh KERNEL|source|clang"
command -v apt-get >/dev/null || die "kernels come from Debian's packages, and this machine has no apt-get"
[ "$(dpkg --print-architecture)" = amd64 ] || die "the VM is an amd64 machine; this one is $(dpkg --print-architecture)"

case $1 in
source | clang) kernel=debug ;;
*) kernel=$1 ;;
esac
arch=$(field_of "$kernel" arch)
release=$(field_of "$kernel" release)
suite=$(field_of "$kernel" suite)
package=$(field_of "$kernel" package)
config=$(field_of "$kernel" config)
foreign=
[ "$arch" = amd64 ] || foreign=:$arch
compile=("$qemu_dir/toolchain.sh" "$release")
find_package
if [ "$package" != linux-source ]; then
	kernel_name=$arch-$found-$version
	provide make_stock "$found"
else
	provide_source
	# Raise the recipe's number when what make_built or make_clang does changes.
	recipe=1
	configs=("$qemu_dir/vm.config" "$qemu_dir/$config.config")
	config_hash=$( (echo $recipe && cat "${configs[@]}") | sha256sum | cut -c1-12)
	case $1 in
	source) ;;
	clang)
		kernel_name=clang-$version-$config_hash
		provide make_clang
		;;
	*)
		kernel_name=$config-$version-$config_hash
		provide make_built
		;;
	esac
fi
echo "$cache/$kernel_name"
