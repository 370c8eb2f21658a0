#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-destdir.sh: "make install" puts every file where DESTDIR and PREFIX say and
# nothing elsewhere, "make uninstall" takes every one away. The kernel's tree is a
# stand-in, whose modules are empty; so this needs no root and no headers.
set -eu

: "${MAKE:=make}"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(cat "$here/../VERSION")

die() {
	echo "check-destdir: $*" >&2
	exit 1
}

# kernel_tree DIRECTORY: one that builds modules, with symbols to strip
kernel_tree() {
	mkdir -p "$1/scripts"
	echo 'CONFIG_MODULE_SIG_HASH="sha512"' >"$1/.config"
	cat >"$1/module.c" <<-'END'
		int x;
		const char magic[] __attribute__((section(".modinfo"))) = "vermagic=6.1.0-none SMP ";
	END
	cat >"$1/Makefile" <<-'END'
		modules: ; gcc -g -c -o $(M)/module/bufpool.ko module.c
	END
}

# with_key DIRECTORY: such a tree as its owner has, who signs
with_key() {
	mkdir -p "$1/certs"
	touch "$1/certs/signing_key.pem" "$1/certs/signing_key.x509"
	cat >"$1/scripts/sign-file" <<-'END'
		#!/bin/sh
		printf '%s' "signed $1" >>"$4"
	END
	chmod +x "$1/scripts/sign-file"
}

run() {
	$MAKE -s --no-print-directory -C "$here/.." O="$work/out" KDIR="$work/kernel" \
		CFLAGS=-O0 DESTDIR="$work/root" PREFIX="$prefix" "$@" >"$work/log" 2>&1 ||
		die "make $* failed: $(tail -n 5 "$work/log")"
	[ ! -s "$work/log" ] || die "make $* said: $(cat "$work/log")"
}

installed() {
	(cd "$work/root" && find . ! -type d | sort)
}

# What man 3 has, by the names of its functions
names() {
	sed -n 's/^\t\(bufpool_[a-z_]*\);$/\1/p' "$here/../userlib/libbufpool.map"
}

expected() {
	sed "s,@,.$prefix," <<-END | sort
		@/bin/bufpoolctl
		@/include/bufpool.h
		@/include/bufpool.hpp
		@/include/linux/bufpool.h
		@/lib/libbufpool-lto.a
		@/lib/libbufpool.a
		@/lib/libbufpool.so
		@/lib/libbufpool.so.0
		@/lib/libbufpool.so.$version
		@/lib/pkgconfig/libbufpool.pc
		@/share/bash-completion/completions/bufpoolctl
		$(names | sed 's|.*|@/share/man/man3/&.3|')
		@/share/man/man3/libbufpool.3
		@/share/man/man4/bufpool.4
		@/share/man/man8/bufpoolctl.8
		./etc/udev/rules.d/60-bufpool.rules
		./lib/modules/6.1.0-none/extra/bufpool.ko
	END
}

round() {
	run install
	installed >"$work/installed"
	expected | diff -u - "$work/installed" || die "make install put other files than these"
	run uninstall
	[ -z "$(installed)" ] || die "make uninstall left: $(installed)"
}

module=$work/root/lib/modules/6.1.0-none/extra/bufpool.ko
kernel_tree "$work/kernel"
prefix=/usr/local
round

# a compressed one, from an older version or another hand, gives way
mkdir -p "${module%/*}"
touch "$module.xz"
prefix=/opt/pool
round

with_key "$work/kernel"
run install
! readelf -S "$module" | grep -q debug_info || die "the module is not stripped"
grep -q 'signed sha512$' "$module" || die "the module is not signed with the kernel's key"
