#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh PROGRAM: the man page and the completion are clean, and know the same
# commands and options as the program.
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

for command in $("$program" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do
	grep -q "^\.It Cm $command\( \|$\)" "$man" || echo "$man: no command $command"
	grep -q "[\" ]${command}[\" ]" "$completion" || echo "$completion: no command $command"
	for option in $("$program" "$command" --help | grep -o '\[-[a-z]' | tr -d '['); do
		has_option "$option" "$command"
	done
done
