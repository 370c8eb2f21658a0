# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts in this directory share; to be sourced.

set -euo pipefail

qemu_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
top=$(cd "$qemu_dir/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bufpool

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

say() {
	echo "bufpool: $*" >&2
}

# A directory of the cache appears under its name only when it is whole, so an
# interrupted run leaves nothing that a later one could mistake for a result.
# usage: once NAME FUNCTION [ARG...]; the function fills the directory $1.
# Two runs at once wait for each other.
once() {
	local name=$1 make=$2
	shift 2
	mkdir -p "$cache" || die "cannot create the cache $cache; set XDG_CACHE_HOME to a directory on a disk with 6 GB free"
	(
		flock 9
		[ -d "$cache/$name" ] && exit 0
		rm -rf "$cache/$name.part"
		mkdir -p "$cache/$name.part"
		"$make" "$cache/$name.part" "$@"
		mv "$cache/$name.part" "$cache/$name"
	) 9>"$cache/${name%%-*}.lock"
}

# need_space MEGABYTES: refuse early rather than fail in the middle
need_space() {
	local free
	mkdir -p "$cache"
	free=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$cache has $free MB free and $1 MB are needed; free some, or set XDG_CACHE_HOME to another disk"
}
