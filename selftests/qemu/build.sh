#!/bin/bash
# SPDX-License-Identifier: MIT
# Build what goes into the VM, below build/, touching only what changed.
#
# usage: build.sh user|library|library-KIND|bench|KERNEL|KERNEL-plant...
#
#   tools          the library, the tools and the examples
#   user           these and the installed selftests
#   user-ARCH      the same for another architecture
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
	[ ! -e "$dir/Makefile" ] ||
		quietly "$build/log/build-user" "${compile[@]}" make -C "$dir" -j"$(nproc)" "${cross[@]}" "$@"
}

# The examples, built as their reader would build them.
build_examples() {
	local source program
	for source in "$top"/examples/*.c; do
		[ -e "$source" ] || continue
		program=$out/tools/$(basename "$source" .c)
		[ "$program" -nt "$source" ] && [ "$program" -nt "$out/userlib/libbufpool.so" ] ||
			gcc -O2 -Wall -Wextra -I"$top/userlib" -I"$top/uapi" -o "$program" "$source" \
				-L"$out/userlib" -lbufpool -pthread || die "could not compile $source"
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

# selftests_make ARGUMENT...: with what both ways of making them need
selftests_make() {
	submake selftests KSFT="$(ksft)" OUTPUT="$out/objects" USERLIB_A="$out/userlib/libbufpool.a" \
		USERLIB_ASAN_A="$asan_a" "$@"
}

# The names of what was installed; installing does not take away what the Makefile no
# longer names.
list_tests() {
	local file
	for file in "$out/selftests"/*; do
		[ -e "$out/objects/${file##*/}" ] || [ -e "$top/selftests/${file##*/}" ] || rm -f "$file"
	done
	selftests_make -s --no-print-directory emit_tests
	sed -n 's/^[^ :]*:\([^ ]*\)$/\1/p' "$build/log/build-user" >"$out/selftests/tests.list"
}

build_tools() {
	mkdir -p "$out"/{userlib,tools}
	submake userlib O="$out/userlib"
	# Without a loader, whose work is much of what a debugging kernel has to do
	# for a program that runs for a moment.
	submake tools O="$out/tools" LDFLAGS=-static
}

build_selftests() {
	mkdir -p "$out"/{objects,selftests}
	selftests_make INSTALL_PATH="$out/selftests" install
	list_tests
}

build_user() {
	build_tools
	build_examples
	asan_a=$build/userlib-asan/libbufpool.a
	build_library asan "$asan_flags"
	build_selftests
}

# Another architecture's compiler is in a root of its kernel's release.
build_user_of() {
	out=$(programs_of "$1") asan_a=
	compile=("$qemu_dir/toolchain.sh" "$(release_of "$1")")
	cross=(ARCH="$1" CROSS_COMPILE=aarch64-linux-gnu- CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-gcc-ar)
	build_tools
	build_selftests
}

build_bench() {
	mkdir -p "$build/userlib" "$build/bench/guest"
	submake userlib O="$build/userlib"
	submake bench/vm O="$build/bench/guest" USERLIB_A="$build/userlib/libbufpool.a"
}

[ $# -gt 0 ] || die "usage: build.sh user|library|library-KIND|bench|KERNEL|KERNEL-plant..."
mkdir -p "$build/log"
out=$build compile=() cross=() asan_a=
for what in "$@"; do
	case $what in
	tools)
		build_tools
		build_examples
		;;
	user | user-amd64) build_user ;;
	user-*) build_user_of "${what#user-}" ;;
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
