#!/bin/sh
# SPDX-License-Identifier: MIT
# A file goes from one process's rented block into another's by RDMA, over rxe on a virtual
# network interface, and is the same afterwards: rdma_write of the examples.

. "$(dirname "$0")/tap.sh"

port=7778
address=10.7.7.1

make_device() {
	ip link add veth-rdma type veth peer name veth-peer &&
		ip address add $address/24 dev veth-rdma &&
		ip link set veth-rdma up && ip link set veth-peer up && ip link set lo up &&
		rdma link add rxe0 type rxe netdev veth-rdma
}

remove_device() {
	rdma link delete rxe0
	ip link delete veth-rdma
}

listens() {
	grep -q ":$(printf %04X $port) 00000000:0000 0A" /proc/net/tcp
}

# sent BYTES
sent() {
	make_file "$work/from" "$1"
	rdma_write rxe0 receive $port >"$work/to" &
	soon listens && rdma_write rxe0 send $address $port "$work/from" && wait $! || return
	same "the sum" "$(sum_of "$work/to")" "$(sum_of "$work/from")"
}

need_commands rdma_write rdma /usr/sbin/ip
make_device || skip_all "rxe makes no RDMA device here"
echo "TAP version 13"
for bytes in 0 1 4096 5001000; do
	test_case "$bytes bytes" sent $bytes
done
test_case "the device goes, and keeps no block" remove_device
test_end
