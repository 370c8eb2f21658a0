#!/bin/bash
# SPDX-License-Identifier: MIT
# Run every test on every kernel of the table in "kernels", and say how it went in a
# table of README's.
#
# usage: matrix.sh [KERNEL...]     run, and print the table; it is build/log/matrix.md
#        matrix.sh --readme        put that table into README.md

. "$(dirname "$0")/lib.sh"

table=$build/log/matrix.md

# counts_of KERNEL: passed, failed, skipped and seconds, of its one or two VMs
counts_of() {
	cat "$build/log/$1/counts" "$build/log/$1-2/counts" 2>/dev/null |
		awk '{ p += $1; f += $2; s += $3; if ($4 > t) t = $4 } END { if (NR) print p, f, s, t; else print 0, 1, 0, 0 }'
}

# What people call it: the release that uname says, and what is special about it.
describe() {
	local release words=''
	release=$(cat "$("$qemu_dir/kernel.sh" "$1")/release")
	[ -z "$(field_of "$1" preempt)" ] || words=", preempt=$(field_of "$1" preempt)"
	! is_debug "$1" || words+=', built with KASAN, lockdep, kmemleak and more'
	echo "$release$words | Debian $(field_of "$1" suite), $(field_of "$1" arch)"
}

write_table() {
	local kernel p f s seconds
	echo '| kernel | from | passed | failed | skipped | seconds |'
	echo '|---|---|---:|---:|---:|---:|'
	for kernel; do
		read -r p f s seconds < <(counts_of "$kernel")
		echo "| $(describe "$kernel") | $p | $f | $s | $seconds |"
	done
}

put_into_readme() {
	[ -s "$table" ] || die "there is no table yet; run 'make check-matrix' first"
	awk -v table="$table" '
		/<!-- kernels -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
		/<!-- end of kernels -->/ { skip = 0 }
		!skip' "$top/README.md" >"$build/README.part"
	cat "$build/README.part" >"$top/README.md"
	rm "$build/README.part"
}

if [ "${1:-}" = --readme ]; then
	put_into_readme
	exit
fi
# shellcheck disable=SC2046 # words
[ $# -gt 0 ] || set -- $(kernels_of check ci matrix)
status=0
"$qemu_dir/check.sh" "$@" || status=$?
write_table "$@" | tee "$table"
exit $status
