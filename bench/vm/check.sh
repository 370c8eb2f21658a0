#!/bin/bash
# SPDX-License-Identifier: MIT
# Count anew, and compare with the counts that were accepted. Fails when a count
# went up by more than its tolerance, is missing, or was never accepted; and when
# one grows with what is beside the caller, or is out of its bounds, accepted or not.
#
# usage: check.sh [accept]
#
# accept writes what the last run counted into the list of accepted counts, and
# leaves it to whoever reviews the change.

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

unset BENCH_CASES
csv=$build/bench/vm.csv
accepted=$top/bench/vm/accepted

# Counts repeat to about a percent; what depends on the kernel's own works more.
accept() {
	[ -e "$csv" ] || die "nothing has been counted yet; run 'make bench-vm' first"
	{
		sed -n '/^#/p' "$accepted"
		awk -F, 'NR == FNR { if (!/^#/) { split($0, old, " "); tolerance[old[1]] = old[3] } next }
			FNR > 1 { print $1, $2, ($1 in tolerance) ? tolerance[$1] : "3%" }' "$accepted" "$csv"
	} >"$accepted.part"
	mv "$accepted.part" "$accepted"
	say "accepted; see 'git diff bench/vm/accepted'"
}

compare() {
	awk -v how="bench/vm/check.sh accept" '
		FILENAME == ARGV[1] {
			if (!/^#/) {
				was[$1] = $2
				is_within[$1] = $3 + 0
			}
			next
		}
		FNR == 1 { next }
		{
			split($0, part, ",")
			name = part[1]
			now = part[2]
			seen[name] = 1
			if (!(name in was)) {
				printf "new   %-32s %.1f\n", name, now
				bad++
			} else if (now > was[name] * (1 + is_within[name] / 100) + 0.5) {
				printf "MORE  %-32s %.1f, accepted %.1f: up %.1f%%, within %d%% is fine\n",
					name, now, was[name], (now / was[name] - 1) * 100, is_within[name]
				bad++
			} else if (now < was[name] * (1 - is_within[name] / 100) - 0.5) {
				printf "less  %-32s %.1f, accepted %.1f\n", name, now, was[name]
				less++
			} else {
				fine++
			}
		}
		END {
			for (name in was)
				if (!(name in seen)) {
					printf "GONE  %-32s accepted %.1f\n", name, was[name]
					bad++
				}
			printf "%d counts as accepted, %d less, %d to look at\n", fine, less, bad
			if (bad || less)
				print "Where that is meant to be, accept it: " how
			exit bad > 0
		}' "$accepted" "$csv"
}

look_for_growth() {
	awk -F, -f "$top/bench/vm/family.awk" -f "$top/bench/vm/growth.awk" "$csv"
}

look_at_bounds() {
	awk -F, -f "$top/bench/vm/bounds.awk" "$top/bench/vm/bounds" "$csv"
}

if [ "${1:-}" = accept ]; then
	accept
else
	"$top/bench/vm/run.sh"
	echo
	failed=0
	compare || failed=1
	look_for_growth || failed=1
	look_at_bounds || failed=1
	exit $failed
fi
