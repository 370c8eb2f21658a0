#!/bin/sh
# SPDX-License-Identifier: MIT
# What mmdebstrap does before it installs the kernel.
#
# usage: setup.sh ROOT
#
# The kernels' packages make initial file systems. To find out what the VM's disks
# need would take minutes in it.
set -eu

mkdir -p "$1/etc/initramfs-tools/conf.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/few"
printf '%s\n' virtio_pci virtio_blk ext4 >>"$1/etc/initramfs-tools/modules"
