#!/bin/sh
# SPDX-License-Identifier: MIT
# bufpoolctl: what it says, and how it ends, where the system or an older module refuses it
# something.
#
# bufpoolctl is on the PATH, ./older and ./pty are built beside this. Needs root, and the
# module loaded.

. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/ctl.sh"

parameters=/sys/module/bufpool/parameters
tab=$(printf '\t')
escape=$(printf '\033')

# answers STATUS SCRIPT WORDS...: run where what it mounts is its own, it ends so, and says
# all of the words
answers() {
	expected=$1 script=$2
	shift 2
	apart "$script" >"$work/out" 2>"$work/err" </dev/null
	same "exit status of $script" $? "$expected" && says "$@"
}

# user_answers STATUS SCRIPT WORDS...: as nobody; what the script is run after is in $before
user_answers() {
	expected=$1 script=$2
	shift 2
	answers "$expected" "$before && su -s /bin/sh nobody -c 'PATH=$PATH; $script'" "$@"
}

# A node of the device in a new /dev, mounted with these options
device_in() {
	read -r numbers </sys/class/misc/bufpool/dev
	echo "mount -t tmpfs ${1:+-o $1} tmpfs /dev && mknod -m ${2:-660} /dev/bufpool c ${numbers%:*} ${numbers#*:}"
}

# --- the device

# As in a container
root_without_devices() {
	answers 4 "$(device_in nodev) && exec bufpoolctl info" "though you are root here" "outside of the container" !modprobe
}

member_without_devices() {
	echo "bufpool:x:4242:nobody" >"$work/group"
	chmod 644 "$work/group"
	[ -e /etc/group ] || : >/etc/group
	before="mount --bind $work/group /etc/group && $(device_in nodev) && chgrp 4242 /dev/bufpool"
	user_answers 4 "bufpoolctl info" "though its group and mode allow it" getfacl !usermod
}

# What no group has as its number is said as that.
group_without_a_name() {
	echo "bufpool:x:4242:nobody" >"$work/group"
	before="mount --bind $work/group /etc/group && $(device_in) && chgrp 4343 /dev/bufpool"
	user_answers 4 "bufpoolctl info" "belongs to the group 4343" "'chgrp bufpool /dev/bufpool'"
}

node_out_of_sight() {
	before="$(device_in) && chmod 700 /dev"
	user_answers 4 "bufpoolctl info" "you may not look at /dev/bufpool"
}

# The shell has three descriptors, and this is one too many.
without_descriptors() {
	answers 1 "ulimit -S -n 3; exec bufpoolctl info" "/dev/bufpool: " "Too many open files"
}

# One client is the shell's.
one_client_too_many() {
	read -r most <$parameters/max_clients
	echo 1 >$parameters/max_clients
	before=$(device_in "" 666)
	user_answers 1 "exec 3<>/dev/bufpool; exec bufpoolctl info" "as many clients" "raise max_clients" "end " !exceeded
	result=$?
	echo "$most" >$parameters/max_clients
	return $result
}

# --- files

read_only_files() {
	answers 4 "mount --bind /sys /sys && mount -o remount,bind,ro /sys && exec bufpoolctl limit 64M" \
		"cannot be written in here" "outside of the container"
}

# with_parameter SCRIPT: which makes the file "limit" in an otherwise empty directory
with_parameter() {
	echo "mount -t tmpfs tmpfs $parameters && cd $parameters && $1 && exec bufpoolctl limit"
}

bad_parameters() {
	answers 1 "$(with_parameter 'echo many >limit')" "has no number: 'many" || return
	answers 1 "$(with_parameter ': >limit')" "has no number: ''" || return
	answers 1 "$(with_parameter 'mkdir limit')" "$parameters/limit: Is a directory" || return
	answers 1 "$(with_parameter :)" "there is no $parameters/limit" "the module is older than this program"
}

# A file of another one has columns that are not known, and lacks some.
other_columns() {
	clients=/sys/kernel/debug/bufpool/clients
	cat >"$work/clients" <<-'END'
		pid colour blocks comm
		7 red 12 a name  with blanks
		8 green x
		9
	END
	bind="mount --bind $work/clients $clients"
	apart "$bind && exec bufpoolctl --tab top" >"$work/out" 2>"$work/err" </dev/null || return
	same "pids, blocks and names" "$(cut -f 1,3,11 "$work/out" | tail -n +2)" \
		"$(printf '7\t12\ta name  with blanks\n8\tnone\t\n9\tnone\t')" || return
	: >"$work/clients"
	apart "$bind && exec bufpoolctl --tab top" >"$work/out" 2>"$work/err" </dev/null || return
	same "lines" "$(wc -l <"$work/out")" 1 || return
	answers 1 "mount -t tmpfs tmpfs /sys/kernel/debug/bufpool && mkdir $clients && exec bufpoolctl top" "$clients: Is a directory"
}

