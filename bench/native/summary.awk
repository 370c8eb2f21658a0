# SPDX-License-Identifier: MIT
# From lines "workload peer wall cpu" a table in CSV: of the wall times median,
# smallest, largest, and the median's ratio to that of libbufpool; of the
# processor times the median.

function sort(values, count,    i, j, value) {
	for (i = 2; i <= count; i++) {
		value = values[i]
		for (j = i - 1; j > 0 && values[j] > value; j--)
			values[j + 1] = values[j]
		values[j + 1] = value
	}
}

# Sorts what is in list, separated by blanks, into sorted.
function median(list,    count) {
	count = split(list, sorted, " ")
	for (i in sorted)
		sorted[i] += 0
	sort(sorted, count)
	smallest = sorted[1]
	largest = sorted[count]
	return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

{
	key = $1 "," $2
	if (!(key in wall)) {
		keys[++n] = key
		workload[key] = $1
	}
	wall[key] = wall[key] " " $3
	cpu[key] = cpu[key] " " $4
}

END {
	print "workload,peer,median,min,max,ratio,cpu"
	for (k = 1; k <= n; k++) {
		key = keys[k]
		own = workload[key] ",libbufpool"
		ratio = own in wall ? sprintf("%.3f", median(wall[key]) / median(wall[own])) : ""
		middle = median(wall[key])
		printf "%s,%.3f,%.3f,%.3f,%s,", key, middle, smallest, largest, ratio
		printf "%.3f\n", median(cpu[key])
	}
}
