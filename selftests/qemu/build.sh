#!/bin/bash
# SPDX-License-Identifier: MIT
# Build what goes into the VM, below build/, touching only what changed.
#
# usage: build.sh user|plant|KERNEL...
#
#   user    the library, the tools and the installed selftests
#   KERNEL  stock or debug: the module for that kernel, and the selftests' own
#           modules, if there are any, in build/KERNEL/*.ko
#   plant   the modules and programs that prove the harness

. "$(dirname "$0")/lib.sh"

# Sources are copied, because kernels before 6.13 build a module only where
# its source is. What the build made stays, what vanished goes.
mirror() {
	rsync -a --delete --exclude='.*' --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='*.a' --exclude=modules.order --exclude=Module.symvers "$@"
}

# kbuild KERNEL DIRECTORY: compile the modules in a directory below build/KERNEL
kbuild() {
	quietly "$build/log/build-$1" make -s -C "$("$qemu_dir/kernel.sh" "$1")/build" M="$2" -j"$(nproc)" modules
	find "$2" -name '*.ko' -exec cp -u -t "$build/$1" {} +
}

build_module() {
	local kernel=$1 dir=$build/$1/src
	mkdir -p "$dir"
	mirror "$top/Kbuild" "$top/module" "$top/uapi" "$dir"
	kbuild "$kernel" "$dir"
	if [ -d "$top/selftests/probe" ]; then
		mirror "$top/selftests/probe" "$build/$kernel"
		kbuild "$kernel" "$build/$kernel/probe"
	fi
}

build_plant() {
	local kernel
	for kernel in stock debug; do
		mkdir -p "$build/$kernel"
		mirror "$qemu_dir/plant" "$build/$kernel"
		kbuild "$kernel" "$build/$kernel/plant"
	done
}

# submake DIRECTORY VARIABLE=VALUE... TARGET: for directories that are there
submake() {
	local dir=$top/$1
	shift
	[ ! -e "$dir/Makefile" ] || quietly "$build/log/build-user" make -C "$dir" -j"$(nproc)" "$@"
}

build_user() {
	local ksft
	ksft=$("$qemu_dir/kernel.sh" source)/tools/testing/selftests
	mkdir -p "$build/userlib" "$build/tools" "$build/objects" "$build/selftests"
	submake userlib O="$build/userlib"
	submake tools O="$build/tools"
	submake selftests KSFT="$ksft" OUTPUT="$build/objects" LIBBUFPOOL="$build/userlib" \
		INSTALL_PATH="$build/selftests" install
	# Installing does not take away what the Makefile no longer names.
	local file
	for file in "$build/selftests"/*; do
		[ -e "$build/objects/${file##*/}" ] || [ -e "$top/selftests/${file##*/}" ] || rm -f "$file"
	done
	make -s --no-print-directory -C "$top/selftests" KSFT="$ksft" OUTPUT="$build/objects" emit_tests |
		sed 's/.*://' >"$build/selftests/tests.list"
}

[ $# -gt 0 ] || die "usage: build.sh user|plant|KERNEL..."
mkdir -p "$build/log"
for what in "$@"; do
	case $what in
	user) build_user ;;
	plant) build_plant ;;
	stock | debug) build_module "$what" ;;
	*) die "nothing to build is called '$what'" ;;
	esac
done
