# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# How tests of bufpoolctl run it, and look at what it said: to be sourced after tap.sh.

# shellcheck disable=SC2154 # work is from tap.sh

# has FILE TEXT: it is in one of the file's lines
has() {
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		*"$2"*) return ;;
		esac
	done <"$1"
	return 1
}

# ctl STATUS ARGUMENT...: its exit status is that; what it said is in $work/out and
# $work/err
ctl() {
	expected=$1
	shift
	bufpoolctl "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	[ $status -eq "$expected" ] && return
	say "bufpoolctl $*: exit status $status, not $expected: $(cat "$work/err")"
	return 1
}

# apart SCRIPT: run it where what it mounts is its own
apart() {
	unshare -m sh -c "$1"
}

# says WORDS...: $work/err has all of them, but for those with ! in front
says() {
	for words; do
		case $words in
		!*) ! has "$work/err" "${words#!}" || break ;;
		*) has "$work/err" "$words" || break ;;
		esac
		shift
	done
	[ $# -eq 0 ] && return
	say "should say '$1': $(cat "$work/err")"
	return 1
}
