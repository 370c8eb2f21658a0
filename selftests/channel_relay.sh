#!/bin/sh
# SPDX-License-Identifier: MIT
# A file goes through channels by way of workers that are killed at any moment; what arrives
# is the file: relay of the examples.

. "$(dirname "$0")/tap.sh"

# How many workers are to be killed in all
kills_wanted=$(often 20)

# relayed BYTES ARGUMENT...: and what relay says is in $work/said
relayed() {
	make_file "$work/from" "$1"
	shift
	relay "$@" "$work/from" "$work/to" >"$work/said" || {
		sed 's/^/# /' "$work/said"
		return 1
	}
	same "the sum" "$(sum_of "$work/to")" "$(sum_of "$work/from")"
}

# workers_lost: as relay said
workers_lost() {
	sed -n 's/^workers: .* \([0-9]*\) lost$/\1/p' "$work/said"
}

undisturbed() {
	relayed "$1" && same "workers lost" "$(workers_lost)" 0 &&
		same "what was sent again" "$(grep -c '^again: *0 sent, 0 came twice' "$work/said")" 1
}

# A worker is killed every so many milliseconds; how many that are depends on the machine.
kills_survived() {
	kills=0
	tries=0
	while [ "$kills" -lt "$kills_wanted" ] && [ $tries -lt 50 ]; do
		relayed 6001000 --kill 1 --workers "$1" || return
		kills=$((kills + $(workers_lost)))
		tries=$((tries + 1))
	done
	say "$kills workers were killed in $tries runs"
	[ $kills -gt 0 ]
}

need_commands relay
echo "TAP version 13"
for bytes in 0 1 65536 5001000; do
	test_case "$bytes bytes" undisturbed $bytes
done
test_case "two workers, killed again and again" kills_survived 2
test_case "one worker, killed again and again" kills_survived 1
test_case "eight workers, killed again and again" kills_survived 8
test_end
