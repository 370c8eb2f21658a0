#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-man.sh TOP: the man pages are clean, and each has its example whole.
set -eu

man=$1/userlib/man examples=$1/examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

example() {
	sed -n '/^\.Bd -literal$/,/^\.Ed$/{/^\.[BE]d/d;s/\\e/\\/g;p}' "$1" > "$work/example"
	diff -u "$2" "$work/example"
}

mandoc -T lint -W warning "$man"/*.[34]
example "$man/libbufpool.3" "$examples/first.c"
example "$man/bufpool.4" "$examples/raw.c"

# The functions described are those of the header.
sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/s/^\.F[no] \(bufpool_[a-z_]*\).*/\1/p' "$man/libbufpool.3" | sort -u > "$work/man"
sed -n 's/^[a-z][^(]*[ *]\(bufpool_[a-z_]*\)(.*/\1/p' "$1/userlib/bufpool.h" | sort > "$work/header"
diff -u "$work/header" "$work/man"
