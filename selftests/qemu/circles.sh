#!/bin/bash
# SPDX-License-Identifier: MIT
# Find circles between the files of a directory: sources that use each other's
# symbols, as the linker sees them, and headers that include each other. Prints
# each circle with the symbols that close it; prints nothing when there is none.
#
# usage: circles.sh DIRECTORY OBJECT_DIRECTORY
#
# The object directory holds NAME.o for each NAME.c of the directory; what kbuild
# generates, NAME.mod.c, does not count.

. "$(dirname "$0")/lib.sh"

# Every object as "FILE.c defines|uses SYMBOL"
list_symbols() {
	local source object
	for source in "$dir"/*.c; do
		[[ $source != *.mod.c ]] || continue
		object=$objects/$(basename "$source" .c).o
		[ -e "$object" ] || die "there is no $object for $source"
		nm --format=posix --extern-only "$object" |
			awk -v file="$(basename "$source")" '{ print file, $2 ~ /^[Uvw]$/ ? "uses" : "defines", $1 }'
	done
}

# "USER DEFINER SYMBOL" for each symbol of one source that another one uses
symbol_uses() {
	list_symbols | awk '
		$2 == "defines" { definer[$3] = $1 }
		$2 == "uses" { user[++count] = $1; symbol[count] = $3 }
		END {
			for (i = 1; i <= count; i++)
				if (symbol[i] in definer && definer[symbol[i]] != user[i])
					print user[i], definer[symbol[i]], symbol[i]
		}'
}

# "HEADER HEADER #include" for each header that includes another one of the directory
header_uses() {
	local header included
	for header in "$dir"/*.h; do
		sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$header" |
			while read -r included; do
				[ ! -e "$dir/$included" ] || echo "$(basename "$header") $included #include"
			done
	done
}

# Each loop that tsort reports, one a line
loops() {
	cut -d ' ' -f 1,2 "$1" | sort -u | { LC_ALL=C tsort 2>&1 >/dev/null || true; } |
		awk '
			/contains a loop/ { if (NR > 1) print ""; next }
			{ printf "%s ", $2 }
			END { if (NR) print "" }'
}

# say_circles WHAT USES: every loop, each step with what ties the two files, and
# fail when there is one
say_circles() {
	loops "$2" | awk -v what="$1" -v dir="$dir" '
		NR == FNR {
			tie = $1 " -> " $2
			count[tie]++
			if (count[tie] <= 4)
				ties[tie] = ties[tie] (count[tie] > 1 ? ", " : "") $3
			next
		}
		{
			print "a circle of " NF " " what " in " dir ":"
			for (i = 1; i <= NF; i++) {
				onward[i] = $i " -> " $(i % NF + 1)
				back[i] = $(i % NF + 1) " -> " $i
			}
			for (i = 1; i <= NF && onward[i] in ties; i++)
				;
			for (j = 1; j <= NF; j++) {
				tie = i > NF ? onward[j] : back[j]
				more = count[tie] > 4 ? " and " count[tie] - 4 " more" : ""
				print "  " tie ": " ties[tie] more
			}
			found = 1
		}
		END { exit found }' "$2" -
}

[ $# -eq 2 ] || die "usage: circles.sh DIRECTORY OBJECT_DIRECTORY"
dir=$1 objects=$2 status=0
uses=$(mktemp)
trap 'rm -f "$uses"' EXIT
symbol_uses >"$uses"
say_circles sources "$uses" || status=1
header_uses >"$uses"
say_circles headers "$uses" || status=1
exit $status
