# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the parts share; to be sourced.

# shellcheck disable=SC2034 # set for those who source this

verdict=/dev/ttyS2
version=$(cat version)
next=$(cat next/version)
release=$(uname -r)
node=/dev/bufpool
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PS4='# '

# step NAME FUNCTION [ARG...]: one line of the verdict. What the function does
# is shown, and the first command that fails ends it.
step() {
	local name=$1
	shift
	printf '\n== %s\n' "$name"
	(
		set -ex
		"$@"
	)
	# not in an if: the function would go on after a failure
	# shellcheck disable=SC2181
	if [ $? -eq 0 ]; then
		echo "ok $name" >"$verdict"
	else
		echo "FAIL $name" >"$verdict"
	fi
}

# not COMMAND...: "!" alone would be no failure to the shell
not() {
	if "$@"; then
		return 1
	fi
}

apt() {
	apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# The package's lines are kept, to see what a person is told.
apt_says() {
	apt "$@" 2>&1 | tee /tmp/said
	return "${PIPESTATUS[0]}"
}

# as USER COMMAND: in a login of that user
as() {
	runuser -l "$1" -c "$2" </dev/null
}

built_for() {
	dkms status | grep "^bufpool.*$1.*installed"
}

loaded_is() {
	test "$(cat /sys/module/bufpool/version)" = "$1"
}

node_is_the_groups() {
	udevadm settle
	test "$(stat -c '%F %U:%G %a' $node)" = 'character special file root:bufpool 660'
}

first_runs() {
	test "$(as alice 'cd first && ./first')" = 'This is in a block of 4096 bytes.'
}

# service PROPERTY...: one of a user that is made for it rents a block
service() {
	local properties=(-p DynamicUser=yes -p SupplementaryGroups=bufpool -p "DeviceAllow=$node rw")
	systemd-run --quiet --wait --pipe "${properties[@]}" "$@" bufpoolctl rent -s 64K -t 0.1
}

# A program of alice's that holds blocks, in $holder
hold() {
	rm -f /tmp/held
	setpriv --reuid=alice --regid=alice --init-groups bufpoolctl rent -n 4 -s 1M -t 3600 >/tmp/held </dev/null &
	holder=$!
	while [ ! -s /tmp/held ]; do
		kill -0 "$holder"
		sleep 1
	done
}

still_holds() {
	grep -x 'bufpool-blocks:[[:space:]]*4' "/proc/$holder/fdinfo/"*
}

let_go() {
	kill "$holder"
	wait "$holder" || true
}

# The module is no longer in use when the last mapping is gone.
unload() {
	rmmod bufpool
	test ! -e /sys/module/bufpool
}

no_complaint() {
	dmesg >/tmp/dmesg
	not grep -E 'WARNING:|BUG:|Oops|blocked for more than' /tmp/dmesg
}
