# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts in this directory share; to be sourced.

# shellcheck disable=SC2034 # set for those who source this

set -euo pipefail

# where modinfo and mke2fs are, and who is not root may have no path to
PATH=$PATH:/usr/sbin:/sbin

qemu_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$qemu_dir/../.." && pwd)
build=$top/build
coverage_dir=$build/coverage
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bufpool

# those that run without the device
library_tests="stack_model library library_classes library_fork library_atfork library_batch library_info library_io library_parcel library_threads library_kept library_strict library_nomem
	library_shortage library_seccomp library_signals library_space library_wait library_watch library_private library_queue library_cancel library_barrier library_bounds library_maps library_stress library_unload"
library_kinds="plain clang musl m32 valgrind asan tsan msan"
# those which guard every change
brief_kinds="plain asan tsan"
disks=()
asan_flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined"

# library_tests_of KIND: 32 bits have no room for so many mappings; a library is not loaded
# into a program without its sanitizer, and clang's is linked into the program, whose calls
# are refused; sanitizers make system calls of their own, as does what counts coverage; and
# what is about signals at any instruction, about addresses and about mappings is about
# valgrind's own in there
library_tests_of() {
	case $1 in
	m32) echo "${library_tests/ library_maps/}" ;;
	asan | coverage) echo "${library_tests/ library_seccomp/}" ;;
	# which takes minutes for the address space of so many pools
	tsan) library_tests_of asan | sed 's/ library_nomem//' ;;
	valgrind) echo "stack_model library library_classes library_info library_io library_parcel library_threads library_kept library_strict library_shortage library_wait library_watch library_stress library_unload" ;;
	msan) library_tests_of tsan | sed 's/ library_unload//' ;;
	*) echo "$library_tests" ;;
	esac
}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# kernel_rows WORD...: the rows of the table of kernels that have such a name or mark; with
# "all", all of them
kernel_rows() {
	awk -v words=" $* " '!/^#/ && NF && (words == " all " || index(words, " " $1 " ") || index(words, " " $8 " "))' "$qemu_dir/kernels"
}

# kernels_of WORD...: their names
kernels_of() {
	kernel_rows "$@" | awk '{ print $1 }'
}

# release_of ARCH: of the first kernel for it
release_of() {
	kernel_rows all | awk -v arch="$1" '$2 == arch { print $3; exit }'
}

# field_of KERNEL arch|release|suite|package|config|preempt
field_of() {
	local name arch release suite package config preempt
	read -r name arch release suite package config preempt _ < <(kernel_rows "$1") ||
		die "unknown kernel '$1'; there are: $(kernels_of all | xargs)"
	[ "${!2}" = - ] || echo "${!2}"
}

# build_of KERNEL: the first that has the same modules, after which their directory
# is named
build_of() {
	field_of "$1" arch >/dev/null
	awk -v name="$1" '!/^#/ && NF { key = $2 $3 $4 $5 $6; if (!(key in first)) first[key] = $1; if ($1 == name) print first[key] }' \
		"$qemu_dir/kernels"
}

# programs_of ARCH: below this directory are the programs for it, unless BUFPOOL_PROGRAMS
# says that those in another are to be taken
programs_of() {
	if [ "$1" = amd64 ]; then
		echo "${BUFPOOL_PROGRAMS:-$build}"
	else
		echo "$build/programs-$1"
	fi
}

# needs_of TEST: a line "KIND NAME" for each thing that the table says it needs
needs_of() {
	awk -v test="$1" '!/^#/ && $1 == test { for (i = 3; i <= NF; i++) print $2, $i }' "$top/selftests/needs"
}

# disks_of TEST...: the file systems of the disks that they need
disks_of() {
	local test
	for test; do
		needs_of "$test" | sed -n 's/^disk //p'
	done | sort -u
}

