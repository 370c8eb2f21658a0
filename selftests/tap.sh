# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What tests that are scripts share: to be sourced. A test ends with test_end.

work=$(mktemp -d)
count=0
failed=0

# skip_all WHY: none of this can be done here
skip_all() {
	rm -rf "$work"
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit 4
}

say() {
	echo "# $*"
}

# What is done after each case: for a test to say
after_case() {
	:
}

# test_case NAME COMMAND...: one line of the result
test_case() {
	title=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count $title"
	else
		echo "not ok $count $title"
		failed=$((failed + 1))
	fi
	after_case
}

# test_skip NAME WHY: this case alone cannot be done here
test_skip() {
	count=$((count + 1))
	echo "ok $count $1 # SKIP $2"
}

test_end() {
	rm -rf "$work"
	echo "1..$count"
	[ $failed -eq 0 ]
}

# same WHAT VALUE EXPECTED
same() {
	[ "$2" = "$3" ] && return
	say "$1 is '$2', not '$3'"
	return 1
}

# soon COMMAND...: becomes true, if not at once
soon() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || {
			say "does not happen: $*"
			return 1
		}
		sleep 0.1
	done
}

# need_commands NAME...: else all is skipped
need_commands() {
	for name in "$@"; do
		command -v "$name" >/dev/null || skip_all "there is no $name"
	done
}

# iproute2's, where busybox's shell would rather have its own
ip() {
	/usr/sbin/ip "$@"
}

# often TIMES: how often to do what shows something only now and then, as random.h has it
often() {
	if [ -e /sys/kernel/debug/kmemleak ] || [ -e /sys/kernel/debug/kcsan ] || [ -n "${BUFPOOL_BRIEF:-}" ]; then
		echo $((($1 + 7) / 8))
	else
		echo "$1"
	fi
}

sum_of() {
	sha256sum <"$1"
}

# make_file PATH BYTES: random ones
make_file() {
	head -c "$2" /dev/urandom >"$1"
}

# disk_of NAME: the disk with this serial number
disk_of() {
	for disk in /sys/block/*; do
		[ "$(cat "$disk/serial" 2>/dev/null)" = "$1" ] || continue
		echo "/dev/${disk##*/}"
		return
	done
	return 1
}

# mount_disk NAME: the one with this file system, at $work/NAME
mount_disk() {
	mkdir -p "$work/$1"
	mount -t "$1" "$(disk_of "$1")" "$work/$1"
}

# copied PROGRAM FILE_SYSTEM BYTES
copied() {
	from=$work/$2/from to=$work/$2/to
	make_file "$from" "$3" && sync && "$1" "$from" "$to" || return
	same "the size" "$(stat -c %s "$to")" "$3" || return
	echo 3 >/proc/sys/vm/drop_caches
	same "the sum" "$(sum_of "$to")" "$(sum_of "$from")"
}

# copies_on PROGRAM FILE_SYSTEM: files of several sizes, on the disk for it
copies_on() {
	if ! disk_of "$2" >/dev/null; then
		test_skip "$2" "there is no disk for it"
	elif ! grep -qw "$2" /proc/filesystems; then
		test_skip "$2" "this kernel has no $2"
	elif ! mount_disk "$2"; then
		test_case "mount a disk with $2" false
	else
		for bytes in 0 1 4096 20001000; do
			test_case "$bytes bytes on $2" copied "$1" "$2" $bytes
		done
		umount "$work/$2"
	fi
}
