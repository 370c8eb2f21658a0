# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# What the modes of the VM share.

# The host sees this at once: a line of the verdict, or, with | in front, text.
verdict() {
	echo "$*" >&3
}

load_module() {
	insmod "$BUFPOOL_KO" dyndbg=+p
}

module_loaded() {
	grep -q '^bufpool ' /proc/modules
}

# Descriptors of killed processes close a moment after them: try for a while.
unload_module() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rmmod bufpool 2>/run/rmmod && return
		usleep 300000
	done
	return 1
}
