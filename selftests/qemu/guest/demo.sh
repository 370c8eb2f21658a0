# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# The demonstration: its words go to the host's terminal.

verdict start demo
load_module && (demo.sh /data/vmlinuz; echo $? >/run/status) 2>&1 3>&- | sed 's/^/| /' >&3
status=$(cat /run/status)
if [ "$status" = 0 ] && unload_module; then
	verdict result demo pass 1 0 0 0
else
	verdict result demo fail 0 1 0 0 "status ${status:-none}: $(cat /run/rmmod)"
fi
verdict end
