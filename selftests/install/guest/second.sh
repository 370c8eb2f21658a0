# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# After a boot: use, a newer bufpool and a newer kernel; to be sourced.

# shellcheck source=lib.sh
. ./lib.sh

after_boot() {
	test ! -e /sys/module/bufpool
	node_is_the_groups
}

service_is_first() {
	service -p PrivateDevices=yes -p BindPaths="$node"
	loaded_is "$version"
	node_is_the_groups
}

use_repository() {
	echo 'deb [trusted=yes] file:/mnt/next ./' >/etc/apt/sources.list.d/next.list
	apt update -o Dir::Etc::sourcelist=sources.list.d/next.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
}

upgrade_in_use() {
	hold
	use_repository
	apt_says install bufpool-dkms bufpool-tools libbufpool0 libbufpool-dev python3-bufpool bufpool-doc
	grep "version $version, is in use" /tmp/said
	still_holds
	loaded_is "$version"
	built_for "$release"
	test "$(modinfo -F version bufpool)" = "$next"
	first_runs
	let_go
}

change_to_newer() {
	unload
	modprobe bufpool
	loaded_is "$next"
	node_is_the_groups
	first_runs
}

# The two packages alone are of another suite, and what only that has.
newer_kernel() {
	local suite
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)-backports
	apt install --no-install-recommends "linux-image-cloud-amd64/$suite" "linux-headers-cloud-amd64/$suite"
	built_for cloud-amd64
	built_for "$release"
	tar -C /boot -cf /dev/vdc --transform='s,-.*,,' "$(basename /boot/vmlinuz-*cloud*)" "$(basename /boot/initrd.img-*cloud*)"
}

step 'after a boot the device is there, and no module' after_boot
step 'the first who opens it loads the module, be it a service' service_is_first
step 'programs of before run' first_runs
step 'bufpool is upgraded while a program holds blocks' upgrade_in_use
step 'then the newer module takes over' change_to_newer
step 'a kernel comes, and dkms builds for it' newer_kernel
