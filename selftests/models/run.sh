#!/bin/bash
# SPDX-License-Identifier: MIT
# Explore the models of this directory to the end with spin. Each has to hold, and each of
# its mutants, which its own comment lists, has to fail: one that cannot shows nothing.
#
# usage: run.sh [quick]
#
# quick leaves out the mutants, and the models with other options.

. "$(dirname "$0")/../qemu/lib.sh"

models=$top/selftests/models
dir=$build/models
failed=0

# variants_of MODEL: with which options it is explored, a line each
variants_of() {
	echo
	[ "$what" != quick ] || return 0
	case $1 in
	channel) echo -DABSENT ;;
	orphan) echo -DUNCHARGED ;;
	kept) printf '%s\n' -DWEAK -DRING '-DRING -DWEAK' ;;
	esac
}

# mutants_of MODEL: their numbers, and what they take out, with options in brackets
mutants_of() {
	[ "$what" = quick ] || sed -nE 's/^ \*   ([0-9]+ .*)/\1/p' "$models/$1.pml"
}

# explore MODEL OPTION...: what pan says of it. More states than there is memory for are
# a failure, as is a deeper search.
explore() {
	local model=$1
	shift
	mkdir -p "$dir/$model"
	cd "$dir/$model"
	rm -f pan*
	# a warning is a failure
	if ! spin "$@" -a "$models/$model.pml" >spin.log 2>&1 || [ -s spin.log ]; then
		cat spin.log
		return 1
	fi
	gcc -O1 -w -DSAFETY -DMEMLIM=2000 -o pan pan.c
	./pan -n -m1000000
}

# tell ok|FAIL NAME WHAT
tell() {
	[ "$1" = ok ] || failed=$((failed + 1))
	printf '%-4s %-20s %s\n' "$@"
}

# What was found first, of what pan says.
finding() {
	sed -nE 's/^pan:[0-9]+: (.*) \(at depth.*/\1/p' <<<"$1" | head -n 1
}

check_whole() {
	local name="$*" out
	# shellcheck disable=SC2068 # no option is an empty one
	out=$(explore $@ 2>&1) || true
	if grep -q 'errors: 0$' <<<"$out" && ! grep -q 'not completed' <<<"$out"; then
		tell ok "$name" "$(awk '/states, stored/ { states = $1 }
			/elapsed time/ { print states " states, " $4 " s" }' <<<"$out")"
	else
		tell FAIL "$name" "$(finding "$out")"
		printf '%s\n' "$out" | sed 's/^/    /'
	fi
}

# check_mutant MODEL NUMBER WHAT
check_mutant() {
	local option='' out found
	[[ ! $3 =~ \((-D[A-Z]+)\)$ ]] || option=${BASH_REMATCH[1]}
	# shellcheck disable=SC2086 # likewise
	out=$(explore "$1" -DMUTANT="$2" $option 2>&1) || true
	found=$(finding "$out")
	if [ -n "$found" ]; then
		tell ok "$1, without $2" "${found:0:60}"
	else
		tell FAIL "$1, without $2" "holds without this: $3"
	fi
}

what=${1:-}
if ! command -v spin >/dev/null; then
	echo "skipped: spin is not installed"
	exit 0
fi
for model in waiting polling channel orphan revoke munmap kept; do
	while read -r options; do
		check_whole "$model" "$options"
	done < <(variants_of $model)
	while read -r nr takes_out; do
		check_mutant "$model" "$nr" "$takes_out"
	done < <(mutants_of $model)
done
[ $failed -eq 0 ]
