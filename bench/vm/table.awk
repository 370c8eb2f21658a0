# SPDX-License-Identifier: MIT
# The counts as people read them: what stands alone against the call that does
# nothing, and what grows as one line for all levels. Needs family.awk.

NR == 1 { next }

family_add($1, $2) { next }

{
	if ($1 == "ioctl.empty")
		empty = $2
	ratio = $1 ~ /faults|bytes/ || !empty ? "" : sprintf("%8.2f", $2 / empty)
	printf "%-24s %12.1f %s\n", $1, $2, ratio
}

function print_heading(key,	i) {
	axis = family_axis(key)
	printf "\n%-24s", "with " axis ":"
	for (i = 1; i <= family_size[key]; i++)
		printf " %9d", family_level[axis, i]
	print ""
}

function print_family(key,	i) {
	printf "%-24s", family_call(key)
	for (i = 1; i <= family_size[key]; i++)
		printf " %9.1f", family_count[key, i]
	printf "   %.2f x%s\n", family_growth(key), family_grows(key) ? "  <-- grows" : ""
}

END {
	for (k = 1; k <= nr_families; k++) {
		if (family_axis(families[k]) != axis)
			print_heading(families[k])
		print_family(families[k])
	}
}
