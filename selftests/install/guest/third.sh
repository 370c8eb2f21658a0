# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Another kernel, "make install" beside the packages, and their end; to be sourced.

# shellcheck source=lib.sh
. ./lib.sh

source=/root/bufpool-$version

other_kernel() {
	case $release in *cloud*) ;; *) return 1 ;; esac
	node_is_the_groups
	first_runs
	loaded_is "$next"
}

beside() {
	tar -C /root -xf "bufpool-$version.tar.xz"
	make -C "$source" module userlib tools
	make -C "$source" install 2>&1 | tee /tmp/said
	grep 'modprobe prefers .*/dkms/' /tmp/said
	modinfo -n bufpool | grep /dkms/
	loaded_is "$next"
	make -C "$source" uninstall
	loaded_is "$next"
	first_runs
}

removed_in_use() {
	hold
	apt_says remove bufpool-dkms
	grep 'in use and stays loaded' /tmp/said
	still_holds
	let_go
	unload
}

# left: files that are called after it, but those that this test or its user made
left() {
	find / -xdev \( -path /root -o -path /home -o -path /tmp -o -path /var/lib/apt/lists -o -path /var/cache \) -prune \
		-o -name '*bufpool*' -print
	find "$node" 2>/dev/null
	grep -ls bufpool /lib/modules/*/modules.* || true
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' '*bufpool*' 2>/dev/null | grep -v not-installed || true
}

purged() {
	apt purge bufpool-dkms bufpool-tools bufpool-doc python3-bufpool libbufpool0 libbufpool-dev
	test -z "$(left)"
}

# shellcheck disable=SC2016 # for alice's shell
installed_by_make() {
	make -C "$source" install
	loaded_is "$version"
	node_is_the_groups
	modinfo -n bufpool | grep /extra/
	as alice 'cd first && cc -o first first.c $(pkg-config --cflags --libs libbufpool)'
	first_runs
	man -w 8 bufpoolctl
	bufpoolctl --version | grep -F "$version"
}

uninstalled_by_make() {
	make -C "$source" uninstall
	test ! -e /sys/module/bufpool
	test -z "$(left)"
}

step 'the other kernel boots and has the module' other_kernel
step 'beside the packages make install warns, and goes without a trace' beside
step 'the package is removed while a program holds blocks' removed_in_use
step 'nothing is left after a purge' purged
step 'make install alone gives a working device' installed_by_make
step 'nothing is left after make uninstall' uninstalled_by_make
