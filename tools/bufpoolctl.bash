# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of bufpoolctl for bash.

_bufpoolctl_options() {
	case $1 in
	top) echo "-b -d -n -o -p -r -u -U --batch --delay --count --sort --pid --reverse --user --by-user" ;;
	channels) echo "-o -p -r -u --sort --pid --reverse --user" ;;
	rent) echo "-i -n -s -t -w --io --count --size --time --wait" ;;
	stat | '') echo "--prometheus" ;;
	limit | quota) echo "-u --user" ;;
	trim) echo "-f -s --fd --size" ;;
	esac
	echo "-h --json --tab --help"
	[ -n "$1" ] || echo "-V --version"
}

_bufpoolctl_values() {
	case $1:$2 in
	*:-s | *:--size) echo "4K 64K 1M" ;;
	top:-o | top:--sort) echo "held pid uid blocks bytes warm_blocks warm_bytes kept_bytes ceiling rents returns comm clients waiters pinned quarantined quota user" ;;
	channels:-o | channels:--sort) echo "bytes channel pid uid ends capacity messages sent received dropped comm" ;;
	*:-u | *:--user) compgen -u ;;
	*:-[dnftwp] | *:--pid | *:--delay | *:--count | *:--fd | *:--time | *:--wait) ;;
	:* | help:*) echo "help info stat classes channels top rent limit quota trim" ;;
	quota:quota) echo "none default" ;;
	esac
}

_bufpoolctl() {
	local word command='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	word=${COMP_WORDS[COMP_CWORD]}
	case $word in
	-*) mapfile -t COMPREPLY < <(compgen -W "$(_bufpoolctl_options "$command")" -- "$word") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(_bufpoolctl_values "$command" "${COMP_WORDS[COMP_CWORD - 1]}")" -- "$word") ;;
	esac
}

complete -F _bufpoolctl bufpoolctl
