# SPDX-License-Identifier: MIT
# Name the calls that cost more the more there is beside them, and fail if there
# are any. Needs family.awk.

NR > 1 { family_add($1, $2) }

END {
	for (k = 1; k <= nr_families; k++) {
		key = families[k]
		if (!family_grows(key))
			continue
		bad++
		printf "GROWS %-32s %.2f x with more %s, up to 1.15 x is fine\n",
			family_call(key), family_growth(key), family_axis(key)
	}
	printf "%d calls beside more and more: %d grow\n", nr_families, bad
	exit bad > 0
}
