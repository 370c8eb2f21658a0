#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh PROGRAM: the man page and the completion are clean, and know the same
# commands and options as the program, whose help names each of them.
set -eu

dir=$(dirname "$0")
program=$1
man=$dir/man/bufpoolctl.8
completion=$dir/bufpoolctl.bash

mandoc -T lint -W warning "$man"
shellcheck "$completion"

# In the page an option follows .Fl, with one dash less, or a comma.
has_option() {
	grep -qE "(Fl|,) ${1#-}( |$)" "$man" || echo "$man: no option $1 of $2"
	grep -qE -- "[\" ]${1}[\" ]" "$completion" || echo "$completion: no option $1 of $2"
}

# Those that a help explains: lines such as "  -n, --count=COUNT   how many"
explained_options() {
	sed -n 's/^  \(-.*\)/\1/p' | grep -oE '^(-[a-zA-Z], )?--[a-z-]+' | tr -d ,
}

# Those of a synopsis, such as [-n COUNT]
short_options() {
	grep -oE '\[-[a-zA-Z]' | tr -d '['
}

for option in $("$program" --help | explained_options); do
	has_option "$option" bufpoolctl
done
for command in $("$program" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do
	grep -q "^\.It Cm $command\( \|$\)" "$man" || echo "$man: no command $command"
	grep -q "[\" ]${command}[\" ]" "$completion" || echo "$completion: no command $command"
	help=$("$program" help "$command")
	explained=$(echo "$help" | explained_options)
	for option in $explained; do
		has_option "$option" "$command"
	done
	usage=$(echo "$help" | short_options | sort)
	[ "$usage" = "$(echo "$explained" | grep -oE '^-[a-zA-Z]( |$)' | tr -d ' ' | sort)" ] ||
		echo "the help of $command does not explain the options of its usage:" "$usage"
done
