#!/bin/bash
# SPDX-License-Identifier: MIT
# Look for data races: run the tests in which tasks meet, on the kernel that watches
# memory accesses for that (KCSAN), with as many processors as tasks that meet. A report
# fails the test in which one of both accesses is the module's; those about the kernel's own
# code are counted, and listed at the end.
#
# usage: race.sh [KERNEL]
#
# TESTS names other tests; BUFPOOL_STRESS_SECONDS is how long the races last, instead of 20.

. "$(dirname "$0")/lib.sh"

tests=$(awk '!/^#/ && / meets( |$)/ { print $1 }' "$qemu_dir/tests" | xargs)
kernel=${1:-$(kernels_of race)}
"$qemu_dir/build.sh" user "$kernel"
"$qemu_dir/accel.sh" >/dev/null
export TESTS=${TESTS:-$tests} BUFPOOL_CPUS=${BUFPOOL_CPUS:-4}
export BUFPOOL_STRESS_SECONDS=${BUFPOOL_STRESS_SECONDS:-20}
status=0
"$qemu_dir/suite.sh" "$kernel" "$build/log/race" || status=$?
read -r _ _ _ seconds <"$build/log/race/counts" || seconds='?'
echo "seconds: tests $seconds, all $SECONDS"
total "$build/log/race/counts" && exit $status
