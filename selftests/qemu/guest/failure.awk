# SPDX-License-Identifier: MIT
# What people want to see of a failed test's output: of each failed case
# what stands between the case before and it, else the last lines.

{
	line[NR] = $0
}
/^ok / {
	case_from = NR + 1
}
/^not ok / {
	found = 1
	for (i = case_from < NR - 20 ? NR - 20 : case_from; i <= NR && printed < 80; i++) {
		printed++
		print "| " line[i]
	}
	case_from = NR + 1
}
END {
	for (i = NR - 15; !found && i <= NR; i++)
		if (i > 0)
			print "| " line[i]
}
