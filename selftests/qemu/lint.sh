#!/bin/bash
# SPDX-License-Identifier: MIT
# Static checks. Clean is silent but for the summary.
#
# usage: lint.sh [quick|slow]
#
# quick leaves out what takes more than a few seconds, slow the others; both print their summary
# as "make check" prints a test.

. "$(dirname "$0")/lib.sh"

cd "$top"
passed=0 failed=0
objects=$build/lint
strict=(-Wall -Wextra -Wpedantic -Werror)

# Files of the project that match the patterns.
files() {
	{ git ls-files -co --exclude-standard -- "$@" 2>/dev/null || find "$@" -type f -not -path './build/*' -printf '%P\n'; } |
		while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

# check NAME FUNCTION: a check that says anything, or fails, has found something
check() {
	local out status=0
	out=$("$2" 2>&1) || status=$?
	if [ -z "$out" ] && [ $status -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "lint: $1"
		printf '%s\n' "${out:-failed with status $status and said nothing}" | sed 's/^/    /'
	fi
}

# --- quick ones

spdx() {
	local file
	files | grep -vE '^(COPYING|VERSION|LICENSES/.*|debian/(changelog|copyright|source/format|.*\.README.Debian)|.*\.md)$' | while read -r file; do
		head -n 3 "$file" | grep -q SPDX-License-Identifier || echo "$file has no SPDX line"
	done
}

shell_scripts() {
	local file
	files | while read -r file; do
		case $file in
		*.awk) ;;
		*.sh | *.bash) echo "$file" ;;
		*) head -n 1 "$file" | grep -qE '^#! ?/bin/(ba|da)?sh' && echo "$file" ;;
		esac || true
	done
}

scripts() {
	shell_scripts | xargs -r shellcheck -x -P SCRIPTDIR
}

uapi_alone() {
	local std
	for std in c90 c99 c17; do
		printf '#include <linux/bufpool.h>\n#include <linux/bufpool.h>\n' |
			gcc -std=$std "${strict[@]}" -fsyntax-only -Iuapi -x c -
	done
	for std in c++98 c++17; do
		printf '#include <linux/bufpool.h>\n#include <linux/bufpool.h>\n' |
			g++ -std=$std "${strict[@]}" -fsyntax-only -Iuapi -x c++ -
	done
}

man_pages() {
	files '*.[1-9]' | xargs -r mandoc -T lint -W warning
}

