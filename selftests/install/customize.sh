#!/bin/sh
# SPDX-License-Identifier: MIT
# What mmdebstrap does when the packages are installed: fetch more of them into
# apt's cache, and have the test run after a boot.
#
# usage: SUITE=... customize.sh ROOT
#
# apt is the host's, and reaches the archive as the host does.
set -eu

root=$1

headers() {
	# shellcheck disable=SC2016 # dpkg-query's variables
	chroot "$root" dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'linux-headers-*' 'linux-kbuild-*' |
		sed -n 's/^installed //p'
}

download() {
	APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q=2 -y --download-only --no-install-recommends "$@"
}

download install "linux-image-cloud-amd64/$SUITE-backports" "linux-headers-cloud-amd64/$SUITE-backports"
# shellcheck disable=SC2046 # words are meant to be split
download --reinstall install $(headers)

chroot "$root" systemctl -q enable install-check.service
# they would hold apt's lock while they look for a network
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer
echo check >"$root/etc/hostname"
chroot "$root" update-initramfs -u -k all
