#!/bin/bash
# SPDX-License-Identifier: MIT
# Install bufpool as people do, in Debian systems that boot in a virtual machine:
# packages, an upgrade, another kernel, make install, and the end of each.
#
# usage: check.sh [SUITE...]; bookworm and trixie
#
# Prints a line for each step; what was done is in build/log/install-SUITE, in
# transcript-PART, what the kernel and systemd said in console-PART.

. "$(dirname "$0")/../qemu/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$top/VERSION")
next=${version%.*}.$((${version##*.} + 1))
passed=0 failed=0

report() {
	printf '%-4s  %-9s %s\n' "$2" "$1" "$3"
	case $2 in
	ok) passed=$((passed + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
}

# repository DIRECTORY FROM: a flat one, as apt reads it
repository() {
	mkdir -p "$1"
	cp "$2"/*.deb "$1"
	(cd "$1" && dpkg-scanpackages . >Packages 2>"$build/log/scanpackages") ||
		die "could not list the packages in $2; see $build/log/scanpackages"
}

# media FILE: the second disk, with all that the VM is to have
media() {
	local dir
	dir=$(mktemp -d "$build/install/media.XXXXXX")
	repository "$dir" "$build/deb"
	repository "$dir/next" "$build/install/next"
	cp "$here"/guest/* "$dir"
	tar -C "$top" --exclude=./build --exclude=./.git --transform="s,^[.],bufpool-$version," -caf "$dir/bufpool-$version.tar.xz" .
	echo "$version" >"$dir/version"
	gcc -dumpversion >"$dir/compiler"
	echo "$next" >"$dir/next/version"
	rm -f "$1"
	quietly "$build/log/media" mke2fs -q -d "$dir" "$1" 64M
	rm -rf "$dir"
}

# machine: the processor, as vm.sh has it, and what the kernel is told of its clock
machine() {
	clock=
	case ${BUFPOOL_ACCEL:-$("$qemu_dir/accel.sh")} in
	kvm) processor=(-accel kvm -cpu "host,la57=off") ;;
	tcg)
		# QEMU 7.2 gets the flags of cmpxchg16b wrong, with which kernels from 6.12 on
		# allocate; they do without, where there is none.
		processor=(-accel "tcg,thread=multi" -cpu "max,la57=off,cx16=off")
		clock="tsc=reliable tsc_early_khz=$("$qemu_dir/tsc.sh")"
		;;
	*) die "BUFPOOL_ACCEL is kvm or tcg" ;;
	esac
}

start_vm() {
	exec timeout -k 5 "${BUFPOOL_DEADLINE:-1800}" qemu-system-x86_64 -nodefaults -display none -no-reboot -m 2G -smp 2 "${processor[@]}" \
		-kernel "$work/vmlinuz" -initrd "$work/initrd" \
		-append "root=/dev/vda rw console=ttyS0 no_timer_check panic=-1 random.trust_cpu=on $clock install_check=$1" \
		-drive "file=$work/disk,if=virtio,format=qcow2,cache=unsafe" \
		-drive "file=$build/install/media,if=virtio,format=raw,readonly=on" \
		-drive "file=$work/out,if=virtio,format=raw" \
		-serial "file:$log/console-$1" -serial "file:$log/transcript-$1" -serial "file:$log/verdict-$1" \
		</dev/null >"$log/qemu-$1" 2>&1
}

# boot SUITE PART: fails when the part did not get to its end
boot() {
	local suite=$1 part=$2 vm word rest ended=
	: >"$log/verdict-$part"
	start_vm "$part" &
	vm=$!
	# shellcheck disable=SC2064 # this VM, now
	trap "kill $vm 2>/dev/null" EXIT
	while read -r word rest; do
		case $word in
		ok | FAIL) report "$suite" "$word" "$rest" ;;
		end) ended=1 ;;
		esac
	done < <(tail -s 0.5 -f --pid=$vm "$log/verdict-$part" | sed -u 's,\r,,g')
	wait $vm || true
	trap - EXIT
	[ -n "$ended" ] || report "$suite" FAIL "$part boot: no end; see $log/console-$part"
	[ -n "$ended" ]
}

# other_kernel: the one that the second part installed and gave out
other_kernel() {
	tar -C "$work" -xf "$work/out" 2>/dev/null && mv "$work/initrd.img" "$work/initrd"
}

check_suite() {
	local suite=$1 image
	log=$build/log/install-$suite work=$build/install/$suite
	image=$("$here/image.sh" "$suite")
	rm -rf "$log" "$work"
	mkdir -p "$log" "$work"
	cp "$image/vmlinuz" "$image/initrd" "$work"
	truncate -s 256M "$work/out"
	quietly "$log/qemu-img" qemu-img create -q -f qcow2 -F raw -b "$image/disk" "$work/disk"
	boot "$suite" first || return 0
	boot "$suite" second || return 0
	other_kernel || {
		report "$suite" FAIL "the second part gave out no kernel"
		return 0
	}
	boot "$suite" third || return 0
	rm -rf "$work"
}

[ $# -gt 0 ] || set -- bookworm trixie
machine
mkdir -p "$build/install" "$build/log"
"$top/packaging/deb.sh" >/dev/null
"$top/packaging/deb.sh" "$next" "$build/install/next" >/dev/null
media "$build/install/media"
for suite; do
	check_suite "$suite"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
