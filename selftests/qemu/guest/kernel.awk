# SPDX-License-Identifier: MIT
# Judge what /dev/kmsg said during a test. Prints three lines, empty where
# nothing is wrong: the first sign of trouble; how many slabs were lost at an
# unload; whether any unload was counted at all. Then, one a line, the data races of the
# kernel's own code, which are no trouble of the module's.

BEGIN {
	# What the kernel says only when something is wrong.
	bad = "WARNING:|BUG:|BUG |INFO: |KASAN|UBSAN|Oops|Call Trace|possible circular|possible recursive" \
	      "|inconsistent lock|suspicious RCU|unreferenced object|blocked for more than|page allocation failure" \
	      "|general protection|stack-protector|Objects remaining|still has objects|bad usercopy|corrupt"

	# What works on whatever it is given: whose that is its caller says.
	helpers = "^(__)?(rb_|xas?_|radix_tree_|list_|mem(cpy|move|set|cmp)|refcount_)|^_find_"
}

# Messages of programs have a facility, which is a number over 7 in front.
/^[0-9]+,/ && $0 + 0 < 8 {
	sub(/^[^;]*;/, "")
	if (is_of_race($0))
		next
	note($0 ~ bad)
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
	# it was cut short
	if (race != "")
		end_of_race()
	print trouble
	print lost
	print counted ? "" : "not counted"
	for (i = 1; i <= others; i++)
		print other[i]
}

function note(is_trouble, text) {
	if (trouble == "" && is_trouble)
		trouble = text == "" ? $0 : text
}

# A report has the stack of each of the two accesses, or of one where the other was not seen.
# It is the module's where one of them is, itself or by a helper.
function end_of_race() {
	if (is_ours)
		note(1, race)
	else
		other[++others] = race
	race = ""
}

# Whether a line is part of a report, from its title to its end.
function is_of_race(line) {
	if (line ~ /^BUG: KCSAN: /) {
		if (race != "")
			end_of_race()
		race = line
		is_ours = is_seen = 0
	} else if (race == "") {
		return 0
	} else if (line ~ /^Reported by Kernel Concurrency Sanitizer/) {
		end_of_race()
	} else if (line ~ / to 0x[0-9a-f]+ of [0-9]+ bytes by /) {
		is_seen = 0
	} else if (line ~ /^ [^ ]+\+0x[0-9a-f]+\/0x[0-9a-f]+/) {
		look_at_frame(line)
	} else if (line !~ /^$|^ *(\||\+->|bits changed|value changed)/) {
		# another processor's
		return 0
	}
	return 1
}

function look_at_frame(line) {
	sub(/^ */, "", line)
	if (is_seen || line ~ helpers)
		return
	is_seen = 1
	if (line ~ /\[bufpool\]/)
		is_ours = 1
}