# make_disks DIRECTORY TEST...: the disks that the tests need, sparse files with a file
# system each; sets disks. XFS has at least 300 MB.
make_disks() {
	local dir=$1 name file
	shift
	disks=()
	for name in $(disks_of "$@"); do
		file=$dir/disk-$name
		rm -f "$file"
		truncate -s 320M "$file"
		briefly "mkfs.$name" -q "$file" || die "could not make a file system in $file; is the disk full?"
		disks+=("$file")
	done
}

# is_debug KERNEL
is_debug() {
	[ "$(field_of "$1" config)" = debug ]
}

# is_lean KERNEL: a debug kernel that is to be quick
is_lean() {
	is_debug "$1" && [ -n "${BUFPOOL_LEAN:-}" ]
}

# finds_races KERNEL
finds_races() {
	[ "$(field_of "$1" config)" = kcsan ]
}

say() {
	echo "bufpool: $*" >&2
}

# quietly LOG COMMAND...: show the end of the log only when it fails
quietly() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		die "failed: $* (whole log: $log)"
	}
}

# briefly COMMAND...: of thousands of lines that say one thing, the last ones
briefly() {
	"$@" 2>&1 | tail -n 3 >&2
}

make_cache() {
	mkdir -p "$cache" 2>/dev/null ||
		die "cannot create the cache $cache; set XDG_CACHE_HOME to a directory on a disk with 6 GB free"
}

# A directory of the cache appears under its name only when it is whole, so an
# interrupted run leaves nothing that a later one could mistake for a result.
# usage: once NAME FUNCTION [ARG...]; the function fills the directory $1.
# Two runs at once wait for each other.
once() {
	local name=$1 make=$2
	shift 2
	make_cache
	(
		flock 9
		[ -d "$cache/$name" ] && exit 0
		rm -rf "$cache/$name.part"
		mkdir -p "$cache/$name.part"
		"$make" "$cache/$name.part" "$@"
		mv "$cache/$name.part" "$cache/$name"
	) 9>"$cache/${name%%-*}.lock"
}

# need_space MEGABYTES: refuse early rather than fail in the middle; to be called by what
# "once" calls, when nothing of an interrupted run is there any more
need_space() {
	local free
	make_cache
	free=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$cache has $free MB free and $1 MB are needed; free some, or set XDG_CACHE_HOME to another disk"
}

# run_vm KERNEL DIRECTORY FUNCTION: boot DIRECTORY/initramfs, with the disks of
# make_disks, and leave there what vm.sh does; the function reads the verdict while it comes. Sets vm_status.
run_vm() {
	local vm
	: >"$2/console"
	: >"$2/verdict"
	BUFPOOL_DISKS="${disks[*]-}" "$qemu_dir/vm.sh" "$1" "$2/initramfs" "$2" >"$2/qemu" 2>&1 &
	vm=$!
	# shellcheck disable=SC2064 # this VM, now
	trap "kill $vm 2>/dev/null" EXIT
	"$3" < <(tail -s 0.2 -f --pid=$vm "$2/verdict" | sed -u 's,\r,,g')
	vm_status=0
	wait $vm || vm_status=$?
	trap - EXIT
	rm -f "$2/initramfs" "${disks[@]}"
}

# The kernel's last words, from where they became bad.
show_console() {
	echo "--- the end of the VM's console ($1)"
	[ -s "$1" ] || echo "The kernel did not begin. If a file of it is damaged, remove $cache: what is missing there is made again."
	tr -d '\r' <"$1" | awk '
		/WARNING:|BUG:|Kernel panic|Oops/ { if (!first) first = NR }
		{ line[NR] = $0 }
		END {
			from = first ? first : NR - 30
			for (i = from; i <= NR && i < from + 80; i++)
				if (i > 0) print line[i]
		}'
}

# total FILE...: add up "passed failed skipped ..." of each, print the sum, and
# fail when a case failed, none passed, or a file is not there.
total() {
	local file p f s passed=0 failed=0 skipped=0
	for file in "$@"; do
		if ! read -r p f s _ 2>/dev/null <"$file"; then
			echo "FAIL: ${file%/*} has no result"
			p=0 f=1 s=0
		fi
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	done
	echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
	[ $failed -eq 0 ] && [ $passed -gt 0 ]
}
