#!/bin/sh
# SPDX-License-Identifier: MIT
# A file goes through frames of AF_XDP that are in rented blocks, from one network namespace
# to another, and is the same afterwards: xdp_file of the examples.

. "$(dirname "$0")/tap.sh"

make_interfaces() {
	ip netns add bufpool-far &&
		ip link add veth-near type veth peer name veth-far netns bufpool-far &&
		ip link set veth-near up && ip -n bufpool-far link set veth-far up
}

remove_interfaces() {
	ip netns delete bufpool-far
}

far() {
	ip netns exec bufpool-far "$@"
}

receives() {
	far /usr/sbin/ip link show veth-far | grep -q xdp
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

passes() {
	soon receives && xdp_file send veth-near "$work/from" && soon ended "$1" && wait "$1"
}

# sent BYTES
sent() {
	make_file "$work/from" "$1"
	far xdp_file receive veth-far >"$work/to" &
	passes $! || {
		kill $!
		return 1
	}
	same "the sum" "$(sum_of "$work/to")" "$(sum_of "$work/from")"
}

need_commands xdp_file /usr/sbin/ip
make_interfaces || skip_all "there are no virtual network interfaces here"
echo "TAP version 13"
for bytes in 0 1 1024 1001000; do
	test_case "$bytes bytes" sent $bytes
done
test_case "the interfaces go" remove_interfaces
test_end
