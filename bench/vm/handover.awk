# SPDX-License-Identifier: MIT
# Of the counts those of messages that are handed over, in the CSV that tables and pictures are
# made of: handover.TRANSPORT.SIZE[.HOW] becomes a workload HOW-SIZE of the peer TRANSPORT.

BEGIN {
	FS = ","
	print "workload,peer,median,min,max"
}

$1 ~ /^handover\./ {
	split($1, part, ".")
	how = part[4] == "" ? "1" : part[4]
	printf "instructions-%s-%s,%s,%s,%s,%s\n", how, part[3], part[2], $2, $2, $2
}
