#!/bin/sh
# SPDX-License-Identifier: MIT
# A server sends a file with MSG_ZEROCOPY and returns each block while the socket has it;
# what arrives is the file, at a fast client and at a slow one: serve_zerocopy of the
# examples.

. "$(dirname "$0")/tap.sh"

port=7777

listens() {
	grep -q ":$(printf %04X $port) 00000000:0000 0A" /proc/net/tcp
}

# slowly: what comes, with pauses
slowly() {
	for _ in 1 2 3 4 5; do
		sleep 0.2
		dd bs=64k count=2 2>/dev/null
	done
	cat
}

fetch_fast() {
	nc 127.0.0.1 $port </dev/null | sha256sum
}

fetch_slowly() {
	nc 127.0.0.1 $port </dev/null | slowly | sha256sum
}

both_at_once() {
	fetch_slowly >"$work/one" &
	fetch_fast >"$work/two"
	wait $!
	cat "$work/one" "$work/two"
}

need_commands serve_zerocopy nc
ip link set lo up 2>/dev/null || ifconfig lo 127.0.0.1 up
make_file "$work/file" 8001000
sum=$(sum_of "$work/file")
serve_zerocopy $port "$work/file" 4 &
server=$!
echo "TAP version 13"
test_case "the server listens" soon listens
test_case "a fast client" same "the sum" "$(fetch_fast)" "$sum"
test_case "a slow client" same "the sum" "$(fetch_slowly)" "$sum"
test_case "two clients" same "the sums" "$(both_at_once)" "$sum
$sum"
test_case "the server ends well" wait $server
test_end
