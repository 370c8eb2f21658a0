# SPDX-License-Identifier: MIT
# Judge what /dev/kmsg said during a test. Prints three lines, empty where
# nothing is wrong: the first sign of trouble; how many slabs were lost at an
# unload; whether any unload was counted at all.

BEGIN {
	# What the kernel says only when something is wrong.
	bad = "WARNING:|BUG:|BUG |INFO: |KASAN|UBSAN|Oops|Call Trace|possible circular|possible recursive" \
	      "|inconsistent lock|suspicious RCU|unreferenced object|blocked for more than|page allocation failure" \
	      "|general protection|stack-protector|Objects remaining|still has objects|bad usercopy|corrupt"
}

# Messages of programs have a facility, which is a number over 7 in front.
/^[0-9]+,/ && $0 + 0 < 8 {
	sub(/^[^;]*;/, "")
	if (trouble == "" && $0 ~ bad)
		trouble = $0
	if (/ slabs created, [0-9]+ destroyed/) {
		counted = 1
		created = $0
		sub(/ slabs created.*/, "", created)
		sub(/.* /, "", created)
		destroyed = $0
		sub(/.*created, /, "", destroyed)
		if (created + 0 != destroyed + 0)
			lost = $0
	}
}
END {
	print trouble
	print lost
	print counted ? "" : "not counted"
}
