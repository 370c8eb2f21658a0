#!/bin/bash
# SPDX-License-Identifier: MIT
# Draw a picture for each question, and leave beside it the commands that drew it.
#
# usage: pictures.sh CSV DIRECTORY [UNIT], with lines "name title" on stdin

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

csv=$1
directory=$2
unit=${3:-ns, median, smallest and largest}

# columns FIELD QUESTION: what is in that column, each once
columns() {
	awk -F, -v field="$1" -v question="$2" '
		NR > 1 && ($1 == question || index($1, question "-") == 1) && !seen[$field]++ { print $field }
	' "$csv"
}

# A line for each workload, with median, smallest and largest of each peer.
data() {
	local workload peer figures
	columns 1 "$1" | while read -r workload; do
		printf '%s' "$workload"
		for peer in "${peers[@]}"; do
			figures=$(awk -F, -v w="$workload" -v p="$peer" '$1 == w && $2 == p { print $3, $4, $5 }' "$csv")
			printf ' %s' "${figures:-? ? ?}"
		done
		echo
	done
}

commands() {
	local name=$1 title=$2 i
	mapfile -t peers < <(columns 2 "$name")
	cat <<-EOF
		# SPDX-License-Identifier: MIT
		# gnuplot $name.gp draws $name.svg
		set terminal svg size 900,480 background rgb "white" font "sans,12"
		set output "$name.svg"
		set title "$title"
		set ylabel "$unit"
		set logscale y
		set yrange [1:*]
		set grid ytics
		set key outside right
		set datafile missing "?"
		set style data histograms
		set style histogram errorbars gap 1
		set style fill solid 0.7
		set errorbars linecolor black
		set xtics rotate by -20 noenhanced
		set key noenhanced
		\$figures << END
		$(data "$name")
		END
	EOF
	for i in "${!peers[@]}"; do
		printf '%s' "$([ "$i" -eq 0 ] && echo "plot " || echo ", \\
     ")"
		printf '%s' "\$figures using $((3 * i + 2)):$((3 * i + 3)):$((3 * i + 4)):xtic(1) title \"${peers[i]}\""
	done
	echo
}

while read -r name title; do
	[ -n "$(columns 1 "$name")" ] || continue
	commands "$name" "$title" >"$directory/$name.gp"
	(cd "$directory" && quietly "$name.log" gnuplot "$name.gp")
	rm -f "$directory/$name.log"
done
