# SPDX-License-Identifier: MIT
# Count what a test program reported. Prints the plan (- for none), the cases
# passed, failed and skipped, then on a second line the names of what failed
# or the reason of a skip.

BEGIN { plan = "-" }

/^1\.\.[0-9]+/ {
	plan = substr($1, 4) + 0
	if (/# *SKIP/)
		say(after_skip())
}
/^ok / {
	if (/# *SKIP/) {
		skipped++
		say(after_skip())
	} else {
		passed++
	}
}
/^not ok / {
	failed++
	title = $0
	sub(/^not ok *[0-9]* *(- )?/, "", title)
	say(title == "" ? "case " (passed + failed + skipped) : title)
}
END {
	print plan, passed + 0, failed + 0, skipped + 0
	print words
}

function after_skip(text) {
	text = $0
	sub(/.*# *SKIP */, "", text)
	return text
}

function say(text) {
	if (length(words) < 200 && text != "")
		words = words (words == "" ? "" : ", ") text
}
