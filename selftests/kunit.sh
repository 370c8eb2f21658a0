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

test_case "the module comes and goes" load_suites
for suite in bytes budget lru classes slab handle place kept holding account waitq poll; do
	test_case "$suite" suite_is_ok "bufpool_$suite"
done
test_end
