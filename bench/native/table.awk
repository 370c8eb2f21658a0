# SPDX-License-Identifier: MIT
# A table in Markdown, a line for each peer and a column for each workload, from
# those lines of a CSV file whose workload begins with -v question=NAME. Ratios are
# to the peer -v own=NAME.
#
# -v show=   wall    median, spread and ratio
#            cpu     median of the processor time, and ratio
#            scale   both medians beside those of one thread
#            count   the third column as it is

function figure(value) {
	return sprintf(value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value)
}

# Nothing where that peer was not measured.
function ratio(value, base) {
	return base ? sprintf(" x%.2f", value / base) : ""
}

function cell(alone) {
	if (show == "cpu")
		return figure($7) ratio($7, cpu[$1, own])
	if (show == "count")
		return figure($3)
	if (show == "scale") {
		alone = $1
		sub(/[0-9]+/, "1", alone)
		return sprintf("%.2f (%.2f)", $3 / wall[alone, $2], $7 / cpu[alone, $2])
	}
	return figure($3) " (" figure($4) ".." figure($5) ")" ratio($3, wall[$1, own])
}

function pad(text, width) {
	return sprintf("%-" width "s", text)
}

function widen(column, text) {
	if (length(text) > width[column])
		width[column] = length(text)
}

function line(first, row,    i, text) {
	text = "| " pad(first, width[0]) " |"
	for (i = 1; i <= columns; i++)
		text = text " " pad(row == "" ? column[i] : table[row, i], width[i]) " |"
	print text
}

BEGIN { FS = "," }

FNR > 1 {
	wall[$1, $2] = $3
	cpu[$1, $2] = $7
}

FNR > 1 && index($1, question "-") == 1 || $1 == question {
	if (!($1 in number)) {
		number[$1] = ++columns
		column[columns] = $1
		widen(columns, $1)
	}
	if (!($2 in known)) {
		known[$2] = 1
		peer[++peers] = $2
		widen(0, $2)
	}
	text = cell()
	table[$2, number[$1]] = text
	widen(number[$1], text)
}

END {
	if (!columns)
		exit
	widen(0, "ns")
	line(show == "wall" || show == "cpu" ? "ns" : "", "")
	rule = "|"
	for (i = 0; i <= columns; i++) {
		dashes = sprintf("%" (width[i] + 2) "s", "")
		gsub(/ /, "-", dashes)
		rule = rule dashes "|"
	}
	print rule
	for (p = 1; p <= peers; p++)
		line(peer[p], peer[p])
}
