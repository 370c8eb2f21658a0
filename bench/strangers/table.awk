# SPDX-License-Identifier: MIT
# The times as a table, each also as a ratio to that beside nothing on the same kernel.
# Input: KERNEL BESIDE RENTS MEAN WORST.

NR == 1 {
	printf "%-14s %-12s %6s %10s %10s %16s\n", "kernel", "beside", "rents", "mean us", "worst us", "ratio to nothing"
}

$2 == "nothing" {
	mean = $4
	worst = $5
}

{
	printf "%-14s %-12s %6d %10d %10d %7.2f %8.2f\n", $1, $2, $3, $4, $5, $4 / mean, $5 / worst
}
