#!/bin/bash
# SPDX-License-Identifier: MIT
# Prove the tests: take out of the module, or of the library, one thing at a time
# that a promise rests on, and see that a test fails. mutants/NAME.patch does it,
# and names the tests to run in a line "Tests:", for the VM, "Tests on debug:" or "Tests on
# kcsan:" where only that kernel's own checks can tell, or "Tests here:". With "Promise:" and its
# number in docs/design.md it is of those that are made before every release.
#
# usage: mutants.sh [all|NAME...]

. "$(dirname "$0")/lib.sh"

mutants=$build/mutants

# renew_tree TREE MUTANT: what is here, and the mistake, so that nothing here is ever broken.
# Only what is not as it was gets a new time, and is built anew.
renew_tree() {
	mkdir -p "$1"
	(cd "$top" && git ls-files -z --cached --others --exclude-standard |
		rsync -rlp --checksum --from0 --files-from=- ./ "$1")
	patch -s -p1 -d "$1" <"$qemu_dir/mutants/$2.patch"
}

# Whether a mutant leaves the programs as they are, which are most of the work.
changes_module_only() {
	! grep '^+++ b/' "$qemu_dir/mutants/$1.patch" | grep -qv '^+++ b/module/'
}

# kernel_for MUTANT: which one it is run on
kernel_for() {
	local kernel
	for kernel in debug kcsan; do
		[ -z "$(field "Tests on $kernel" "$1")" ] || { echo $kernel && return; }
	done
	echo stock
}

# build_for_vm MUTANT TREE KERNEL: its module, and the programs, new ones if it changes any
build_for_vm() {
	rm -rf "$2/build"/{userlib,tools,examples,selftests}
	if changes_module_only "$1"; then
		mkdir -p "$2/build"
		cp -al "$build/userlib" "$build/tools" "$build/examples" "$build/selftests" "$2/build"
		"$2/selftests/qemu/build.sh" "$3"
	else
		"$2/selftests/qemu/build.sh" user "$3"
	fi
}

# field NAME MUTANT: what the patch says behind that name
field() {
	sed -n "s/^$1: //p" "$qemu_dir/mutants/$2.patch"
}

# run_mutant TREE MUTANT
run_mutant() {
	local tree=$1 here kernel
	shift
	# where a mutant makes a test hang that takes a minute at most
	export BUFPOOL_STRESS_SECONDS=30 BUFPOOL_TIMEOUT=120 BUFPOOL_DEADLINE=400
	here=$(field 'Tests here' "$1")
	renew_tree "$tree" "$1" || return 0
	rm -rf "$tree/build/log"
	if [ -n "$here" ]; then
		LIBRARY_TESTS=$here "$tree/selftests/qemu/build.sh" library-plain || return 0
		TESTS=$here "$tree/selftests/qemu/library.sh" "$tree/build/log/library" plain || true
	else
		kernel=$(kernel_for "$1")
		build_for_vm "$1" "$tree" "$kernel" || return 0
		TESTS=$(field 'Tests.*' "$1") "$tree/selftests/qemu/suite.sh" "$kernel" "$tree/build/log/vm" || true
	fi
}

# What says only that the VM is gone: that may be its own fault, not the mutant's.
no_proof='no end after|no sign of life|QEMU failed|no panic, no verdict|reported [0-9]+ times'

# A mutant is killed when a test says that it failed, or the kernel complains; where
# the VM hung afterwards, the console has what the test said.
# proof MUTANT TREE
proof() {
	awk -v no="$no_proof" '/^(stock|debug|kcsan|host) +FAIL/ && $0 !~ no { print; found = 1; exit }
		END { exit !found }' "$mutants/$1.out" ||
		awk '/^not ok / { sub("\r", ""); print; exit }' "$2/build/log/vm/console" 2>/dev/null
}

# judge MUTANT TREE
judge() {
	local name=$1 line
	line=$(proof "$name" "$2" || true)
	if [ -n "$line" ]; then
		echo 1 0 0 >"$mutants/$name.proved"
		printf 'ok    %-24s %s\n' "$name" "$(tr -s ' ' <<<"$line" | cut -c1-160)"
	else
		echo 0 1 0 >"$mutants/$name.proved"
		printf 'FAIL  %-24s no test noticed\n' "$name"
		sed 's/^/      /' "$mutants/$name.out"
	fi
}

# make_one MUTANT: in the tree of whoever asks
make_one() {
	# shellcheck disable=SC2154 # xargs sets it
	local tree=$mutants/tree-$slot
	rm -f "$mutants/$1.proved"
	run_mutant "$tree" "$1" >"$mutants/$1.out" 2>&1
	judge "$1" "$tree"
}

if [ "${1:-}" = one ]; then
	make_one "$2"
	exit 0
fi
if [ "${1:-}" = all ]; then
	set -- "$qemu_dir"/mutants/*.patch
elif [ $# -eq 0 ]; then
	mapfile -t marked < <(grep -l '^Promise: ' "$qemu_dir"/mutants/*.patch)
	set -- "${marked[@]}"
fi
set -- "${@##*/}"
set -- "${@%.patch}"
mkdir -p "$mutants"
"$qemu_dir/kernel.sh" stock >/dev/null
"$qemu_dir/build.sh" user
"$qemu_dir/accel.sh" >/dev/null
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 --process-slot-var=slot "$0" one
proofs=("${@/#/$mutants/}")
total "${proofs[@]/%/.proved}"
