# SPDX-License-Identifier: MIT
# The counts as people read them: what stands alone against the call that does
# nothing, and what grows as one line for all levels.

NR == 1 { next }

$1 ~ /@/ {
	split($1, part, /[@=]/)
	key = part[2] " " part[1]
	if (!(key in rows)) {
		order[++keys] = key
		rows[key] = 0
	}
	value[key, ++rows[key]] = $2
	scale[part[2], rows[key]] = part[3]
	next
}

{
	if ($1 == "ioctl.empty")
		empty = $2
	ratio = $1 ~ /faults|bytes/ || !empty ? "" : sprintf("%8.2f", $2 / empty)
	printf "%-24s %12.1f %s\n", $1, $2, ratio
}

END {
	for (k = 1; k <= keys; k++) {
		split(order[k], part, " ")
		if (part[1] != axis) {
			axis = part[1]
			printf "\n%-24s", "with " axis ":"
			for (i = 1; (axis, i) in scale; i++)
				printf " %9d", scale[axis, i]
			print ""
		}
		least = most = value[order[k], 1]
		printf "%-24s", part[2]
		for (i = 1; i <= rows[order[k]]; i++) {
			v = value[order[k], i]
			printf " %9.1f", v
			least = v < least ? v : least
			most = v > most ? v : most
		}
		printf "   %.2f x%s\n", most / least, (most > 1.15 * least) ? "  <-- grows" : ""
	}
}
