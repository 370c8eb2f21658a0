#!/bin/bash
# SPDX-License-Identifier: MIT
# Build what goes into the VM, below build/, touching only what changed.
#
# usage: build.sh user|library|library-KIND|coverage|bench|KERNEL|KERNEL-coverage|KERNEL-kcov|
#	KERNEL-plant...
#
#   tools          the library, the tools and the examples
#   user           these and the installed selftests
#   user-ARCH      the same for another architecture
#   library-KIND   the library and its tests, to run here, in build/library: plain, valgrind,
#                  clang, musl, m32, or with a sanitizer: asan (address and undefined
#                  behaviour), tsan (threads), msan (memory that was never written)
#   library        all of them
#   coverage       the library, the tools and their tests, in build/coverage: they say what was
#                  run of the first two
#   bench          the library, and the program that counts instructions in the VM
#   KERNEL         the module for that kernel, and the selftests' own modules, if there
#                  are any, in build/stock/modules or build/debug/modules
#   KERNEL-coverage  the module once more, in build/coverage, for a kernel that can say what
#                  was run of it
#   KERNEL-kcov    the same in build/KERNEL-kcov, with a module that says what is reached in it,
#                  where the kernel has CONFIG_KCOV
#   KERNEL-plant   what proves the harness, in plant beside modules

. "$(dirname "$0")/lib.sh"

# Sources are copied, because kernels before 6.13 build a module only where
# its source is. What the build made stays, what vanished goes.
mirror() {
	rsync -a --delete --exclude='.*' --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='*.a' --exclude=modules.order --exclude=Module.symvers "$@"
}

# copy_changed FILE... DIRECTORY: by what is in them, as clocks may go back
copy_changed() {
	rsync -p --checksum "$@"
}

# kbuild KERNEL DIRECTORY [VARIABLE=VALUE...]: compile the modules in a directory
kbuild() {
	local kernel_dir cross=()
	kernel_dir=$("$qemu_dir/kernel.sh" "$1")
	[ "$(field_of "$1" arch)" = amd64 ] || cross=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
	quietly "$build/log/build-$1" "$qemu_dir/toolchain.sh" "$(field_of "$1" release)" \
		make -s -C "$kernel_dir/build" M="$2" -j"$(nproc)" "${cross[@]}" "${@:3}" modules
}

# build_module KERNEL [DIRECTORY [VARIABLE=VALUE...]]
build_module() {
	local kernel dir
	kernel=$(build_of "$1")
	dir=${2:-$build/$kernel}
	mkdir -p "$dir/src" "$dir/modules"
	mirror "$top/Kbuild" "$top/VERSION" "$top/module" "$top/uapi" "$dir/src"
	kbuild "$kernel" "$dir/src" "${@:3}"
	copy_changed "$dir/src/module/bufpool.ko" "$dir/modules"
	build_probe "$kernel" "$dir"
	! is_debug "$kernel" || build_units "$kernel" "$dir"
}

# build_probe KERNEL DIRECTORY
build_probe() {
	[ -d "$top/selftests/probe" ] || return 0
	mirror "$top/selftests/probe" "$2"
	kbuild "$1" "$2/probe"
	copy_changed "$2"/probe/*.ko "$2/modules"
}

# build_units KERNEL DIRECTORY: the module's files once more, with what tests them one by one
build_units() {
	mkdir -p "$2/kunit"
	mirror "$top/VERSION" "$2"
	mirror "$top/module" "$top/uapi" "$top"/selftests/kunit/* "$2/kunit"
	kbuild "$1" "$2/kunit"
	copy_changed "$2/kunit/bufpool_kunit.ko" "$2/modules"
}

# With one copy of each function, whose lines and branches are so counted once, and without
# those which sanitizers make.
build_counting() {
	GCOV_PROFILE=y UBSAN_SANITIZE=n KASAN_SANITIZE=n KCFLAGS=-fno-inline build_module "$1" "$coverage_dir"
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

# libraries_of SOURCE: what its first comment has it linked with, besides
libraries_of() {
	sed -n 's/.*pkg-config --cflags --libs libbufpool *\([^)]*\)).*/\1/p' "$1"
}

# example_of SOURCE: what is made of it; its first comment says so where it is no program
example_of() {
	local name
	name=$out/examples/$(basename "$1" .c)
	grep -q ' -shared ' "$1" && echo "$name.so" || echo "$name"
}

