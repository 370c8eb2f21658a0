# SPDX-License-Identifier: MIT
# Name the counts that are out of their bounds, and fail if there are any. Input: the bounds,
# "name factor other", and then the counts in CSV.

FILENAME == ARGV[1] {
	if (!/^#/) {
		split($0, part, " ")
		name[++bounds] = part[1]
		factor[bounds] = part[2]
		other[bounds] = part[3]
	}
	next
}

FNR > 1 { count[$1] = $2 }

END {
	for (b = 1; b <= bounds; b++) {
		if (!(name[b] in count) || !(other[b] in count)) {
			printf "GONE  %s, or %s, which it is not to be %s x of\n", name[b], other[b], factor[b]
			bad++
		} else if (count[name[b]] > factor[b] * count[other[b]]) {
			printf "OVER  %-32s %.1f is %.3f x %s, up to %s x is fine\n", name[b], count[name[b]],
				count[name[b]] / count[other[b]], other[b], factor[b]
			bad++
		}
	}
	printf "%d bounds: %d are not kept\n", bounds, bad
	exit bad > 0
}
