#!/bin/sh
# SPDX-License-Identifier: MIT
# What "make install" and "make uninstall" do with the module, its rule and its
# group; with DESTDIR in the environment nothing is done to this machine.
#
# usage: module.sh check
#        module.sh install KERNEL_BUILD_DIRECTORY MODULE UDEV_DIRECTORY
#        module.sh uninstall UDEV_DIRECTORY
#
# The kernel's own modules_install signs with a key that distributions keep to
# themselves, and is loud about it.
set -eu

: "${DESTDIR:=}"
PATH=$PATH:/usr/sbin:/sbin
rules=$(dirname "$0")/../module/60-bufpool.rules

say() {
	echo "bufpool: $*" >&2
}

# Before anything is put anywhere: a container, say, may have headers but no kernel.
do_check() {
	command -v modinfo >/dev/null || {
		say "modinfo and depmod are missing, nothing is installed; get them first, on Debian with: apt-get install kmod"
		exit 1
	}
}

# sign KDIR FILE: with the key that a kernel that was built here left
sign() {
	[ -e "$1/certs/signing_key.pem" ] || return 0
	"$1/scripts/sign-file" "$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"/\1/p' "$1/.config")" \
		"$1/certs/signing_key.pem" "$1/certs/signing_key.x509" "$2"
}

# put KDIR MODULE RELEASE: an older one may be there compressed
put() {
	dir=$DESTDIR/lib/modules/$3/extra
	rm -f "$dir"/bufpool.ko*
	install -D -m 644 "$2" "$dir/bufpool.ko"
	strip --strip-debug "$dir/bufpool.ko"
	sign "$1" "$dir/bufpool.ko"
}

make_group() {
	getent group bufpool >/dev/null || groupadd --system bufpool
}

reload_rules() {
	[ ! -e /run/udev/control ] || udevadm control --reload || true
}

# A package's module, which dkms builds, goes before one that was put here.
say_which() {
	found=$(modinfo -k "$1" -n bufpool)
	[ "$found" = "/lib/modules/$1/extra/bufpool.ko" ] ||
		say "modprobe prefers $found to this module; if that is of the package bufpool-dkms, remove one of both"
}

load() {
	[ "$1" = "$(uname -r)" ] || return 0
	if [ -e /sys/module/bufpool ]; then
		say "a module is loaded already; this one comes with: rmmod bufpool; modprobe bufpool"
	else
		modprobe bufpool || say "the module does not load; 'dmesg' says why"
	fi
}

# The module that is loaded goes, unless another one is installed that it may be.
unload() {
	! modinfo -n bufpool >/dev/null 2>&1 || return 0
	if [ -e /sys/module/bufpool ] && ! rmmod bufpool 2>/dev/null; then
		say "the module is in use and stays loaded; end what 'fuser -v /dev/bufpool' shows, then: rmmod bufpool"
		return
	fi
	# made at boot, for a module that would have been loaded
	rm -f /dev/bufpool
}

do_install() {
	release=$(modinfo -F vermagic "$2")
	release=${release%% *}
	put "$1" "$2" "$release"
	install -D -m 644 "$rules" "$DESTDIR$3/60-bufpool.rules"
	[ -z "$DESTDIR" ] || return 0
	make_group
	reload_rules
	depmod "$release"
	ldconfig
	say_which "$release"
	load "$release"
	say "installed; who is to rent joins the group: usermod -aG bufpool USER"
}

# For every kernel: which of them it was installed for is not remembered.
do_uninstall() {
	rm -f "$DESTDIR$1/60-bufpool.rules"
	for dir in "$DESTDIR"/lib/modules/*/extra; do
		ls "$dir"/bufpool.ko* >/dev/null 2>&1 || continue
		rm -f "$dir"/bufpool.ko*
		rmdir --ignore-fail-on-non-empty "$dir"
		release=${dir%/extra}
		[ -n "$DESTDIR" ] || depmod "${release##*/}"
	done
	[ -z "$DESTDIR" ] || return 0
	unload
	reload_rules
	ldconfig
	say "uninstalled; the group bufpool stays, and goes with: groupdel bufpool"
}

verb=$1
shift
"do_$verb" "$@"
