# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# What each test had run of the module, or of the library and the tools; to be sourced.
# The host says which in coverage, and in coverage_root where they were built. It has
# descriptor 4: a disk without a file system, to which a tar file for each test goes.

gcov=/sys/kernel/debug/gcov
counts=/run/coverage

for disk in /sys/block/vd*; do
	[ "$(cat "$disk/serial")" != coverage ] || exec 4>"/dev/${disk##*/}"
done

# What the programs count lands below GCOV_PREFIX.
coverage_begin() {
	export GCOV_PREFIX="$counts/$1"
	mkdir -p "$GCOV_PREFIX/module" "$GCOV_PREFIX/userlib" "$GCOV_PREFIX/tools/objects"
	# shellcheck disable=SC2154 # from /etc/run
	if [ "$coverage" = module ]; then
		echo 0 >$gcov/reset
	else
		# every user's programs add to one file
		chmod -R a+rwX $counts
		umask 0
	fi
}

# When the module is gone, the kernel still has what was run of it to the end. At once, for
# the case that the VM ends early.
coverage_end() {
	# shellcheck disable=SC2154 # from /etc/run
	[ "$coverage" != module ] || cp "$gcov$coverage_root"/src/module/*.gcda "$GCOV_PREFIX/module"
	tar -cf - -C $counts "$1" >&4
	rm -rf "$GCOV_PREFIX"
	sync
}
