#!/bin/sh
# SPDX-License-Identifier: MIT
# What needs no process, by KUnit: the module bufpool_kunit.ko, which runs its cases when it is
# loaded. It is BUFPOOL_KUNIT, or beside where the harness has its modules.

ko=${BUFPOOL_KUNIT:-/modules/bufpool_kunit.ko}

. "$(dirname "$0")/tap.sh"

[ -e "$ko" ] || skip_all "this kernel has no KUnit: there is no $ko"

# What the kernel's log says since the module was loaded; and it says so of each case.
load_suites() {
	echo "bufpool: units begin" >/dev/kmsg
	insmod "$ko" && rmmod bufpool_kunit || return
	dmesg | sed '1,/bufpool: units begin/d' | sed 's/^\[[^]]*\] //' >"$work/log"
}

# suite_is_ok SUITE: and why not
suite_is_ok() {
	grep -qE "^ok [0-9]+ (- )?$1\$" "$work/log" && return
	sed -n "/Subtest: $1\$/,/^\(not \)\?ok/p" "$work/log" | sed 's/^/# /'
	return 1
}

suites="bytes budget lru classes slab handle place kept holding account waitq poll warm"

# Whether there is none that nobody looks at
all_are_known() {
	# shellcheck disable=SC2086 # words
	[ "$(grep -c '# Subtest: bufpool_' "$work/log")" -eq "$(echo $suites | wc -w)" ]
}

test_case "the module comes and goes" load_suites
for suite in $suites; do
	test_case "$suite" suite_is_ok "bufpool_$suite"
done
test_case "there is no other suite" all_are_known
test_end
