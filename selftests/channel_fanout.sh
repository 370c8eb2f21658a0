#!/bin/sh
# SPDX-License-Identifier: MIT
# Workers that may do nothing but receive and send answer requests, and die of anything
# else: fanout of the examples, as root and as somebody without rights.

. "$(dirname "$0")/tap.sh"

died_of() {
	grep -q "wants to $1: killed by $2\$" "$work/said"
}

# fanned_out COMMAND...: the server's own judgement, and what it prints
fanned_out() {
	"$@" >"$work/said" 2>&1
	ret=$?
	sed 's/^/# /' "$work/said"
	[ $ret -eq 0 ] && same "the right answers, twice" "$(grep -c '12 right answers' "$work/said")" 2
}

as_nobody() {
	chmod a+rw /dev/bufpool
	fanned_out su -s /bin/sh nobody -c "$(command -v fanout)"
	ret=$?
	chmod go-rw /dev/bufpool
	return $ret
}

need_commands fanout
echo "TAP version 13"
test_case "answers, as root" fanned_out fanout
test_case "another's block is SIGBUS" died_of "touch a block that is not its own" SIGBUS
test_case "a block that was sent is SIGBUS" died_of "touch what it has sent" SIGBUS
for deed in "open a file" "open a socket" "rent a block" "kill the server"; do
	test_case "to $deed is SIGSYS" died_of "$deed" SIGSYS
done
if [ ! -e /proc/self/ns/user ]; then
	test_skip "answers, as nobody" "this kernel has no user namespaces"
else
	test_case "answers, as nobody" as_nobody
fi
test_end
