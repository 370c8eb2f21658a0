#!/bin/bash
# SPDX-License-Identifier: MIT
# Make sure that this machine has what building, checking and the VM need:
# silent when it has, installs what is missing where it may, and otherwise
# says what is missing and how to get it.
#
# usage: packages.sh [bench|deb|install]
#
# bench: only what is measured beside bufpool, and what draws the pictures.
# deb: only what the Debian packages are built and looked at with.
# install: only what the Debian systems are made with that they are installed in.

. "$(dirname "$0")/lib.sh"

# What must be there, and the Debian package that brings it. A path is a file
# to look for, anything else a command.
needs_bench() {
	cat <<-'EOF'
		gcc gcc
		make make
		pkg-config pkg-config
		go golang-go
		gnuplot gnuplot-nox
		valgrind valgrind
		/usr/include/jemalloc/jemalloc.h libjemalloc-dev
		/usr/include/mimalloc.h libmimalloc-dev
		/usr/include/dpdk/rte_mempool.h libdpdk-dev
	EOF
}

needs_deb() {
	cat <<-'EOF'
		dpkg-buildpackage dpkg-dev
		/usr/share/build-essential/essential-packages-list build-essential
		dh debhelper
		dh_dkms dh-dkms
		lintian lintian
	EOF
}

needs_install() {
	cat <<-'EOF'
		git git
		xz xz-utils
		dpkg-scanpackages dpkg-dev
		mmdebstrap mmdebstrap
		/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
		newuidmap uidmap
		genext2fs genext2fs
		mke2fs e2fsprogs
		qemu-img qemu-utils
		qemu-system-x86_64 qemu-system-x86
		/usr/share/seabios/bios-256k.bin seabios
		/usr/share/qemu/linuxboot_dma.bin qemu-system-data
	EOF
}

needs_check() {
	cat <<-'EOF'
		gcc gcc
		g++ g++
		make make
		flock util-linux
		bc bc
		bison bison
		flex flex
		cpio cpio
		rsync rsync
		xz xz-utils
		depmod kmod
		perl perl
		python3 python3-minimal
		pkg-config pkg-config
		clang clang
		sparse sparse
		shellcheck shellcheck
		mandoc mandoc
		qemu-system-x86_64 qemu-system-x86
		/usr/share/seabios/bios-256k.bin seabios
		/usr/share/qemu/linuxboot_dma.bin qemu-system-data
		/usr/include/libelf.h libelf-dev
		/usr/include/openssl/ssl.h libssl-dev
		/usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a gcc-multilib
		/usr/include/x86_64-linux-gnu/sys/cdefs.h libc6-dev
		/usr/lib32/libc.a libc6-dev-i386
	EOF
}

# busybox may be the dynamic one, which the VM cannot use.
static_busybox() {
	local path
	path=$(command -v busybox) && ! ldd "$path" >/dev/null 2>&1
}

missing() {
	local what package
	"needs_$set" | while read -r what package; do
		case $what in
		/*) compgen -G "$what" >/dev/null || echo "$package" ;;
		*) command -v "$what" >/dev/null || echo "$package" ;;
		esac
	done
	[ "$set" != check ] || static_busybox || echo busybox-static
}

# The commands that get root here, as an array; fails where there is no way.
become_root() {
	as_root=()
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null && sudo -n true 2>/dev/null && as_root=(sudo -n)
}

install_packages() {
	local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q=2 -o DPkg::Lock::Timeout=300)
	say "installing $*"
	"${apt[@]}" --no-install-recommends install "$@" >&2 </dev/null && return
	# The lists may be absent or older than the archive.
	"${apt[@]}" update >&2 &&
		"${apt[@]}" --no-install-recommends install "$@" >&2 </dev/null
}

# The kernels come from the archive too; a fresh machine may have no lists.
has_lists() {
	[ -e "$cache/versions" ] || ! command -v apt-cache >/dev/null || apt-cache show linux-source >/dev/null 2>&1
}

update_lists() {
	become_root || die "apt has no lists of packages; as root, run: apt-get update"
	say "fetching the lists of packages"
	"${as_root[@]}" apt-get -q=2 update >&2 || die "could not fetch the lists of packages; see above"
}

PATH=$PATH:/usr/sbin:/sbin
set=${1:-check}
[ "$set" != check ] || has_lists || update_lists
mapfile -t wanted < <(missing | sort -u)
[ ${#wanted[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null ||
	die "missing: what Debian's packages ${wanted[*]} bring; this machine has no apt-get, so install them by hand"
how="apt-get install --no-install-recommends ${wanted[*]}"
become_root || die "missing packages: ${wanted[*]}; as root, run: $how"
install_packages "${wanted[@]}" || die "could not install ${wanted[*]}; see above, and try as root: $how"
