#!/bin/bash
# SPDX-License-Identifier: MIT
# Build what goes into the VM, below build/, touching only what changed.
#
# usage: build.sh user|library|library-KIND|bench|KERNEL|KERNEL-plant...
#
#   user           the library, the tools and the installed selftests
#   library-KIND   the library and its tests, to run here, in build/library: plain,
#                  asan (address and undefined behaviour) or tsan (threads)
#   library        all three
#   bench          the library, and the program that counts instructions in the VM
#   KERNEL         the module for that kernel, and the selftests' own modules, if there
#                  are any, in build/stock/modules or build/debug/modules
#   KERNEL-plant   what proves the harness, in plant beside modules

. "$(dirname "$0")/lib.sh"

# Sources are copied, because kernels before 6.13 build a module only where
# its source is. What the build made stays, what vanished goes.
mirror() {
	rsync -a --delete --exclude='.*' --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='*.a' --exclude=modules.order --exclude=Module.symvers "$@"
}

# kbuild KERNEL DIRECTORY: compile the modules in a directory
kbuild() {
	local kernel_dir cross=()
	kernel_dir=$("$qemu_dir/kernel.sh" "$1")
	[ "$(field_of "$1" arch)" = amd64 ] || cross=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
	quietly "$build/log/build-$1" "$qemu_dir/toolchain.sh" "$(field_of "$1" release)" \
		make -s -C "$kernel_dir/build" M="$2" -j"$(nproc)" "${cross[@]}" modules
}

build_module() {
	local kernel dir
	kernel=$(build_of "$1")
	dir=$build/$kernel
	mkdir -p "$dir/src" "$dir/modules"
	mirror "$top/Kbuild" "$top/VERSION" "$top/module" "$top/uapi" "$dir/src"
	kbuild "$kernel" "$dir/src"
	cp -u "$dir/src/module/bufpool.ko" "$dir/modules"
	[ -d "$top/selftests/probe" ] || return 0
	mirror "$top/selftests/probe" "$dir"
	kbuild "$kernel" "$dir/probe"
	cp -u "$dir"/probe/*.ko "$dir/modules"
}

# Programs and modules end in one directory, which stands for the installed tests.
build_plant() {
	local kernel dir
	kernel=$(build_of "$1")
	dir=$build/$kernel/plant
	mkdir -p "$dir"
	mirror --exclude=tests.list "$qemu_dir/plant" "$build/$kernel"
	kbuild "$kernel" "$dir"
	(cd "$dir" && ls -- *.sh) >"$dir/tests.list"
}

# submake DIRECTORY VARIABLE=VALUE... TARGET: for directories that are there
submake() {
	local dir=$top/$1
	shift
	[ ! -e "$dir/Makefile" ] || quietly "$build/log/build-user" make -C "$dir" -j"$(nproc)" "$@"
}

# The examples, built as their reader would build them.
build_examples() {
	local source program
	for source in "$top"/examples/*.c; do
		[ -e "$source" ] || continue
		program=$build/tools/$(basename "$source" .c)
		[ "$program" -nt "$source" ] && [ "$program" -nt "$build/userlib/libbufpool.so" ] ||
			gcc -O2 -Wall -Wextra -I"$top/userlib" -I"$top/uapi" -o "$program" "$source" \
				-L"$build/userlib" -lbufpool -pthread || die "could not compile $source"
	done
}

# The library once more, in build/userlib-KIND
build_library() {
	local kind=$1 flags=$2
	mkdir -p "$build/userlib-$kind"
	submake userlib O="$build/userlib-$kind" CFLAGS="-O1 -g $flags"
}

# The tests of a library of that kind; LDFLAGS= takes away -static.
build_library_tests() {
	local kind=$1 flags=$2 name programs=()
	mkdir -p "$build/library/$kind"
	for name in $library_tests; do
		programs+=("$build/library/$kind/$name")
	done
	build_library "$kind" "$flags"
	submake selftests KSFT="$(ksft)" OUTPUT="$build/library/$kind" USERLIB_A="$build/userlib-$kind/libbufpool.a" \
		USERCFLAGS="$flags" LDFLAGS= "${programs[@]}"
}

ksft() {
	echo "$("$qemu_dir/kernel.sh" source)/tools/testing/selftests"
}

build_user() {
	local ksft userlib_a=
	[ ! -e "$top/userlib/Makefile" ] || userlib_a=$build/userlib/libbufpool.a
	ksft=$(ksft)
	mkdir -p "$build/userlib" "$build/tools" "$build/objects" "$build/selftests"
	submake userlib O="$build/userlib"
	build_library asan "$asan_flags"
	# Without a loader, whose work is much of what a debugging kernel has to do
	# for a program that runs for a moment.
	submake tools O="$build/tools" LDFLAGS=-static
	build_examples
	submake selftests KSFT="$ksft" OUTPUT="$build/objects" USERLIB_A="$userlib_a" \
		USERLIB_ASAN_A="$build/userlib-asan/libbufpool.a" INSTALL_PATH="$build/selftests" install
	# Installing does not take away what the Makefile no longer names.
	local file
	for file in "$build/selftests"/*; do
		[ -e "$build/objects/${file##*/}" ] || [ -e "$top/selftests/${file##*/}" ] || rm -f "$file"
	done
	make -s --no-print-directory -C "$top/selftests" KSFT="$ksft" OUTPUT="$build/objects" USERLIB_A="$userlib_a" \
		USERLIB_ASAN_A="$build/userlib-asan/libbufpool.a" emit_tests |
		sed -n 's/^[^ :]*:\([^ ]*\)$/\1/p' >"$build/selftests/tests.list"
}

build_bench() {
	mkdir -p "$build/userlib" "$build/bench/guest"
	submake userlib O="$build/userlib"
	submake bench/vm O="$build/bench/guest" USERLIB_A="$build/userlib/libbufpool.a"
}

[ $# -gt 0 ] || die "usage: build.sh user|library|library-KIND|bench|KERNEL|KERNEL-plant..."
mkdir -p "$build/log"
for what in "$@"; do
	case $what in
	user) build_user ;;
	library)
		for kind in $library_kinds; do
			"$0" "library-$kind"
		done
		;;
	library-plain) build_library_tests plain '' ;;
	library-asan) build_library_tests asan "$asan_flags" ;;
	library-tsan) build_library_tests tsan -fsanitize=thread ;;
	bench) build_bench ;;
	*-plant) build_plant "${what%-plant}" ;;
	*) build_module "$what" ;;
	esac
done