# build_example SOURCE PROGRAM [LIBRARY...]: as its reader would build it; not for want of a library
build_example() {
	local source=$1 program=$2 flags=''
	shift 2
	[[ $program != *.so ]] || flags='-shared -fPIC'
	if [ $# -gt 0 ]; then
		rm -f "$program"
		# of another architecture there are none
		[ ${#cross[@]} -eq 0 ] || return 0
		flags+=" $(pkg-config --cflags --libs "$@" 2>/dev/null)" || return 0
	fi
	# shellcheck disable=SC2086 # words
	"${compile[@]}" "$cc" -O2 -Wall -Wextra -I"$top/userlib" -I"$top/uapi" -o "$program" "$source" \
		-L"$out/userlib" -lbufpool -pthread $flags || die "could not compile $source"
}

build_examples() {
	local source program
	mkdir -p "$out/examples"
	for source in "$top"/examples/*.c; do
		program=$(example_of "$source")
		if [ "$program" -ot "$source" ] || [ "$program" -ot "$out/userlib/libbufpool.so" ]; then
			# shellcheck disable=SC2046 # words
			build_example "$source" "$program" $(libraries_of "$source")
		fi
	done
}

# The library once more, in build/userlib-KIND, by the compiler in CC=... where there is one
build_library() {
	local kind=$1 flags=$2 library_target=all
	# A shared library that is whole without the program's sanitizer there is not.
	[ "$kind" != msan ] || library_target=$build/userlib-msan/libbufpool.a
	mkdir -p "$build/userlib-$kind"
	submake userlib O="$build/userlib-$kind" CFLAGS="-O1 -g $flags" "${library_cc[@]}" "$library_target"
}

# The kernel's headers, for a C library that comes without
kernel_headers_only() {
	local name
	mkdir -p "$build/headers"
	for name in linux asm-generic; do
		ln -sfn "/usr/include/$name" "$build/headers/$name"
	done
	ln -sfn /usr/include/x86_64-linux-gnu/asm "$build/headers/asm"
}

# The tests of a library of that kind, or those in LIBRARY_TESTS; LDFLAGS= takes away -static.
build_library_tests() {
	local kind=$1 flags=$2 name programs=()
	mkdir -p "$build/library/$kind"
	for name in ${LIBRARY_TESTS:-$(library_tests_of "$kind")}; do
		programs+=("$build/library/$kind/$name")
	done
	build_library "$kind" "$flags"
	submake selftests KSFT="$(ksft)" OUTPUT="$build/library/$kind" USERLIB_A="$build/userlib-$kind/libbufpool.a" \
		USERCFLAGS="$flags" LDFLAGS= "${library_cc[@]}" "${programs[@]}"
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
	out=$build compile=() cross=() cc=gcc
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
	cc=aarch64-linux-gnu-gcc
	build_tools
	build_examples
	build_selftests
}

# coverage_programs LDFLAGS NAME...: tests that say what was run of the library
coverage_programs() {
	local flags=$1
	shift
	submake selftests KSFT="$(ksft)" OUTPUT="$out/selftests" USERLIB_A="$out/userlib/libbufpool.a" \
		LDFLAGS="$flags -Wl,--wrap=_exit $out/coverage.o" LDLIBS="-lgcov -lpthread" "${@/#/$out/selftests/}"
}

# Those for the VM are static, and run here too; after build_user, which lists the tests
build_coverage() {
	local flags='-O0 -g --coverage -fprofile-update=atomic' name in_vm here=()
	out=$coverage_dir
	# those that say more than the module's own tests of the library and the tools
	in_vm=$(grep -E '^(library|bufpoolctl)' "$build/selftests/tests.list" | grep -vE '_asan$|_seccomp$')
	mkdir -p "$out"/{userlib,tools,selftests} "$build/library"
	ln -sfn "$out/userlib" "$build/userlib-coverage"
	ln -sfn "$out/selftests" "$build/library/coverage"
	quietly "$build/log/build-coverage" gcc -O1 -Wall -Wextra -c -o "$out/coverage.o" "$qemu_dir/coverage.c"
	submake userlib O="$out/userlib" CFLAGS="$flags" "$out/userlib/libbufpool.a" "$out/userlib/libbufpool.so"
	submake tools O="$out/tools" CFLAGS="$flags" LDFLAGS="-static -Wl,--wrap=_exit $out/coverage.o"
	for name in $(library_tests_of coverage); do
		grep -qxF "$name" <<<"$in_vm" || here+=("$name")
	done
	# shellcheck disable=SC2046 # words
	coverage_programs -static $(grep -v '[.]sh$' <<<"$in_vm") renter pty older
	coverage_programs '' "${here[@]}"
	cp -t "$out/selftests" "$top"/selftests/{*.sh,settings}
	echo "$in_vm" >"$out/selftests/tests.list"
}

build_bench() {
	mkdir -p "$build/userlib" "$build/bench/guest"
	submake userlib O="$build/userlib"
	submake bench/vm O="$build/bench/guest" USERLIB_A="$build/userlib/libbufpool.a"
}

[ $# -gt 0 ] || die "usage: build.sh user|library|library-KIND|coverage|bench|KERNEL|KERNEL-coverage|KERNEL-kcov|KERNEL-plant..."
mkdir -p "$build/log"
out=$build compile=() cross=() cc=gcc asan_a=
for what in "$@"; do
	library_cc=()
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
	library-plain | library-valgrind) build_library_tests "${what#library-}" '' ;;
	library-m32) build_library_tests m32 -m32 ;;
	library-clang)
		library_cc=(CC=clang)
		build_library_tests clang ''
		;;
	library-musl)
		kernel_headers_only
		library_cc=(CC="musl-gcc -idirafter $build/headers")
		build_library_tests musl ''
		;;
	library-asan) build_library_tests asan "$asan_flags" ;;
	library-tsan) build_library_tests tsan -fsanitize=thread ;;
	library-msan)
		library_cc=(CC=clang)
		build_library_tests msan '-fsanitize=memory -fno-omit-frame-pointer'
		;;
	bench) build_bench ;;
	coverage) build_coverage ;;
	*-coverage) build_counting "${what%-coverage}" ;;
	*-kcov) build_module "${what%-kcov}" "$build/$(build_of "${what%-kcov}")-kcov" BUFPOOL_KCOV=y ;;
	*-plant) build_plant "${what%-plant}" ;;
	*) build_module "$what" ;;
	esac
done
