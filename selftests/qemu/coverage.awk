# SPDX-License-Identifier: MIT
# Add up what was run of the module, the library and the tools.
#
# The first file is coverage.reasons; the second what gcov -b -c -t says, after a line
# "test NAME" for each test, with names of files below the project's directory. To the
# files named by the variables info, by_test and missing go lcov's form, "NAME FILE:LINE" for
# each line that a test executes, and what none does. Prints a table; with bounds=1 the exit
# status is 1 where a part is below them, or a reason is none any more.

BEGIN {
	FS = "\t"
	nr_parts = split("module userlib tools", parts, " ")
}

# --- reasons

NR == FNR {
	if (!/^#/ && NF == 4) {
		reasons++
		why_file[reasons] = "^" $1 "$"
		why_what[reasons] = $2
		why_text[reasons] = $3
		why[reasons] = $4
	}
	next
}

# reason_for WHAT TEXT: why that is left out, in this file
function reason_for(what, text, i) {
	for (i = 1; i <= reasons; i++)
		if (why_what[i] == what && file ~ why_file[i] && text ~ why_text[i])
			return i
	return 0
}

# --- what gcov says

/^test / {
	test = substr($0, 6)
	next
}

/^ *-: *0:Source:/ {
	file = substr($0, index($0, "Source:") + 7)
	if (file !~ /^(module|userlib|tools)\//)
		file = ""
	at = why_function = 0
	next
}

file == "" || /^ *-: *0:/ || /^call / || /^-+$/ || /^[^:]*:$/ {
	next
}

/^function / {
	split($0, word, " ")
	why_function = reason_for("function", word[2])
	next
}

/^branch / {
	split($0, word, " +")
	branch(file ":" at, word[2], word[3] == "taken" ? word[4] : 0)
	next
}

/^ *[-#=0-9]+[*]?: *[0-9]+:/ {
	take_line()
}

function take_line(count, text, key) {
	count = $0
	sub(/:.*/, "", count)
	gsub(/[ *]/, "", count)
	text = $0
	sub(/^[^:]*:/, "", text)
	at = text + 0
	sub(/^[^:]*:/, "", text)
	if (count == "-")
		return
	key = file ":" at
	if (!(key in executed))
		add_line(key, text)
	executed[key] += count + 0
	if (count + 0 && !((test, key) in seen)) {
		seen[test, key] = 1
		if (by_test != "" && test != "")
			print test, key >by_test
	}
}

function add_line(key, text) {
	if (!(file in last))
		files[++nr_files] = file
	if (at > last[file])
		last[file] = at
	source[key] = text
	why_line[key] = why_function ? why_function : reason_for("lines", text)
	why_branch[key] = why_line[key] ? why_line[key] : reason_for("branches", text)
}

function branch(key, nr, count) {
	if (!(key in executed))
		return
	if (nr + 1 > numbers[key])
		numbers[key] = nr + 1
	taken[key, nr] += count
}

# --- the end

END {
	sort(files, nr_files)
	for (i = 1; i <= nr_files; i++)
		tell_file(files[i])
	printf "%-32s %6s %7s %9s %7s\n", "file", "lines", "%", "branches", "%"
	for (i = 1; i <= nr_files; i++)
		print_row(files[i])
	print ""
	for (i = 1; i <= nr_parts; i++)
		if (lines[parts[i]])
			judge(parts[i])
	for (i = 1; i <= reasons; i++)
		tell_reason(i)
	exit bad
}

function sort(names, count, i, j, name) {
	for (i = 2; i <= count; i++) {
		name = names[i]
		for (j = i - 1; j > 0 && names[j] > name; j--)
			names[j + 1] = names[j]
		names[j + 1] = name
	}
}

# tell_file NAME: in lcov's form, and what is missing
function tell_file(name, part, nr) {
	part = name
	sub(/\/.*/, "", part)
	print "TN:\nSF:" name >info
	for (nr = 1; nr <= last[name]; nr++)
		if ((name ":" nr) in executed)
			tell_line(name ":" nr, nr, name, part)
	print "end_of_record" >info
}

function tell_line(key, nr, name, part, i) {
	if (why_line[key]) {
		left_out(why_line[key], !executed[key])
		return
	}
	lines[name]++
	lines[part]++
	if (executed[key]) {
		lines_hit[name]++
		lines_hit[part]++
	} else {
		print key ": never: " source[key] >missing
	}
	print "DA:" nr "," executed[key] >info
	# calls have numbers among them
	for (i = 0; i < numbers[key]; i++)
		if ((key, i) in taken)
			tell_branch(key, nr, i, name, part)
}

function tell_branch(key, nr, i, name, part) {
	if (why_branch[key]) {
		left_out(why_branch[key], !taken[key, i])
		return
	}
	all[name]++
	all[part]++
	if (taken[key, i]) {
		all_hit[name]++
		all_hit[part]++
	} else if (executed[key]) {
		print key ": not branch " i ": " source[key] >missing
	}
	print "BRDA:" nr ",0," i "," (executed[key] ? taken[key, i] + 0 : "-") >info
}

function left_out(why, missed) {
	left[why]++
	needed[why] += missed
}

function percent(hit, of) {
	return of ? 100 * hit / of : 100
}

function print_row(name) {
	printf "%-32s %6d %7.1f %9d %7.1f\n", name, lines[name], percent(lines_hit[name], lines[name]),
		all[name], percent(all_hit[name], all[name])
}

function judge(part) {
	print_row(part)
	if (!bounds || (percent(lines_hit[part], lines[part]) >= 95 && percent(all_hit[part], all[part]) >= 85))
		return
	bad = 1
	print "below 95 % of the lines or 85 % of the branches: " part
}

# Whatever is left out is said.
function tell_reason(i) {
	printf "left out: %5d (%d not run) %s %s /%s/: %s\n", left[i], needed[i], why_file[i], why_what[i], why_text[i], why[i]
	if (!bounds || needed[i])
		return
	bad = 1
	print "no reason any more: everything of it is run"
}
