#!/bin/bash
# SPDX-License-Identifier: MIT
# Make the VM's initial file system; needs no root, since the kernel brings
# /dev/console along and devtmpfs the rest.
#
# usage: initramfs.sh KERNEL FILE MODE TESTS_DIRECTORY [NAME=VALUE...]
#
# MODE is one of guest/*.sh, and the names and values are told to it.

. "$(dirname "$0")/lib.sh"

copy_busybox() {
	local name
	cp "$busybox" "$root/bin/busybox"
	# every architecture's has the same commands
	for name in $(busybox --list); do
		[ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
	done
}

# unpack_module FILE: into the VM, whose insmod knows no compression
unpack_module() {
	case $1 in
	*.xz) xz -dc "$1" >"$root/modules/$(basename "$1" .xz)" ;;
	*) cp -t "$root/modules" "$1" ;;
	esac
}

# add_module NAME: and before it what it depends on; load lists them in order
add_module() {
	local file name
	file=$(find -L "$kernel_dir/modules/kernel" -name "${1//[-_]/[-_]}.ko*" -print -quit 2>/dev/null || true)
	[ -n "$file" ] && ! grep -qx "$1" "$root/modules/load" || return 0
	for name in $(modinfo -F depends "$file" | tr ',' ' '); do
		add_module "$name"
	done
	unpack_module "$file"
	basename "${file%.ko*}" >>"$root/modules/load"
}

# The stock kernels have the swap device in modules, and what it compresses with.
copy_modules() {
	local name
	: >"$root/modules/load"
	for name in lzo-rle zram; do
		add_module "$name"
	done
	[ ! -d "$work/modules" ] || cp "$work"/modules/*.ko "$root/modules"
}

# What the programs inside are linked with, where the loader looks for it.
copy_libraries() {
	local name path
	# ldd fails when one of the files is a script
	{ find "$root/tests" "$root/tools" -type f -perm -u+x -exec ldd {} + 2>/dev/null || true; } |
		awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 } $1 ~ /^\/lib.*\/ld-/ { print "-", $1 }' | sort -u |
		while read -r name path; do
			if [ "$name" = - ]; then
				mkdir -p "$root${path%/*}"
				cp -L "$path" "$root$path"
			else
				mkdir -p "$root/lib/x86_64-linux-gnu"
				cp -L "$path" "$root/lib/x86_64-linux-gnu/$name"
			fi
		done
}

# Another architecture's come with its compiler; what is not static needs only these.
copy_foreign_libraries() {
	local lib=/usr/aarch64-linux-gnu/lib
	mkdir -p "$root/lib"
	"$qemu_dir/toolchain.sh" "$(field_of "$kernel" release)" \
		cp -L $lib/ld-linux-aarch64.so.1 $lib/libc.so.6 $lib/libm.so.6 "$root/lib"
	[ ! -e "$programs/userlib/libbufpool.so.0" ] || cp -L "$programs/userlib/libbufpool.so.0" "$root/lib"
}

# So that a test can be somebody else.
write_users() {
	cat >"$root/etc/passwd" <<-'EOF'
		root:x:0:0:root:/:/bin/sh
		nobody:x:65534:65534:nobody:/:/bin/sh
	EOF
	chmod 755 "$root"
}

# drop_other_tests TESTS: a VM takes seconds to unpack programs that it does not run
drop_other_tests() {
	local name
	while read -r name; do
		[[ " $1 " = *" $name "* ]] || rm -f "$root/tests/$name"
	done <"$root/tests/tests.list"
}

# The shell reads these as assignments.
write_run() {
	local pair
	printf 'mode=%q\n' "$mode"
	for pair in "$@"; do
		printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"
	done
}

[ $# -ge 4 ] || die "usage: initramfs.sh KERNEL FILE MODE TESTS_DIRECTORY [NAME=VALUE...]"
kernel=$1 file=$2 mode=$3 tests=$4
shift 4
kernel=$(build_of "$kernel")
kernel_dir=$("$qemu_dir/kernel.sh" "$kernel")
work=$build/$kernel
arch=$(field_of "$kernel" arch)
programs=$(programs_of "$arch")
busybox=$(command -v busybox)
[ "$arch" = amd64 ] || busybox=$("$qemu_dir/busybox.sh" "$arch")
mkdir -p "$work" "${file%/*}"
root=$(mktemp -d "$work/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,data,dev,etc,guest,modules,proc,run,sys,tests,tmp,tools}
cp "$qemu_dir/guest/init" "$root/init"
chmod +x "$root/init"
cp "$qemu_dir"/guest/*.sh "$qemu_dir"/guest/*.awk "$root/guest"
copy_busybox
copy_modules
write_users
[ ! -d "$tests" ] || cp -rL "$tests/." "$root/tests"
[[ ${1:-} != tests=* ]] || drop_other_tests "${1#tests=}"
[ ! -d "$programs/tools" ] || find "$programs/tools" -maxdepth 1 -type f -perm -u+x -exec cp -t "$root/tools" {} +
[ "$mode" != demo ] || cp "$kernel_dir/bzImage" "$root/data/vmlinuz"
if [ "$arch" = amd64 ]; then
	LD_LIBRARY_PATH=$build/userlib copy_libraries
else
	copy_foreign_libraries
fi
write_run "$@" >"$root/etc/run"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$file" ||
	die "could not write $file; is the disk full?"