# One source of the version: the file VERSION, and whoever repeats it agrees.
version() {
	local version
	[ -e VERSION ] || return 0
	version=$(cat VERSION)
	[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || echo "VERSION says '$version', which is no N.N.N"
	grep -qx "PACKAGE_VERSION=\"$version\"" dkms.conf || echo "dkms.conf is not of version $version"
	grep -q "^## \[$version\] - " CHANGELOG.md || echo "CHANGELOG.md has nothing of version $version"
	head -n 1 debian/changelog | grep -qF "bufpool ($version) " || echo "debian/changelog does not begin with version $version"
	files '*.md' '*.[1-9]' | xargs -r grep -nE 'libbufpool[ -]v?[0-9]+\.[0-9]+\.[0-9]+' /dev/null | grep -vF "$version" || true
}

# Whether a selftest is there: PROGRAM.CASE, kunit.CASE, or SCRIPT.sh "CASE".
test_exists() {
	local program=${1%%.*} case=${1#*.}
	case $1 in
	kunit.*) grep -qF "KUNIT_CASE($case)" selftests/kunit/*_test.c ;;
	*.sh\ \"*\") grep -qF "${1#*.sh }" "selftests/$program.sh" ;;
	*) grep -qE "^TEST(_[A-Z]+)*\(([a-z_]+, )?${case}[,)]" "selftests/$program.c" ;;
	esac 2>/dev/null
}

# Each threat that is written down names a test that is there, or says that there is none.
threats() {
	local doc=docs/security.md name
	[ -e $doc ] || return 0
	# shellcheck disable=SC2016 # those are Markdown's
	grep -oE '`[a-z0-9_]+\.([a-z0-9_]+|sh "[^"`]+")`' $doc | grep -vE '\.(c|h|md|sh)`$|^`(kernel|user|vm)\.' | tr -d '`' | sort -u |
		while read -r name; do
			test_exists "$name" || echo "$doc: there is no test $name"
		done
	awk '/^## /{ listed = $0 !~ /Gaps|Out of scope|Residual|What an administrator/ }
		/^- \*\*/ || /^$/ { if (item && item !~ /Test:[ ]+`|No[ ]+test:/) print FILENAME ": no test is named: " item; item = "" }
		listed && /^- \*\*/ || item { item = item " " $0 }' $doc
}

library() {
	[ ! -e userlib/Makefile ] || make -s --no-print-directory -C userlib O="$objects/userlib-gcc" check
}

tools() {
	[ ! -e tools/Makefile ] || make -s --no-print-directory -C tools O="$objects/tools-gcc" check
}

# --- the others

# module_with NAME TREE ARGUMENT...: compile the module, and those that the
# tests use, from nothing
module_with() {
	local dir=$objects/module-$1 tree
	tree=$("$qemu_dir/kernel.sh" "$2")/build || return
	shift 2
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r Kbuild VERSION module uapi selftests/probe selftests/qemu/plant "$dir"
	printf 'obj-m += %s\n' probe/ plant/ >>"$dir/Kbuild"
	make -s -C "$tree" M="$dir" -j"$(nproc)" W=1 KCFLAGS=-Werror CONFIG_DEBUG_INFO_BTF_MODULES= "$@"
}

module_gcc() {
	module_with gcc stock C=2 CF=-D__CHECK_ENDIAN__ modules
}

module_debug() {
	module_with debug debug modules
}

# The prepared tree knows no symbols, so nothing is linked.
module_clang() {
	module_with clang clang CC=clang module/ probe/ plant/
}

circles_module() {
	"$qemu_dir/circles.sh" module "$objects/module-gcc/module"
}

circles_userlib() {
	"$qemu_dir/circles.sh" userlib "$objects/userlib-gcc"
}

circles_tools() {
	"$qemu_dir/circles.sh" tools "$objects/tools-gcc/objects"
}

checkpatch() {
	xargs -r perl "$source_dir/scripts/checkpatch.pl" --strict --no-tree --terse --no-summary -q --show-types "$@" -f
}

style_module() {
	files 'module/*.[ch]' | grep -v /compat.h | checkpatch
}

# The one file whose business is the kernel's version.
style_compat() {
	files module/compat.h | checkpatch --ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON
}

# BIT() does not exist outside the kernel.
style_uapi() {
	files 'uapi/*.h' | checkpatch --ignore BIT_MACRO
}

# The library's interface has the types of C, and its oldest keywords, and macros where
# compilers are to see through them; and so have its callers.
style_user() {
	files 'userlib/*.[ch]' 'selftests/*.[ch]' 'examples/*.c' 'tools/*.[ch]' 'bench/*.[ch]' |
		grep -vE '/(iceoryx|fuzz/library/target)[.]c$' |
		checkpatch --ignore PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,INLINE,MACRO_ARG_REUSE
}

# Those that call somebody else's functions, or are called so, who name them otherwise.
style_foreign() {
	files 'bench/*/iceoryx.c' selftests/fuzz/library/target.c | checkpatch --ignore CAMELCASE,PREFER_KERNEL_TYPES
}

kernel_doc() {
	files 'uapi/*.h' 'module/*.h' | xargs -r perl "$source_dir/scripts/kernel-doc" -none -Werror
}

# Go is no part of what checking needs.
go_format() {
	! command -v gofmt >/dev/null || files '*.go' | xargs -r gofmt -l
}

bench_with() {
	[ ! -e bench/native/Makefile ] ||
		make -s --no-print-directory -C bench/native O="$objects/bench-$1" CC="$1" \
			USERLIB="$objects/userlib-$1" PEERS="libbufpool glibc"
	make -s --no-print-directory -C bench/handover O="$objects/bench-$1" CC="$1" \
		USERLIB_A="$objects/userlib-$1/libbufpool.a"
}

bench_gcc() {
	bench_with gcc
}

bench_clang() {
	bench_with clang
}

tools_clang() {
	[ ! -e tools/Makefile ] || make -s --no-print-directory -C tools O="$objects/tools-clang" CC=clang
}

library_clang() {
	[ ! -e userlib/Makefile ] ||
		make -s --no-print-directory -C userlib O="$objects/userlib-clang" CC=clang CFLAGS="-O2 -Wall -Wextra -Werror"
}

# kselftest_harness.h compares what it is given, through variables of the types
# that it has; clang warns of the signs then, and of what a plain TEST() leaves
# unused.
selftests_with() {
	[ ! -e selftests/Makefile ] ||
		quietly "$objects/log-$1" make -s --no-print-directory -C selftests KSFT="$source_dir/tools/testing/selftests" \
			OUTPUT="$objects/selftests-$1" CC="$1" USERCFLAGS="-Werror -Wno-sign-compare -Wno-unused-parameter" USERLIB_A= all
}

selftests_gcc() {
	selftests_with gcc
}

selftests_clang() {
	selftests_with clang
}

mutants_fit() {
	local patch
	for patch in "$qemu_dir"/mutants/*.patch; do
		patch --dry-run -s -f -p1 -d "$top" <"$patch" >/dev/null || echo "${patch#"$top"/}: fits no longer"
	done
}

mistakes_fit() {
	selftests/mistakes/run.py --check
}

# Without their mutants; "make check-models" has all.
models() {
	local out
	out=$(selftests/models/run.sh quick) || printf '%s\n' "$out"
}

destdir() {
	packaging/check-destdir.sh
}

quick_checks() {
	check 'every file says its licence' spdx
	check 'shellcheck' scripts
	check 'the uapi header compiles alone, as C and as C++' uapi_alone
	check 'man pages' man_pages
	check 'one version' version
	check 'every threat has a test, or none and why' threats
	check 'gofmt' go_format
	check 'the tools, their pages and completion' tools
	check 'the library, its header, map, pages and installed tree' library
	check 'every mutant fits' mutants_fit
	check 'explained mistakes can still be made' mistakes_fit
	check 'the models hold' models
	check 'make install and make uninstall' destdir
}

# What some of the slow checks look at, and the quick ones make
compile() {
	make -s --no-print-directory -C userlib O="$objects/userlib-gcc"
	make -s --no-print-directory -C tools O="$objects/tools-gcc"
}

slow_checks() {
	check 'library and tools with gcc' compile
	source_dir=$("$qemu_dir/kernel.sh" source)
	check 'modules with gcc, W=1, sparse' module_gcc
	check 'no circle between files, module' circles_module
	check 'no circle between files, userlib' circles_userlib
	check 'no circle between files, tools' circles_tools
	check 'modules for the debug kernel, W=1' module_debug
	check 'modules with clang, W=1' module_clang
	check 'checkpatch --strict, module' style_module
	check 'checkpatch --strict, compat.h' style_compat
	check 'checkpatch --strict, uapi' style_uapi
	check 'checkpatch --strict, user code' style_user
	check 'checkpatch --strict, foreign names' style_foreign
	check 'kernel-doc' kernel_doc
	check 'library with clang' library_clang
	check 'bench with gcc' bench_gcc
	check 'bench with clang' bench_clang
	check 'tools with clang' tools_clang
	check 'selftests with gcc' selftests_gcc
	check 'selftests with clang' selftests_clang
}

mkdir -p "$objects" "$build/log/lint"
[ "${1:-}" = slow ] || quick_checks
[ "${1:-}" = quick ] || slow_checks
if [ -n "${1:-}" ]; then
	word=ok
	[ $failed -eq 0 ] || word=FAIL
	printf '%-7s %-4s  %-12s %s\n' host $word lint "$passed passed$([ $failed -eq 0 ] || echo ", $failed failed")"
elif [ $failed -eq 0 ]; then
	echo "lint: $passed checks, all clean"
else
	echo "lint: $failed of $((passed + failed)) checks found something"
fi
echo "$passed $failed 0 $SECONDS" >"$build/log/lint/counts"
[ $failed -eq 0 ]
