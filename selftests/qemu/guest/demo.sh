# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# The demonstration: its words go to the host's terminal.

run_raw() {
	local sum
	echo
	echo "The same with nothing but ioctl and mmap: raw $1 | sha256sum"
	sum=$(raw "$1" | sha256sum)
	echo "through a block  ${sum%% *}"
	[ "${sum%% *}" = "$2" ] && echo "equal"
}

run_demo() {
	local sum
	sum=$(sha256sum "$1")
	demo "$1" && run_raw "$1" "${sum%% *}"
	echo $? >/run/status
}

verdict start demo
load_module && run_demo /data/vmlinuz 2>&1 3>&- | sed 's/^/| /' >&3
status=$(cat /run/status)
if [ "$status" = 0 ] && unload_module; then
	verdict result demo pass 1 0 0 0
else
	verdict result demo fail 0 1 0 0 "status ${status:-none}: $(cat /run/rmmod)"
fi
verdict end
