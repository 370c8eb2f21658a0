#!/bin/bash
# SPDX-License-Identifier: MIT
# Boot a kernel with an initial file system, and wait for its end.
#
# usage: vm.sh KERNEL INITRAMFS DIRECTORY
#        vm.sh -i KERNEL INITRAMFS
#
# The directory gets two files: console, what kernel and programs say, and
# verdict, what the first process says. With -i the console is this terminal.
# Exits with 124 when the VM had not ended by itself after BUFPOOL_DEADLINE
# seconds. BUFPOOL_ACCEL=kvm or tcg decides how the processor is made; with count
# there is one, whose clock is the number of instructions it has executed.
# With BUFPOOL_LEAN a debug kernel remembers no leaks and no objects in use, which takes it
# half of its time. BUFPOOL_APPEND is added to the kernel's command line; BUFPOOL_CPUS is how many
# processors an amd64 machine has, instead of 2. BUFPOOL_DISKS are files, disk-NAME
# each, for disks whose serial number is NAME.

. "$(dirname "$0")/lib.sh"

interactive=
if [ "${1:-}" = -i ]; then
	interactive=1
	shift
fi
kernel=$1 initramfs=$2
accel=${BUFPOOL_ACCEL:-$("$qemu_dir/accel.sh")}
kernel_dir=$("$qemu_dir/kernel.sh" "$kernel")
preemption=$(field_of "$kernel" preempt)
arch=$(field_of "$kernel" arch)
append="panic=-1 oops=panic panic_on_warn=1 printk.devkmsg=on log_buf_len=4M random.trust_cpu=on"
# The kernel's own code races, too, which is no reason to end: guest/kernel.awk tells whose a
# report is, and sees warnings. It looks for races when it has booted. Where it stops at an
# access it has to do so for as long as it takes an emulated processor to come there.
! finds_races "$kernel" ||
	append+=" panic_on_warn=0 kcsan.early_enable=0 kcsan.skip_watch=2000 kcsan.udelay_task=1000 kcsan.udelay_interrupt=100"
# KASAN watches every object. What SLUB knows besides is wanted for the module's own caches,
# and what programs take of the kernel is many times as much.
! is_debug "$kernel" || append+=" slub_debug=-;FZPU,bufpool*"
! is_lean "$kernel" || append+=" kmemleak=off no_debug_objects"
append+=" ${preemption:+preempt=$preemption} ${BUFPOOL_APPEND:-}"

# With five-level page tables a KASAN kernel may take its own addresses for wild ones,
# for a moment while it looks at its processor.
amd64_machine() {
	# A kernel without ACPI is told of one processor in each socket only.
	local cpus=${BUFPOOL_CPUS:-2}
	local smp=(-smp "$cpus,sockets=$cpus")
	case $accel in
	kvm) qemu=("${smp[@]}" -accel kvm -cpu "host,la57=off") ;;
	tcg)
		qemu=("${smp[@]}" -accel "tcg,thread=multi" -cpu "max,la57=off")
		# On a busy machine a kernel that has to find that out may be wrong by
		# several times, and then its seconds, and all timeouts, are short.
		append+=" tsc=reliable tsc_early_khz=$("$qemu_dir/tsc.sh")"
		;;
	count) qemu=(-smp 1 -accel tcg -icount "shift=0,sleep=off" -cpu "max,la57=off") ;;
	*) die "BUFPOOL_ACCEL is kvm, tcg or count, not '$accel'" ;;
	esac
	qemu=(qemu-system-x86_64 "${qemu[@]}")
	append+=" console=ttyS0 verdict=ttyS1 no_timer_check"
	verdict_port=(-serial chardev:verdict)
}

# A machine of the other architecture is emulated, whatever this one can do. Its board
# has one serial port.
arm64_machine() {
	qemu=(qemu-system-aarch64 -M "virt,gic-version=3" -smp 2 -accel "tcg,thread=multi" -cpu max)
	append+=" console=ttyAMA0 verdict=ttyS0"
	verdict_port=(-device "pci-serial,chardev=verdict")
}

add_disk() {
	local name=${1##*/disk-}
	qemu+=(-drive "file=$1,format=raw,if=none,id=$name,cache=unsafe,discard=unmap"
		-device "virtio-blk-pci,drive=$name,serial=$name")
}

"${arch}_machine"
for disk in ${BUFPOOL_DISKS:-}; do
	add_disk "$disk"
done
qemu+=(-nodefaults -display none -no-reboot -m 2G -kernel "$kernel_dir/bzImage" -initrd "$initramfs" -append "$append")
if [ -n "$interactive" ]; then
	exec "${qemu[@]}" -serial mon:stdio -chardev null,id=verdict "${verdict_port[@]}"
fi
exec timeout -k 5 "${BUFPOOL_DEADLINE:-600}" "${qemu[@]}" -serial "file:$3/console" \
	-chardev "file,id=verdict,path=$3/verdict" "${verdict_port[@]}" </dev/null