# Their pids are larger than any: that of bufpoolctl itself would be left out.
many_clients() {
	awk 'BEGIN { print "pid blocks"; for (i = 1; i <= 300; i++) print 4194304 + i, i }' >"$work/clients"
	apart "mount --bind $work/clients /sys/kernel/debug/bufpool/clients && exec bufpoolctl --tab top -o blocks" \
		>"$work/out" 2>"$work/err" </dev/null || return
	same "clients, and the first" "$(awk 'NR == 2 { first = $1 } END { print NR - 1, first }' "$work/out")" "300 4194604"
}

other_versions() {
	version=/sys/module/bufpool/version
	[ -e $version ] || return 0
	for text in '' '"1.0"' '{}'; do
		echo "$text" >"$work/version"
		apart "mount --bind $work/version $version && exec bufpoolctl --tab info" >"$work/out" 2>"$work/err" </dev/null
		same "exit status" $? 0 && has "$work/out" "module_version${tab}none" || return
	done
	echo 9.9.9-rc1+x >"$work/version"
	apart "mount --bind $work/version $version && exec bufpoolctl --tab info" >"$work/out" 2>"$work/err" </dev/null
	has "$work/out" "module_version${tab}9.9.9-rc1+x"
}

# --- an older module

# older_ctl CALLS STATUS ARGUMENT...: like ctl, before a module that does not know the calls
older_ctl() {
	calls=$1 expected=$2
	shift 2
	./older "$calls" bufpoolctl "$@" >"$work/out" 2>"$work/err" </dev/null
	same "exit status of bufpoolctl $*" $? "$expected"
}

older_module() {
	ctl 0 --tab info || return
	sizes=$(grep "^block_sizes" "$work/out")
	# it described no classes, and had one for each size of slabs
	older_ctl class 0 --tab info && same sizes "$(grep '^block_sizes' "$work/out" | cut -d , -f 1-3)" \
		"$(echo "$sizes" | cut -d , -f 1-3)" || return
	older_ctl quota 1 limit -u nobody && says "too old to have quotas of single users" || return
	older_ctl quota 1 quota -u nobody 1M && says "too old to have quotas of single users" || return
	older_ctl rent 1 rent -i -t 0 && says "got 0 of 1 blocks" "too old to have blocks for I/O" || return
	older_ctl stats 1 stat && says "/dev/bufpool: " || return
	older_ctl info 1 info && says "/dev/bufpool: "
}

# --- the end of what there is

# Some allocation fails, whichever: it says so, or does without.
without_memory() {
	refused=0
	for command in info stat classes top "rent -n 10000 -w 0 -t 0" "--json limit x" "top -o x"; do
		room=1000
		while [ $room -lt 6000 ]; do
			# shellcheck disable=SC2016 # for the other shell
			sh -c 'ulimit -S -v $1; shift; exec bufpoolctl $*' sh $room "$command" >"$work/out" 2>"$work/err" </dev/null
			status=$?
			[ $status -ne 1 ] || ! has "$work/err" "out of memory" || refused=$((refused + 1))
			room=$((room + 500))
		done
		case $status in
		0 | 2) ;;
		*)
			say "bufpoolctl $command: exit status $status at last"
			return 1
			;;
		esac
	done
	[ $refused -gt 0 ]
}

# on_terminal LINE: what it says on one, ended by whatever it does
on_terminal() {
	echo "$1" >"$work/session"
	TERM=linux ./pty sh "$work/session" </dev/null >"$work/screen"
}

terminal_without_descriptors() {
	on_terminal "sh -c 'ulimit -S -n 4; exec bufpoolctl top' 2>$work/err; echo \$? >$work/status"
	same "exit status" "$(cat "$work/status")" 1 && says "signalfd: Too many open files"
}

# What it says is behind the last that it draws: there it stays, on the screen that it came from.
terminal_without_clients() {
	clients=/sys/kernel/debug/bufpool/clients
	on_terminal "unshare -m sh -c 'mount -t tmpfs tmpfs /sys/kernel/debug/bufpool && mkdir $clients && exec bufpoolctl top'; echo \$? >$work/status"
	same "exit status" "$(cat "$work/status")" 1 || return
	screen=$(cat "$work/screen")
	echo "${screen##*"${escape}[?1049l"}" >"$work/err"
	says "$clients: Is a directory"
}

[ -c /dev/bufpool ] || skip_all "there is no /dev/bufpool"
[ "$(id -u)" = 0 ] || skip_all "this needs root"
need_commands bufpoolctl ./older ./pty
chmod 755 "$work"

echo "TAP version 13"
test_case "root who is kept from devices" root_without_devices
test_case "a member of the group who is kept from devices" member_without_devices
test_case "a device of a group without a name" group_without_a_name
test_case "a device that cannot be looked at" node_out_of_sight
test_case "no descriptor is left" without_descriptors
test_case "no client is left" one_client_too_many
test_case "files that are read-only" read_only_files
test_case "files without numbers" bad_parameters
test_case "clients with other columns" other_columns
test_case "many clients" many_clients
test_case "other versions" other_versions
test_case "an older module" older_module
test_case "no memory is left" without_memory
test_case "a terminal, and no descriptor for signals" terminal_without_descriptors
test_case "a terminal, and no clients to read" terminal_without_clients
test_end
