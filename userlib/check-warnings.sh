#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-warnings.sh USERLIB UAPI: compilers warn of what a program does wrong with its
# blocks, and of nothing where it does nothing wrong. Gcc tells a block from malloc()'s
# memory, and knows what gives it back; clang knows which results must be used.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
include="-I$1 -I$2"

# program BODY: a function with a pool
program() {
	printf '#include <bufpool.h>\n#include <stdlib.h>\n#include <string.h>\n'
	printf 'int program(struct bufpool *pool)\n{\n%s\n}\n' "$1"
}

# compile COMPILER... BODY: what it says
compile() {
	program "$2" > "$work/program.c"
	# shellcheck disable=SC2086 # words
	LC_ALL=C $1 $include -c -o /dev/null "$work/program.c" 2>&1 || :
}

# warns COMPILER WARNING BODY
warns() {
	compile "$1" "$3" | grep -q "\[-W$2\]" || {
		echo "${0##*/}: '$1' does not warn, by -W$2, of: $3" >&2
		exit 1
	}
}

silent() {
	said=$(compile "$1 -Wall -Wextra" "$2")
	[ -z "$said" ] || {
		echo "${0##*/}: '$1' warns of what is right:" >&2
		echo "$said" >&2
		exit 1
	}
}

lost='	bufpool_rent(pool, 100, 0);
	return 0;'
freed='	char *b = bufpool_rent(pool, 100, 0);
	free(b);
	return 0;'
used='	char *b = bufpool_rent(pool, 100, 0);
	int ret = bufpool_return(pool, b, 0);
	memset(b, ret, 100);
	return ret;'
right='	char *b = bufpool_rent(pool, 100, 0);
	if (!b)
		return -1;
	memset(b, 1, 100);
	return bufpool_return(pool, b, 0);'

for level in -O0 -O2; do
	for compiler in gcc clang; do
		warns "$compiler $level" unused-result "$lost"
		silent "$compiler $level" "$right"
	done
	warns "gcc $level -Wall" mismatched-dealloc "$freed"
	warns "gcc $level -Wall" use-after-free "$used"
done
