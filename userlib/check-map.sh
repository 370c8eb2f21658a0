#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-map.sh MAP HEADER LIBRARY: all three name the same functions.
set -eu

map=$1 header=$2 library=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/^\t\(bufpool_[a-z_]*\);$/\1/p' "$map" | sort > "$work/map"
sed -n 's/^[a-z][^(]*[ *]\(bufpool_[a-z_]*\)(.*/\1/p' "$header" | sort > "$work/header"
nm -D --defined-only "$library" | sed -n 's/.* T \([^@]*\).*/\1/p' | sort > "$work/library"

test -s "$work/map" || { echo "check-map: no symbols in $map" >&2; exit 1; }
diff -u "$work/map" "$work/header"
diff -u "$work/map" "$work/library"
