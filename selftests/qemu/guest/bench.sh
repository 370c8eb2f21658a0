# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Count what things cost, all or some of them, and tell the host.

# strangers that wait, poll or hold nothing are thousands of tasks and files
sysctl -q -w fs.nr_open=1048576 kernel.threads-max=30000 kernel.pid_max=40000 kernel.sched_rt_runtime_us=-1
# shellcheck disable=SC2086,SC2154 # words, and the host tells them
load_module && chmod 666 /dev/bufpool && /tests/count $cases >&3
