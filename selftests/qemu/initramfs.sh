#!/bin/bash
# SPDX-License-Identifier: MIT
# Make the VM's initial file system; needs no root, since the kernel brings
# /dev/console along and devtmpfs the rest.
#
# usage: initramfs.sh KERNEL FILE MODE TESTS_DIRECTORY [NAME=VALUE...]
#
# MODE is one of guest/*.sh, and the names and values are told to it. BUFPOOL_PROGRAMS and
# BUFPOOL_MODULES are directories to take the programs and the modules from, instead of
# those where build.sh leaves them.

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

# module_file NAME: the kernel's file of it
module_file() {
	grep -m 1 -E "/${1//[-_]/[-_]}[.]ko[.a-z]*\$" <<<"$module_files" || true
}

# builtin NAME: the kernel has it without a module, or nothing says what it has so
builtin() {
	local file
	for file in "$kernel_dir"/{modules,build}/modules.builtin; do
		[ -e "$file" ] || continue
		grep -qE "/${1//[-_]/[-_]}[.]ko\$" "$file"
		return
	done
}

# add_module LIST NAME: and before it what it depends on; the list has them in order
add_module() {
	local list=$1 file name
	file=$(module_file "$2")
	[ -n "$file" ] || return 0
	for name in $(modinfo -F depends "$file" | tr ',' ' '); do
		add_module "$list" "$name"
	done
	name=$(basename "${file%.ko*}")
	[ -e "$root/modules/$name.ko" ] || unpack_module "$file"
	grep -qsx "$name" "$list" || echo "$name" >>"$list"
}

# The stock kernels have the swap device in modules, and what it compresses with; and the
# disk that costs nothing, for measuring; and the disk that coverage is taken home on.
copy_modules() {
	local name
	mkdir "$root/modules/of"
	: >"$root/modules/load"
	# shellcheck disable=SC2046
	for name in lzo-rle zram $([ "$mode" != bench ] || echo null_blk) \
		$([ -z "${BUFPOOL_COVERAGE:-}" ] || echo virtio_pci virtio_blk); do
		add_module "$root/modules/load" "$name"
	done
	[ ! -d "$modules" ] || cp "$modules"/*.ko "$root/modules"
}

# need_module LIST NAME: with ? behind it there are kernels that do without it
need_module() {
	local name=${2%\?}
	if [ -n "$(module_file "$name")" ]; then
		add_module "$1" "$name"
	elif [ "$name" = "$2" ] && ! builtin "$name"; then
		echo "missing the module $name" >>"$1"
	fi
}

# need_example LIST NAME
need_example() {
	if [ -e "$programs/examples/$2" ]; then
		cp -t "$root/tools" "$programs/examples/$2"
	else
		echo "missing the example $2, which is not built for want of a library" >>"$1"
	fi
}

# need_file LIST PATTERN: this machine's, and so no other architecture's
need_file() {
	local file
	file=$(compgen -G "$2" | head -n 1)
	if [ "$arch" = amd64 ] && [ -n "$file" ]; then
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	else
		echo "missing $2" >>"$1"
	fi
}

# need_disk LIST FILE_SYSTEM: it is the virtual machine's, see make_disks
need_disk() {
	need_module "$1" virtio_pci
	need_module "$1" virtio_blk
}

# What the table "needs" says of the tests that run: load_needed in the VM reads the lists.
copy_needed() {
	local test kind name
	while read -r test; do
		[ -e "$root/tests/$test" ] || continue
		while read -r kind name; do
			"need_$kind" "$root/modules/of/$test" "$name"
		done < <(needs_of "$test")
	done <"$root/tests/tests.list"
}

# What the programs inside are linked with, where the loader looks for it; and the library
# that a test loads by its name.
copy_libraries() {
	local name path
	mkdir -p "$root/lib/x86_64-linux-gnu"
	[ ! -e "$programs/userlib/libbufpool.so.0" ] || cp -L -t "$root/lib/x86_64-linux-gnu" "$programs/userlib/libbufpool.so.0"
	# ldd fails when one of the files is a script
	{ find "$root/tests" "$root/tools" "$root/usr" -type f \( -perm -u+x -o -name '*.so' \) -exec ldd {} + 2>/dev/null || true; } |
		awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 } $1 ~ /^\/lib.*\/ld-/ { print "-", $1 }' | sort -u |
		while read -r name path; do
			if [ "$name" = - ]; then
				mkdir -p "$root${path%/*}"
				cp -L "$path" "$root$path"
			else
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
modules=${BUFPOOL_MODULES:-$work/modules}
arch=$(field_of "$kernel" arch)
programs=$(programs_of "$arch")
busybox=$(command -v busybox)
[ "$arch" = amd64 ] || busybox=$("$qemu_dir/busybox.sh" "$arch")
mkdir -p "$work" "${file%/*}"
root=$(mktemp -d "$work/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,data,dev,etc,guest,modules,proc,run,sys,tests,tmp,tools,usr}
cp "$qemu_dir/guest/init" "$root/init"
chmod +x "$root/init"
cp "$qemu_dir"/guest/*.sh "$qemu_dir"/guest/*.awk "$root/guest"
module_files=$(find -L "$kernel_dir/modules/kernel" -name '*.ko*' 2>/dev/null || true)
copy_busybox
copy_modules
write_users
[ ! -d "$tests" ] || cp -rL "$tests/." "$root/tests"
[[ ${1:-} != tests=* ]] || drop_other_tests "${1#tests=}"
[ ! -d "$programs/tools" ] || find "$programs/tools" -maxdepth 1 -type f -perm -u+x -exec cp -t "$root/tools" {} +
[ ! -e "$root/tests/tests.list" ] || copy_needed
[ "$mode" != demo ] || cp -t "$root/tools" "$programs"/examples/{demo,raw}
[ "$mode" != demo ] || cp "$kernel_dir/bzImage" "$root/data/vmlinuz"
if [ "$arch" = amd64 ]; then
	LD_LIBRARY_PATH=$programs/userlib copy_libraries
else
	copy_foreign_libraries
fi
write_run "$@" >"$root/etc/run"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$file" ||
	die "could not write $file; is the disk full?"
