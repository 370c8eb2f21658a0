#!/bin/bash
# SPDX-License-Identifier: MIT
# Make sure that this machine has what building, checking and the VM need:
# silent when it has, installs what is missing where it may, and otherwise
# says what is missing and how to get it.
#
# usage: packages.sh [SET...]
#
# demo: what builds the module and the programs, and runs them in a VM
# check: all that "make check" and "make lint" use; without a SET that
# kernels: what other releases' and architectures' kernels are built and run with
# coverage: what draws pages of what was run
# bench: what is measured beside bufpool, and what draws the pictures
# deb: what the Debian packages are built and looked at with
# install: what the Debian systems are made with that they are installed in

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
		iox-roudi iceoryx
		/usr/lib/x86_64-linux-gnu/libiceoryx_binding_c.so libiceoryx-binding-c-dev
	EOF
}

needs_coverage() {
	cat <<-'EOF'
		gcov gcc
		genhtml lcov
	EOF
}

needs_deb() {
	cat <<-'EOF'
		dpkg-buildpackage dpkg-dev
		/usr/share/build-essential/essential-packages-list build-essential
		dh debhelper
		dh_dkms dh-dkms
		dh_python3 dh-python
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

needs_demo() {
	cat <<-'EOF'
		gcc gcc
		make make
		flock util-linux
		cpio cpio
		rsync rsync
		xz xz-utils
		modinfo kmod
		qemu-system-x86_64 qemu-system-x86
		/usr/share/seabios/bios-256k.bin seabios
		/usr/share/qemu/linuxboot_dma.bin qemu-system-data
		/usr/lib/x86_64-linux-gnu/libelf.so.1 libelf1
		/usr/include/x86_64-linux-gnu/sys/cdefs.h libc6-dev
	EOF
}

needs_kernels() {
	cat <<-'EOF'
		mmdebstrap mmdebstrap
		qemu-system-aarch64 qemu-system-arm
	EOF
}

needs_check() {
	needs_demo
	cat <<-'EOF'
		g++ g++
		bc bc
		bison bison
		flex flex
		perl perl
		python3 python3
		pkg-config pkg-config
		clang clang
		musl-gcc musl-tools
		valgrind valgrind
		sparse sparse
		spin spin
		shellcheck shellcheck
		mandoc mandoc
		/usr/include/libelf.h libelf-dev
		/usr/include/openssl/ssl.h libssl-dev
		/usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a gcc-multilib
		/usr/lib32/libc.a libc6-dev-i386
		/usr/include/liburing.h liburing-dev
		/usr/include/infiniband/verbs.h libibverbs-dev
		/usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so ibverbs-providers
		/usr/include/bpf/bpf.h libbpf-dev
		/usr/include/xdp/xsk.h libxdp-dev
		ip iproute2
		fio fio
		mkfs.ext4 e2fsprogs
		mkfs.xfs xfsprogs
	EOF
}

# busybox may be the dynamic one, which the VM cannot use.
static_busybox() {
	local path
	path=$(command -v busybox) && ! ldd "$path" >/dev/null 2>&1
}

missing() {
	local set what package
	for set; do
		"needs_$set" | while read -r what package; do
			case $what in
			/*) compgen -G "$what" >/dev/null || echo "$package" ;;
			*) command -v "$what" >/dev/null || echo "$package" ;;
			esac
		done
		[[ $set != @(demo|check) ]] || static_busybox || echo busybox-static
	done
}

# The commands that get root here, as an array; fails where there is no way.
become_root() {
	as_root=()
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null && sudo -n true 2>/dev/null && as_root=(sudo -n)
}

# What apt says goes to a file; a person sees how far it is.
run_apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q=1 -y -o Dpkg::Use-Pty=0 \
		-o DPkg::Lock::Timeout=300 --no-install-recommends "$@" </dev/null 2>&1 |
		tee -a "$log" |
		awk '/newly installed/ { all = $1 + $3 }
			/^Need to get|^After this/ { sub(/\.$/, ""); print "bufpool: " tolower(substr($0, 1, 1)) substr($0, 2); fflush() }
			/^Setting up/ { if (++n % 10 == 0 || n == all) { print "bufpool: " n " of " all " packages"; fflush() } }' >&2
}

install_packages() {
	mkdir -p "${log%/*}"
	: >"$log"
	say "installing $*"
	run_apt install "$@" && return
	# The lists may be absent or older than the archive.
	run_apt update && run_apt install "$@"
}

# The kernels come from the archive too; a fresh machine may have no lists.
has_lists() {
	compgen -G "$cache/versions-*" >/dev/null || ! command -v apt-cache >/dev/null || apt-cache show linux-source >/dev/null 2>&1
}

update_lists() {
	become_root || die "apt has no lists of packages; as root, run: apt-get update"
	say "fetching the lists of packages"
	# without a network apt is content with what it has
	{ "${as_root[@]}" apt-get -q=2 update >&2 && has_lists; } ||
		die "apt still knows no kernel to fetch; see above, check the network and the sources of apt, and try again"
}

[ $# -gt 0 ] || set -- check
log=$build/log/packages
[[ " $* " != *" check "* && " $* " != *" demo "* ]] || has_lists || update_lists
mapfile -t wanted < <(missing "$@" | sort -u)
[ ${#wanted[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null ||
	die "missing: what Debian's packages ${wanted[*]} bring; this machine has no apt-get, so install them by hand"
how="apt-get install --no-install-recommends ${wanted[*]}"
become_root || die "missing packages: ${wanted[*]}; as root, run: $how"
install_packages "${wanted[@]}" || {
	tail -n 20 "$log" >&2
	die "could not install ${wanted[*]}; see above or all of it in $log, check the network and try as root: $how"
}
