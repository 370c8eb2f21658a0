#!/bin/sh
# SPDX-License-Identifier: MIT
# bufpoolctl: what it says, in each of its forms, and how it ends.
#
# bufpoolctl is on the PATH, ./pty and ./renter are built beside this. Needs root, and the
# module loaded and not in use; where BUFPOOL_KO says what to load again, it is
# unloaded for the case that it is not there.

# To start a process is what takes long on a debugging kernel: what the shell can
# do by itself, it does.

parameters=/sys/module/bufpool/parameters
page=$(awk '/^KernelPageSize:/ { print $2 * 1024; exit }' /proc/self/smaps)
tab=$(printf '\t')
escape=$(printf '\033')
newline='
'

. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/ctl.sh"

after_case() {
	end_renter
}

# nap: for a twentieth of a second, without a process for it where the shell can
nap() {
	# shellcheck disable=SC3045 # busybox has it; 2 says that a shell has not
	read -r -t 0.05 _ <>"$work/silence" 2>/dev/null
	[ $? -ne 2 ] || sleep 0.05
}

# soon COMMAND...: becomes true, if not at once. Naps are counted, which are longer
# where processors are busy.
soon() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 2000 ] || {
			say "does not happen: $*"
			return 1
		}
		nap
	done
}

# look COMMAND...: what it says in its tab form is in $seen
look() {
	seen=$newline$(bufpoolctl --tab "$@")$newline
}

# get NAME: sets got to the value in that line of $seen
get() {
	got=${seen#*"$newline$1$tab"}
	[ "$got" != "$seen" ] || got="no $1$newline"
	got=${got%%"$newline"*}
}

# shows NAME VALUE: $seen has it
shows() {
	get "$1"
	same "$1" "$got" "$2"
}

# is NAME VALUE COMMAND...: look, and that is what is there
is() {
	name=$1 expected=$2
	shift 2
	look "$@" && shows "$name" "$expected"
}

# pool_has NAME VALUE: the kernel says so
pool_has() {
	read -r got <"/sys/class/misc/bufpool/$1" && [ "$got" = "$2" ]
}

# parameter NAME: sets got
parameter() {
	read -r got <"$parameters/$1"
}

# Every line of a file is one JSON object, and there is one.
is_json() {
	[ -s "$1" ] || return
	same "what is no JSON" "$(awk -f "$work/json.awk" "$1")" ""
}

# Prints the lines that are none.
write_json_parser() {
	cat >"$work/json.awk" <<'AWK'
function take(word) {
	if (substr(text, 1, length(word)) != word)
		return 0
	text = substr(text, length(word) + 1)
	return 1
}
function matched(found) {
	if (found)
		text = substr(text, RLENGTH + 1)
	return found
}
function string() {
	return matched(match(text, /^"([^"\\\001-\037]|\\["\\\/bfnrt]|\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])*"/))
}
function number() {
	return matched(match(text, /^-?(0|[1-9][0-9]*)([.][0-9]+)?/))
}
function list() {
	if (take("]"))
		return 1
	do {
		if (!json())
			return 0
	} while (take(","))
	return take("]")
}
function object() {
	if (take("}"))
		return 1
	do {
		if (!string() || !take(":") || !json())
			return 0
	} while (take(","))
	return take("}")
}
function json() {
	if (take("["))
		return list()
	if (take("{"))
		return object()
	return string() || number() || take("true") || take("false") || take("null")
}
{
	text = $0
	if (substr(text, 1, 1) != "{" || !json() || text != "")
		print
}
AWK
}

# The parser above has to tell good from bad, or its word is worth nothing.
knows_json() {
	cat >"$work/good" <<'END'
{}
{"a":[]}
{"a":[1,{"b":"\u00e9\"x"}],"c":null,"d":-1.5}
END
	cat >"$work/bad" <<'END'

[]
{
{"a"}
{"a":1,}
{"a":[1,]}
{a:1}
{"a":01}
{"a":"\x"}
{"a":"	"}
{}{}
{"a":1}}
END
	is_json "$work/good" || return
	same "what is no JSON" "$(awk -f "$work/json.awk" "$work/bad"; echo .)" "$(cat "$work/bad"; echo .)"
}

# Prints what is wrong with metrics in Prometheus's text format, and with names and
# types that are against its rules.
write_metrics_checker() {
	cat >"$work/metrics.awk" <<'AWK'
function wrong(what) {
	print NR ": " what ": " $0
}
function family(name) {
	if (name != current && (name in ended))
		wrong("not all of a metric in one place")
	if (name != current)
		ended[current] = 1
	current = name
}
# takes the labels, with their braces, off the front of text
function labels() {
	if (!match(text, /^[{]([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*",?)*[}]/) || substr(text, RLENGTH - 1, 1) == ",")
		return 0
	text = substr(text, RLENGTH + 1)
	return 1
}
/^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* [^ ]/ {
	family($3)
	if (help[$3]++)
		wrong("a second HELP")
	next
}
/^# TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (counter|gauge)$/ {
	family($3)
	if (($3 in type) || samples[$3])
		wrong("a second or late TYPE")
	if (($4 == "counter") != ($3 ~ /_total$/))
		wrong("counters, and only they, end in _total")
	if ($3 !~ /^bufpool_/)
		wrong("a name without prefix")
	type[$3] = $4
	next
}
{
	text = $0
	if (!match(text, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)) {
		wrong("no line of this format")
		next
	}
	name = substr(text, 1, RLENGTH)
	text = substr(text, RLENGTH + 1)
	family(name)
	if (text ~ /^[{]/ && !labels())
		wrong("bad labels")
	if (text !~ /^ ([0-9]+([.][0-9]+)?|[+]Inf)$/)
		wrong("bad value")
	if (!(name in type) || !help[name])
		wrong("no TYPE or HELP before")
	series = substr($0, 1, length($0) - length(text))
	if (seen[series]++)
		wrong("the same series again")
	samples[name]++
}
END {
	for (name in type)
		if (!samples[name])
			print "no sample of " name
	if (!NR)
		print "nothing"
}
AWK
}

# are_metrics FILE: it has that format, and its last line an end
are_metrics() {
	same "what is wrong" "$(awk -f "$work/metrics.awk" "$1")" "" && same "the end" "$(tail -c 1 "$1")" ""
}

# This checker, too, has to tell good from bad.
knows_metrics() {
	head="# HELP bufpool_a A.$newline# TYPE bufpool_a gauge$newline"
	for text in 'bufpool_a 1' 'bufpool_a +Inf' 'bufpool_a{b="1",c="\""} 1.5'; do
		echo "$head$text" >"$work/good"
		are_metrics "$work/good" || return
	done
	for text in '' 'bufpool_a' 'bufpool_a x' 'bufpool_a -' 'bufpool_a  1' 'bufpool_a{b=1} 1' 'bufpool_a{b="1",} 1' \
		'bufpool_a{b="""} 1' 'bufpool_a{b="1"}1' "bufpool_a 1${newline}bufpool_a 2" 'bufpool_b 1' ' bufpool_a 1' \
		"bufpool_a 1$newline$head" "bufpool_a 1$newline# TYPE bufpool_b counter" \
		"bufpool_a 1$newline# HELP bufpool_b_total B.$newline# TYPE bufpool_b_total gauge${newline}bufpool_b_total 1"; do
		echo "$head$text" >"$work/bad"
		[ -n "$(awk -f "$work/metrics.awk" "$work/bad")" ] && continue
		say "is accepted: $text"
		return 1
	done
}

# hold COMMAND...: run it in the background, until end_renter
hold() {
	: >"$work/rented"
	"$@" >"$work/rented" 2>"$work/renter" </dev/null &
	renter_pid=$!
	soon test -s "$work/rented"
}

# start_renter ARGUMENT...: rent in the background, until end_renter
start_renter() {
	hold "${renter:-bufpoolctl}" --tab rent "$@"
}

end_renter() {
	[ -n "$renter_pid" ] || return 0
	kill "$renter_pid" 2>/dev/null
	wait "$renter_pid" 2>/dev/null
	renter_pid=
}

# --- what it says

commands="help info stat classes channels top rent limit quota trim"

helps() {
	ctl 0 --help || return
	help=$newline$(cat "$work/out")
	for command in $commands; do
		case $help in
		*"$newline  $command "*) ;;
		*) return 1 ;;
		esac
	done
	for arguments in -h help "--tab help" "help help -h"; do
		# shellcheck disable=SC2086 # several arguments
		ctl 0 $arguments || return
		[ "$arguments" = "help help -h" ] || same "$arguments" "$newline$(cat "$work/out")" "$help" || return
	done
	ctl 2 help nothing && has "$work/err" "no command 'nothing'" && ctl 2 help stat top
}

helps_with_commands() {
	for command in $commands; do
		ctl 0 "$command" --help && [ ! -s "$work/err" ] || return
		help=$(cat "$work/out")
		case $help in
		"usage: bufpoolctl "*" $command"*) ;;
		*) return 1 ;;
		esac
		for arguments in "$command -h" "help $command"; do
			# shellcheck disable=SC2086 # several arguments
			ctl 0 $arguments && same "$arguments" "$(cat "$work/out")" "$help" || return
		done
	done
	# what an option is for, not only that there is one
	ctl 0 help rent && has "$work/out" "  -s, --size=SIZE " && ctl 0 top -b -h -n 1 && has "$work/out" "  -b, --batch "
}

has_version() {
	for option in --version -V; do
		ctl 0 $option && grep -qE '^bufpoolctl [0-9]+\.[0-9]+\.[0-9]+$' "$work/out" || return
	done
}

# are_block_sizes NAME: from a page on, each twice the one before. Sets size to the next.
are_block_sizes() {
	size=$page
	get "$1"
	while [ -n "$got" ]; do
		same "a block size" "${got%%,*}" "$size" || return
		size=$((size * 2))
		case $got in
		*,*) got=${got#*,} ;;
		*) got= ;;
		esac
	done
}

says_info() {
	parameter limit
	is limit "$got" info || return
	shows abi_version 1 && shows page_size "$page" || return
	are_block_sizes block_sizes && shows max_rent "$((size / 2))" || return
	are_block_sizes io_block_sizes && shows max_rent_io "$((size / 2))" || return
	shows stacks 131072 || return
	for name in max_clients max_waiters floor warm_blocks warm_bytes trim_ms; do
		parameter $name
		shows $name "$got" || return
	done
}

# The module's version is what the kernel knows of it.
says_versions() {
	expected=none json=null
	[ ! -e /sys/module/bufpool/version ] || {
		read -r expected </sys/module/bufpool/version
		json=\"$expected\"
	}
	is module_version "$expected" info || return
	shows version "$(bufpoolctl -V | cut -d ' ' -f 2)" || return
	ctl 0 --json info && has "$work/out" "\"module_version\":$json,"
}

# in_all_forms COMMAND...: for people, in JSON and with the same names in tab form
in_all_forms() {
	ctl 0 "$@" && [ -s "$work/out" ] || return
	! has "$work/out" "$tab" || return
	ctl 0 --json "$@" && is_json "$work/out" || return
	json=$(cat "$work/out")
	look "$@"
	seen=${seen#"$newline"}
	while [ -n "$seen" ]; do
		key="\"${seen%%"$tab"*}\":"
		seen=${seen#*"$newline"}
		case $json in
		*"{$key"* | *",$key"*) continue ;;
		esac
		say "$key is not in: $json"
		return 1
	done
}

# The options may stand after the command too.
takes_options_anywhere() {
	ctl 0 info --json && is_json "$work/out" && ctl 0 stat 0.1 --json 1 && is_json "$work/out"
}

counts() {
	is clients 0 stat || return
	get rents
	rents=$got
	get returns
	returns=$got
	start_renter -n 3 -s $((page + 1)) || return
	is rents $((rents + 3)) stat || return
	shows in_use $((3 * 2 * page)) || return
	shows clients 1 || return
	end_renter
	soon pool_has in_use 0 || return
	is returns $((returns + 3)) stat
}

repeats() {
	ctl 0 --tab stat 0.1 3 || return
	same "lines" "$(wc -l <"$work/out")" 4 || return
	same "fields" "$(awk -F '\t' '{ print NF }' "$work/out" | sort -u)" 23 || return
	ctl 0 stat 0.02 21 || return
	same "headers" "$(grep -c pinned "$work/out")" 2 || return
	ctl 0 --json stat 0.1 3 || return
	same "objects" "$(wc -l <"$work/out")" 3 || return
	is_json "$work/out"
}

# Rents go on until a line has them.
is_measured() {
	bufpoolctl rent -n 5 -t 0 >"$work/out" || return
	awk -F '\t' '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		NR > 1 && $at["rents_per_s"] > 0 { rents++ }
		NR > 1 && $at["returns_per_s"] > 0 { returns++ }
		NR > 1 && $at["waits_per_s"] != 0 { waits++ }
		END { exit !(rents && returns && !waits) }' "$work/stat"
}

# What happens meanwhile is in one of the next lines.
measures() {
	: >"$work/stat"
	bufpoolctl --tab stat 0.5 >"$work/stat" &
	pid=$!
	soon test -s "$work/stat" && soon is_measured
	result=$?
	kill $pid
	wait $pid
	return $result
}

# metric SERIES: sets got to its value
metric() {
	got=$(awk -v series="$1" '$1 == series { print $2 }' "$work/out")
}

# has_metric SERIES VALUE
has_metric() {
	metric "$1"
	same "$1" "$got" "$2"
}

# exports_classes BACKING SIZES: there are these
exports_classes() {
	line='^bufpool_class_slabs{block_size="\(.*\)",backing="'$1'"} .*'
	same "classes" "$2," "$(sed -n "s/$line/\1/p" "$work/out" | tr '\n' ',')"
}

exports_metrics() {
	start_renter -n 5 -s $((4 * page)) || return
	look stat
	ctl 0 --prometheus stat && are_metrics "$work/out" || return
	for name in in_use warm kept pinned quarantined in_channels limit; do
		get $name
		has_metric bufpool_${name}_bytes "$got" || return
	done
	get rents
	has_metric bufpool_rents_total "$got" || return
	get returns
	has_metric bufpool_returns_total "$got" || return
	get sent
	has_metric bufpool_sent_total "$got" || return
	has_metric bufpool_clients 1 && has_metric bufpool_waiting_rents 0 || return
	parameter limit
	has_metric bufpool_user_quota_bytes $((got / 2)) || return
	class="{block_size=\"$((4 * page))\",backing="
	has_metric "bufpool_class_out_blocks$class\"slab\"}" 5 || return
	has_metric "bufpool_class_out_blocks$class\"io\"}" 0 || return
	for reason in again quota memory timeout; do
		metric "bufpool_refused_rents_total{reason=\"$reason\"}"
		[ -n "$got" ] || return
	done
	look info
	get block_sizes
	exports_classes slab "$got" || return
	get io_block_sizes
	exports_classes io "$got" || return
	has "$work/out" 'abi_version="1"'
}

exports_quota() {
	bufpoolctl quota 1M
	ctl 0 stat --prometheus && are_metrics "$work/out" && has_metric bufpool_user_quota_bytes 1048576
	result=$?
	bufpoolctl quota none
	[ $result -eq 0 ] && ctl 0 stat --prometheus && are_metrics "$work/out" && has_metric bufpool_user_quota_bytes +Inf
	result=$?
	bufpoolctl quota default
	return $result
}

# Every number that the pool's files have is exported.
exports_all() {
	ctl 0 --prometheus stat || return
	for file in /sys/class/misc/bufpool/*; do
		name=${file##*/}
		[ -f "$file" ] || continue
		case $name in
		dev | uevent | trim) continue ;;
		quota) name=user_quota ;;
		refused_clients | refused_waiters) ;;
		refused_*) name="refused_rents_total{reason=\"${name#refused_}\"}" ;;
		timeouts) name='refused_rents_total{reason="timeout"}' ;;
		esac
		grep -qE "^bufpool_$name(_bytes|_total|_rents)?( |_blocks )" "$work/out" && continue
		say "no $name"
		return 1
	done
}

exports_only_stat() {
	for arguments in info classes channels top limit "limit 64M" quota trim "rent -t 0" "stat 1" "stat 0.1 1"; do
		# shellcheck disable=SC2086 # several arguments
		ctl 2 --prometheus $arguments && says --prometheus || return
	done
}

# --- output

is_over() {
	[ ! -e "/proc/$pid" ] || has "/proc/$pid/status" "State:${tab}Z"
}

# What goes on without an end does not where nothing of it can be written.
ends_where_disk_is_full() {
	for arguments in "stat 0.1" "--json stat 0.1" "top -b -n 0 -d 0.1" "--json top -n 0 -d 0.1" "rent"; do
		# shellcheck disable=SC2086 # several arguments
		bufpoolctl $arguments >/dev/full 2>"$work/err" </dev/null &
		pid=$!
		soon is_over || send KILL
		wait $pid
		same "exit status of $arguments" $? 1 && says "could not write: No space left on device" || return
	done
}

# --- budgets

sets_limit() {
	parameter limit
	before=$got
	for pair in 33554432=33554432 32768K=33554432 32MiB=33554432 16m=16777216; do
		ctl 0 limit "${pair%=*}" || return
		is limit "${pair#*=}" limit || return
		parameter limit
		same "the parameter" "$got" "${pair#*=}" || return
	done
	ctl 1 limit 1 && has "$work/err" dmesg || return
	is limit 16777216 limit || return
	ctl 0 limit "$before"
}

sets_quota() {
	parameter limit
	is quota $((got / 2)) quota || return
	ctl 0 quota 1M || return
	is quota 1048576 quota || return
	is quota 1048576 info || return
	ctl 0 --json quota && same JSON "$(cat "$work/out")" '{"quota":1048576}' || return
	ctl 0 quota none || return
	ctl 0 --json quota && same JSON "$(cat "$work/out")" '{"quota":null}' || return
	ctl 0 quota default || return
	parameter quota
	same "the parameter" "$got" 0
}

# is_shortened BYTES TEXT: that is what it is to people
is_shortened() {
	ctl 0 quota "$1" || return
	ctl 0 quota && same "what $1 is to people" "$(cat "$work/out")" "quota             $2"
}

# An amount has a unit, and a digit behind the point where it is short.
shortens() {
	result=0
	for pair in 65536=64K 65537=64K 66048=64.5K 101888=99.5K 102912=100K 1048575=1023K 1048576=1M 1150976=1M \
		1179648=1.1M 10M=10M 10752K=10.5M 101M=101M 1536M=1.5G 1023G=1023G 5632G=5.5T 3P=3P 7E=7E; do
		is_shortened "${pair%=*}" "${pair#*=}" || result=1
	done
	ctl 0 quota default && return $result
}

# A quota of one user, whichever command and however the user is named.
sets_user_quota() {
	ctl 0 quota 8M || return
	is quota 8388608 quota -u nobody || return
	ctl 0 limit --user=nobody 1M || return
	is quota 1048576 quota -u nobody && is quota 1048576 limit -u 65534 || return
	is quota 8388608 quota && is quota 8388608 quota -u 12345 || return
	ctl 0 quota -u nobody none || return
	ctl 0 --json quota -u nobody && same JSON "$(cat "$work/out")" '{"quota":null}' || return
	ctl 1 quota -u nobody 1 && says 'a page at least' || return
	for zero in 0 0K; do
		ctl 2 quota -u nobody $zero && says "give a page at least" "'default'" || return
		ctl 2 limit -u nobody $zero && same "the quota" "$(bufpoolctl --json quota -u nobody)" '{"quota":null}' || return
	done
	ctl 2 quota -u nobody-there 1M && says nobody-there || return
	ctl 2 quota -u -1 1M && ctl 2 quota -u 4294967296 1M || return
	ctl 1 quota -u 4294967295 && says "knows no user 4294967295" || return
	ctl 0 quota -u nobody default && is quota 8388608 quota -u nobody || return
	ctl 0 quota default
}

# meaning_of COMMAND...: sets got to what the quota is after it, or to refused
meaning_of() {
	echo 12345678 >$parameters/quota
	if "$@" 2>/dev/null; then
		parameter quota
	else
		got=refused
		same "the quota after '$*'" "$(cat $parameters/quota)" 12345678
	fi
}

write_quota() {
	(echo "$1" >$parameters/quota)
}

# The module and the program mean the same by a size.
agrees_on_sizes() {
	taken=0
	for text in 65536 100k 100K 100KiB 100kib 100kIB 5m 5M 5MiB 5mib 5g 5G 5GiB 5t 5T 5TiB 5p 5PiB 7E 7EiB 0100k \
		K KiB 64KB 64kb 64B 64Ki 64KiBs 64iB 64Kk 4Q 1.5G 1e6 0x10000 +65536 -65536 "64 K" "" \
		16E 15EiB 17179869184G 18446744073709551615 18446744073709551616 99999999999999999999999999 0 1k; do
		meaning_of write_quota "$text"
		expected=$got
		meaning_of bufpoolctl quota "$text"
		same "'$text'" "$got" "$expected" || return
		[ "$got" = refused ] || taken=$((taken + 1))
	done
	bufpoolctl quota default
	same "sizes taken" $taken 22
}

# refuses_size TEXT WORDS: with these, wherever a size is given
refuses_size() {
	for arguments in limit quota "rent -s" "trim -f 0 -s"; do
		# shellcheck disable=SC2086 # several arguments
		ctl 2 $arguments "$1" && has "$work/err" "$2" && continue
		say "bufpoolctl $arguments '$1': $(cat "$work/err")"
		return 1
	done
}

explains_sizes() {
	refuses_size 64KB '64K or 64KiB' || return
	refuses_size 64tb '64t or 64tiB' || return
	refuses_size 1.5G "a whole number of bytes, such as 65536, 64K or 64MiB, not '1.5G'" || return
	refuses_size '' "a whole number of bytes, such as 65536, 64K or 64MiB, not ''" || return
	refuses_size +1 'a whole number of bytes' || return
	refuses_size 16E '18446744073709551615 bytes at most' || return
	refuses_size 18446744073709551616 '18446744073709551615 bytes at most'
}

# --- rent

rents() {
	start_renter -n 300 -s "$page" || return
	same "blocks with different handles" "$(awk 'NR > 1 && !seen[$1]++ { n++ } END { print NR - 1, n }' "$work/rented")" \
		"300 300" || return
	is in_use $((300 * page)) stat
}

rents_for_io() {
	start_renter -i -n 2 -s $((512 * page + 1)) || return
	is in_use $((2 * 1024 * page)) stat || return
	bufpoolctl --tab classes >"$work/out"
	same "classes with blocks out" "$(awk -F '\t' 'NR > 1 && $5 { print $1, $5, $7 }' "$work/out")" \
		"$((1024 * page)) 2 io"
}

ends_by_signal() {
	for signal in TERM INT HUP; do
		start_renter -n 2 || return
		kill -$signal $renter_pid
		wait $renter_pid
		status=$?
		renter_pid=
		# a shell may have told its children to ignore it
		[ $signal = INT ] && [ $status -ne 0 ] && return 1
		same "status after $signal" $status 0 || return
		soon pool_has in_use 0 || return
	done
}

ends_by_time() {
	ctl 0 --json rent -n 2 -s 64K -t 0.1 && is_json "$work/out" || return
	soon pool_has in_use 0
}

says_what_is_wrong() {
	ctl 1 rent -s 1G && has "$work/err" 'bufpoolctl info' || return
	parameter limit
	before=$got
	bufpoolctl limit 4M || return
	ctl 1 rent -n 2000 -w 0 -t 0
	result=$?
	grep -q 'got [0-9]* of 2000' "$work/err" || result=1
	ctl 1 rent -n 2000 -w 0.1 -t 0 || result=1
	has "$work/err" 'waiting for' || result=1
	bufpoolctl limit "$before"
	return $result
}

# Nobody gets more than its quota, and reads why.
says_that_the_quota_is_reached() {
	ctl 0 quota 1M && chmod 666 /dev/bufpool || return
	su -s /bin/sh nobody -c "PATH=$PATH; exec bufpoolctl rent -n 17 -s 64K -t 0" >"$work/refused" 2>&1 </dev/null
	result=$?
	chmod 660 /dev/bufpool
	ctl 0 quota default && same "exit status" $result 1 || return
	has "$work/refused" "got 16 of 17 blocks: that is over your quota"
}

# Blocks that come back go to the waiter.
waits() {
	parameter limit
	before=$got
	bufpoolctl limit 2M || return
	start_renter -n 2 -s 1M || return
	bufpoolctl ${1:+"$1"} rent -s 1M -t 0 >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	soon has "$work/err" "$2waiting for 1" && soon pool_has waiting 1
	result=$?
	end_renter
	wait $pid || result=1
	bufpoolctl limit "$before"
	return $result
}

# Stopped and continued, it waits on, and its time goes on with it.
waits_though_stopped() {
	parameter limit
	before=$got
	bufpoolctl limit 2M || return
	start_renter -n 2 -s 1M || return
	bufpoolctl rent -s 1M -t 0 -w 1000 >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	soon pool_has waiting 1
	result=$?
	for round in 1 2 3; do
		send STOP && soon has "/proc/$pid/status" "State:${tab}T" || result=$round
		send CONT && soon pool_has waiting 1 || result=$round
	done
	end_renter
	wait $pid || result=1
	bufpoolctl limit "$before"
	return $result
}

# --- top

lists_clients() {
	start_renter -n 3 -s 64K || return
	bufpoolctl rent -n 9 -s 64K >"$work/more" &
	more=$!
	soon test -s "$work/more"
	bufpoolctl --tab top >"$work/list"
	kill $more
	wait $more
	awk -F '\t' -v pid=$renter_pid -v more=$more '
		NR == 2 && $1 == more && $3 == 9 && $4 == 9 * 65536 { good++ }
		NR == 3 && $1 == pid && $2 == 0 && $3 == 3 && $4 == 3 * 65536 && $8 == "none" && $9 == 3 && $11 ~ /^bufpoolctl/ && $12 == $4 { good++ }
		END { exit !(good == 2 && NR == 3) }' "$work/list" && return
	say "$(cat "$work/list")"
	return 1
}

# three_renters: root holds 3 blocks of 16 pages, and 9 of one; nobody 2 of 32.
# Sets first, second and other to their pids.
three_renters() {
	: >"$work/more"
	: >"$work/other"
	chmod 666 /dev/bufpool
	start_renter -n 3 -s $((16 * page)) || return
	first=$renter_pid
	bufpoolctl rent -n 9 -s "$page" >"$work/more" &
	second=$!
	su -s /bin/sh nobody -c "PATH=$PATH; echo \$\$; exec bufpoolctl rent -n 2 -s $((32 * page))" >"$work/other" &
	others=$!
	soon test -s "$work/more" && soon has "$work/other" 0x && read -r other <"$work/other"
}

end_renters() {
	chmod 660 /dev/bufpool
	kill "$other" "$second"
	wait "$second" "$others"
}

# among_renters COMMAND...: with these three
among_renters() {
	three_renters && "$@"
	result=$?
	end_renters
	return $result
}

# column NAME OPTION...: sets got to what top has in it
column() {
	name=$1
	shift
	got=$(bufpoolctl --tab top "$@" | awk -F '\t' -v name="$name" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
		NR > 1 { printf "%s%s", (NR > 2 ? " " : ""), $at }')
}

# order OPTION... -- PIDS: it is that
order() {
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # several arguments
	column pid $options
	same "the order with$options" "$got" "$*"
}

sorts() {
	ascending=$(printf '%s\n' "$first" "$second" "$other" | sort -n | tr '\n' ' ')
	descending=$(printf '%s\n' "$first" "$second" "$other" | sort -rn | tr '\n' ' ')
	order -- "$other" "$first" "$second" || return
	order --sort=bytes -- "$other" "$first" "$second" || return
	order -r -- "$second" "$first" "$other" || return
	order -o rents -- "$second" "$first" "$other" || return
	order -o blocks --reverse -- "$other" "$first" "$second" || return
	order -o pid -- "${ascending% }" || return
	order -r --sort pid -- "${descending% }" || return
	# by pid where they are equal
	order -o returns -- "${ascending% }" || return
	column uid -o uid
	same "users" "$got" "0 0 65534" || return
	ctl 2 top -o nothing && says "no column 'nothing'" "warm_bytes" || return
	ctl 2 top -U -o pid && says "no column 'pid'" "pinned" !comm
}

filters() {
	order --user nobody -- "$other" || return
	order -u 65534 -- "$other" || return
	order -u root -- "$first" "$second" || return
	order -p "$second" -- "$second" || return
	order -p "$second" -u nobody -- || return
	ctl 0 top -u 0 && has "$work/out" '3 clients, ' || return
	ctl 0 --json top -u 12345 && same JSON "$(cat "$work/out")" '{"clients":[]}' || return
	for arguments in "-u no_such_user" "-u -1" "-u 99999999999" "-u 1x" "-p 1x" "-p nobody"; do
		# shellcheck disable=SC2086 # several arguments
		ctl 2 top $arguments || return
	done
}

sums_by_user() {
	theirs=$((64 * page))
	roots=$((57 * page))
	# in slabs: theirs are as large as a slab, or larger
	slab=$(($(cat /sys/module/bufpool/parameters/slab_size) / page))
	pinned=$((((3 * 16 + slab - 1) / slab + (9 + slab - 1) / slab) * slab * page))
	parameter limit
	quota=$((got / 2))
	bufpoolctl --tab top -U -o uid >"$work/list"
	same "the sums" "$(cat "$work/list")" "$(printf '%s\n' \
		'uid clients waiters blocks bytes warm_blocks warm_bytes kept_bytes pinned quarantined quota rents returns user' \
		"0 2 0 12 $roots 0 0 0 $pinned 0 $quota 12 0 root" "65534 1 0 2 $theirs 0 0 0 $theirs 0 $quota 2 0 nobody" | tr ' ' '\t')" || return
	column user --by-user -o clients
	same "users by clients" "$got" "root nobody" || return
	column user -U -o user -r
	same "users from the last" "$got" "root nobody" || return
	column blocks -U -p "$first"
	same "the sum of one" "$got" 3 || return
	ctl 0 --json top -U -o uid -r && is_json "$work/out" && has "$work/out" '{"users":[{"uid":65534,"clients":1,' || return
	ctl 0 top -b -U -n 1 && has "$work/out" 'pinned quarant   quota   rents returns user'
}

# with_quarantine COMMAND...: while a pipe refers to four pages that nobody, who has no
# client any more, is charged for
with_quarantine() {
	mkfifo "$work/pipe"
	exec 8<>"$work/pipe"
	chmod 666 /dev/bufpool
	su -s /bin/sh nobody -c "exec $PWD/renter pipe $((4 * page))" >&8 &&
		soon pool_has quarantined $((4 * page)) && "$@"
	result=$?
	chmod 660 /dev/bufpool
	exec 8>&-
	soon pool_has quarantined 0 || result=1
	return $result
}

# Who has it is seen, though no client is.
shows_quarantine() {
	pinned=$((4 * page))
	is quarantined $pinned stat && shows in_use 0 && shows user_quarantined 0 || return
	parameter limit
	quota=$((got / 2))
	for options in "" "-u nobody" "-o quarantined"; do
		# shellcheck disable=SC2086 # several arguments
		bufpoolctl --tab top -U $options >"$work/list"
		same "the users" "$(tail -n +2 "$work/list")" "$(printf '%s\n' \
			"65534 0 0 0 0 0 0 0 $pinned $pinned $quota 0 0 nobody" | tr ' ' '\t')" || return
	done
	for options in "-u root" "-p 1"; do
		# shellcheck disable=SC2086 # several arguments
		column user -U $options
		same "the others" "$got" "" || return
	done
	ctl 0 top -b && has "$work/out" ", $((pinned / 1024))K quarantined" || return
	ctl 0 --prometheus stat && has_metric bufpool_quarantined_bytes $pinned || return
	has_metric "bufpool_class_out_blocks{block_size=\"$pinned\",backing=\"io\"}" 1
}

# People can choose the names of their processes.
copes_with_names() {
	renter=$work/$(printf 'a"b \\c\033[\303\251')
	cp "$(command -v bufpoolctl)" "$renter"
	start_renter
	result=$?
	renter=
	[ $result -eq 0 ] || return
	ctl 0 --json top && is_json "$work/out" || return
	grep -q "\"comm\":\"a\\\\\"b \\\\\\\\c\\\\u001b\[$(printf '\303\251')\"" "$work/out" || {
		say "$(cat "$work/out")"
		return 1
	}
	ctl 0 --tab top || return
	same "the name" "$(tail -n 1 "$work/out" | cut -f 11)" "$(printf 'a"b \\c?[\303\251')"
}

# named NAME TAB JSON: a process of that name, with octal escapes, is shown so. Waits until
# it has ended.
named() {
	renter=$work/$(printf '%b' "$1")
	cp "$(command -v bufpoolctl)" "$renter"
	start_renter
	result=$?
	rm -f "$renter"
	renter=
	[ $result -eq 0 ] && ctl 0 --tab top || return
	same "the name $1" "$(tail -n 1 "$work/out" | cut -f 11)" "$(printf '%b' "$2")" || return
	ctl 0 --json top && is_json "$work/out" || return
	json=$(cat "$work/out")
	json=${json#*\"comm\":\"}
	same "the name $1 in JSON" "${json%%\"*}" "$(printf '%b' "$3")" || return
	end_renter
	soon pool_has clients 0
}

# What is no character, as UTF-8 has it, is none in any form: each of its bytes is replaced.
replaces_what_is_no_character() {
	# half of a pair; too long a form of /; more than there are; a byte that begins none
	named 'a\0355\0240\0200z' 'a???z' 'a\\ufffd\\ufffd\\ufffdz' || return
	named 'a\0355\0277\0277z' 'a???z' 'a\\ufffd\\ufffd\\ufffdz' || return
	named 'a\0340\0200\0257z' 'a???z' 'a\\ufffd\\ufffd\\ufffdz' || return
	named 'a\0364\0220\0200\0200z' 'a????z' 'a\\ufffd\\ufffd\\ufffd\\ufffdz' || return
	named 'a\0300\0257z' 'a??z' 'a\\ufffd\\ufffdz' || return
	named 'a\0200z' 'a?z' 'a\\ufffdz' || return
	# control characters, of one byte and of two; one that ends too early
	named 'a\0177z' 'a?z' 'a\\u007fz' || return
	named 'a\0302\0205z' 'a??z' 'a\\ufffd\\ufffdz' || return
	named 'a\0342\0202z' 'a??z' 'a\\ufffd\\ufffdz' || return
	# the first and the last of each length are characters
	for name in '\0302\0240' '\0337\0277' '\0340\0240\0200' '\0355\0237\0277' '\0356\0200\0200' '\0357\0277\0277' \
		'\0360\0220\0200\0200' '\0364\0217\0277\0277'; do
		named "a${name}z" "a${name}z" "a${name}z" || return
	done
}

is_batch_without_terminal() {
	start_renter -n 2 || return
	ctl 0 top && grep -q '^ *pid ' "$work/out" || return
	! has "$work/out" "$escape" || return
	ctl 0 --json top -n 3 -d 0.1 && is_json "$work/out" || return
	same "objects" "$(wc -l <"$work/out")" 3 || return
	# whatever it opens for a look it closes; busybox and dash have it
	# shellcheck disable=SC3045
	(ulimit -n 20 && ctl 0 top -b -n 30 -d 0.1)
}

# get_now: sets now to hundredths of a second, of which only the order and the differences count
get_now() {
	IFS=' .' read -r whole part _ </proc/uptime
	now=$((whole * 100 + 1$part - 100))
}

is_past() {
	get_now
	[ $now -ge "$1" ]
}

# However long it was stopped, it prints no more often than it was told to.
keeps_its_pace() {
	bufpoolctl --json top -n 10 -d 0.3 >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	soon test -s "$work/out" && send STOP && soon has "/proc/$pid/status" "State:${tab}T" || return
	frames=$(wc -l <"$work/out")
	get_now
	soon is_past $((now + 240))
	send CONT
	began=$now
	wait $pid || return
	get_now
	frames=$(($(wc -l <"$work/out") - frames))
	[ $frames -le $(((now - began) / 30 + 2)) ] && return
	say "$frames frames in $((now - began)) hundredths of a second"
	return 1
}

# on_terminal ACTION...: run top on a terminal, and do something to it once it is
# there. The terminal is as before, and was not meanwhile.
on_terminal() {
	cat >"$work/session" <<END
stty -g >"$work/before"
sh -c 'echo \$\$ >"$work/pid"; exec bufpoolctl top -d 1'
echo \$? >"$work/status"
stty -g >"$work/after"
END
	rm -f "$work/before" "$work/after" "$work/during" "$work/status"
	: >"$work/screen"
	mkfifo "$work/keys" 2>/dev/null
	TERM=linux ./pty sh "$work/session" <"$work/keys" >"$work/screen" &
	pty=$!
	exec 9>"$work/keys"
	soon has "$work/screen" ceiling && read -r pid <"$work/pid" && "$@"
	result=$?
	exec 9>&-
	[ $result -eq 0 ] || kill -9 "$pid" $pty 2>/dev/null
	wait $pty
	[ $result -eq 0 ] || return
	same "exit status" "$(cat "$work/status")" 0 || return
	same "the terminal" "$(cat "$work/after")" "$(cat "$work/before")" || return
	# cursor and screen, too
	has "$work/screen" "${escape}[?25h${escape}[?1049l"
}

type_key() {
	printf '%b' "$1" >&9
}

send() {
	kill -"$1" "$pid"
}

# The mode of the terminal that top is on.
mode() {
	stty -g <"/proc/$pid/fd/0"
}

quits_raw() {
	mode >"$work/during" && type_key q
	! cmp -s "$work/before" "$work/during"
}

# shows_after KEYS TEXT: typed, that comes to the screen
shows_after() {
	: >"$work/screen"
	type_key "$1" && soon has "$work/screen" "$2"
}

obeys_keys() {
	has "$work/screen" "by held; keys: " || return
	shows_after s "by pid; keys" && shows_after s "by uid; keys" && shows_after S "by pid; keys" || return
	shows_after r "by pid, reversed; keys" && shows_after r "by pid; keys" || return
	shows_after U "by pinned; keys" && has "$work/screen" "kept  pinned" || return
	shows_after SS "by warm_bytes; keys" && shows_after U "by held; keys" || return
	# keys that are no characters are no commands
	for sequence in '\033OS' '\033[s' '\033[1;2S'; do
		shows_after "$sequence" "by held; keys" || return
	done
	shows_after u "user: " && type_key 'nobodyx\0177' && shows_after '\n' "by held, user 65534; keys" || return
	shows_after p "pid: " && shows_after 'q12' "q12" && shows_after '\r' "there is no pid q12" || return
	shows_after p "pid: " && type_key 12 && shows_after '\033' "by held, user 65534; keys" || return
	shows_after 'p12\n' "by held, user 65534, pid 12; keys" || return
	shows_after 'u\n' "by held, pid 12; keys" && shows_after 'p\n' "by held; keys" && type_key q
}

# ^C ends it there, too.
ends_while_it_asks() {
	shows_after u "user: " && type_key 'abc\003'
}

# draws LINES: the last frame that is complete has so many more than one
draws() {
	breaks=$(tr -d '\000' <"$work/screen" | awk -v RS='\001' '{
		count = split($0, frames, /\033\[H/)
		print gsub("\n", "", frames[count - 1])
	}')
	[ "$breaks" = "$1" ]
}

# resize_to ROWS COLUMNS: it goes on, and draws as many rows
resize_to() {
	stty rows "$1" cols "$2" <"/proc/$pid/fd/0" && send WINCH || return
	: >"$work/screen"
	soon draws $(($1 - 1)) && return
	say "of $1 rows and $2 columns it used $((breaks + 1))"
	return 1
}

resizes() {
	resize_to 4 20 && resize_to 4 300 && type_key Q
}

is_as_before_the_stop() {
	mode | cmp -s - "$work/during"
}

# Stopped, it gives the terminal back, and takes it again.
stops() {
	mode >"$work/during" && send TSTP
	soon has "/proc/$pid/status" "State:${tab}T" || return
	same "the terminal when stopped" "$(mode)" "$(cat "$work/before")"
	result=$?
	send CONT
	soon is_as_before_the_stop && send TERM || return
	return $result
}

# --- trim and classes

trims_client() {
	ctl 1 trim --fd 0 && ctl 1 trim --fd 77 || return
	bufpoolctl --tab trim --fd 8 -s 64K 8<>/dev/bufpool >"$work/out" || return
	same "of nothing" "$(cat "$work/out")" "trimmed	0"
}

# Not by its own worker meanwhile.
trims_pool() {
	read -r trim_ms <$parameters/trim_ms
	echo 3600000 >$parameters/trim_ms
	trims_all
	result=$?
	echo "$trim_ms" >$parameters/trim_ms
	return $result
}

trims_all() {
	bufpoolctl rent -n 4 -s 1M -t 0 >"$work/out" || return
	soon pool_has in_use 0 && look stat || return
	get pinned
	pinned=$got
	ctl 0 --tab trim || return
	IFS=$tab read -r _ trimmed <"$work/out"
	[ "$trimmed" -gt 0 ] || return
	is pinned $((pinned - trimmed)) stat
}

shows_classes() {
	start_renter -n 5 -s $((4 * page)) || return
	ctl 0 --json classes && is_json "$work/out" || return
	look info
	get block_sizes
	sizes=$got
	get io_block_sizes
	ctl 0 --tab classes || return
	same "classes, and blocks out" "slab,$sizes io,$got out 5 0" "$(awk -v page="$page" '
		NR > 1 { list[$7] = list[$7] "," $1 }
		$1 == 4 * page { out[$7] = $5 }
		END { print "slab" list["slab"], "io" list["io"], "out", out["slab"], out["io"] }' "$work/out")"
}

# --- channels

# channels_are LINE...: there are these, but for their number, with spaces between
channels_are() {
	bufpoolctl --tab channels >"$work/list"
	same "the channels" "$(tail -n +2 "$work/list" | cut -f 2- | tr '\t' ' ')" \
		"$(printf '%s\n' "$@")"
}

shows_channels() {
	look stat
	get sent
	sent=$got
	get received
	received=$got
	hold ./renter channel 8 3 1 $((2 * page)) rs || return
	channels_are "$renter_pid 0 rs 8 2 $((4 * page)) 3 1 0 renter" || return
	number=$(tail -n 1 "$work/list" | cut -f 1)
	same "its ends in fdinfo" "$(grep -l "bufpool-channel:.$number\$" /proc/$renter_pid/fdinfo/* | wc -l)" 2 || return
	is channels 1 stat && shows in_channels $((4 * page)) || return
	shows sent $((sent + 3)) && shows received $((received + 1)) || return
	ctl 0 --json channels && is_json "$work/out" && has "$work/out" '"ends":"rs","capacity":8,"messages":2,' || return
	ctl 0 channels && has "$work/out" 'ends    room    used   bytes' && has "$work/out" '      rs       8       2 ' || return
	ctl 0 top -b && has "$work/out" "quarantined, $((4 * page / 1024))K in channels" || return
	ctl 0 --prometheus stat && has_metric bufpool_channels 1 || return
	has_metric bufpool_in_channels_bytes $((4 * page)) || return
	end_renter
	soon pool_has channels 0 && soon pool_has in_channels 0 || return
	ctl 0 --json channels && same JSON "$(cat "$work/out")" '{"channels":[]}'
}

# What nobody can receive is dropped; what nobody sends to is there to be received.
shows_closed_ends() {
	hold ./renter channel 4 2 0 "$page" r- || return
	channels_are "$renter_pid 0 r- 4 2 $((2 * page)) 2 0 0 renter" || return
	end_renter
	hold ./renter channel 4 3 1 "$page" -s || return
	channels_are "$renter_pid 0 -s 4 0 0 3 1 2 renter"
}

# two_channels COMMAND...: with one of root's with 4 pages in it, and one of nobody's with
# 6. Sets other to who made that.
two_channels() {
	: >"$work/other"
	chmod 666 /dev/bufpool
	hold ./renter channel 9 2 0 $((2 * page)) rs || return
	su -s /bin/sh nobody -c "echo \$\$; exec $PWD/renter channel 3 3 0 $((2 * page)) rs" >"$work/other" &
	others=$!
	soon has "$work/other" ready && read -r other <"$work/other" && "$@"
	result=$?
	chmod 660 /dev/bufpool
	kill "$other"
	wait "$others"
	return $result
}

# makers OPTION... -- PIDS: who made those that are listed, in that order
makers() {
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # several arguments
	bufpoolctl --tab channels $options >"$work/list"
	same "the makers with$options" "$(tail -n +2 "$work/list" | cut -f 2 | tr '\n' ' ')" "$*${*:+ }"
}

sorts_channels() {
	makers -- "$other" "$renter_pid" && makers -r -- "$renter_pid" "$other" || return
	makers -o channel -- "$renter_pid" "$other" && makers --sort=capacity -- "$renter_pid" "$other" || return
	makers -u nobody -- "$other" && makers --user=0 -- "$renter_pid" || return
	makers -p "$renter_pid" -- "$renter_pid" && makers -p "$renter_pid" -u nobody -- || return
	ctl 2 channels -o held && says "no column 'held'" "capacity" || return
	ctl 2 channels -u no_such_user && ctl 2 channels -p x
}

# Whether debugfs is not there, or the module knows no channels
misses_channels() {
	apart "mount -t tmpfs tmpfs /sys/kernel/debug && exec bufpoolctl channels" >"$work/out" 2>"$work/err" </dev/null
	same "exit status" $? 1 && says "is debugfs mounted?" "mount -t debugfs" || return
	apart "mount -t tmpfs tmpfs /sys/kernel/debug && mkdir /sys/kernel/debug/bufpool && exec bufpoolctl channels" \
		>"$work/out" 2>"$work/err" </dev/null
	same "exit status" $? 1 && says "the module is older than this program" "as root, run" !mounted
}

# --- how it ends

refuses() {
	for arguments in "" nothing "info 1" "info --batch" "stat 0" "stat -1" "stat x" "stat 1 0" "stat 1 2 3" \
		"stat 0.x" "stat 1e3" "stat 99999999999" "rent -n" "rent -n 0" "rent -n 1x" "rent -s 0" "rent -s 4Q" \
		"rent -s 4KK" "rent -s 99999999999G" "rent -t -1" "rent -w x" "rent 1" "top -d 0" "top -n x" "top 1" \
		"channels 1" \
		"channels -o" "channels -b" "limit 1 2" "limit x" "limit -1" "quota some" "trim 1" "trim -f x" "trim -s 4K" "classes 1" \
		"--tab" "-n 1"; do
		# shellcheck disable=SC2086 # several arguments
		ctl 2 $arguments && [ ! -s "$work/out" ] && {
			read -r _
			read -r word _
		} <"$work/err" && [ "$word" = usage: ] && continue
		say "bufpoolctl $arguments: $(cat "$work/out" "$work/err")"
		return 1
	done
}

# is_json_error STATUS REASON COMMAND: what went wrong is one object, on standard
# error, and there is no output
is_json_error() {
	[ ! -s "$work/out" ] && is_json "$work/err" && same "lines" "$(wc -l <"$work/err")" 1 || return
	same "the object" "$(sed 's/,"message":"..*"}}$//' "$work/err")" \
		"{\"error\":{\"status\":$1,\"reason\":\"$2\",\"command\":$3"
}

fails_in_json() {
	for arguments in "=--json" "=--json nothing" "=nothing --json" "=--json --bogus" "limit=limit --json x" \
		"stat=--json stat 0" "stat=stat --bogus --json" "rent=--json rent -n" "info=info --json 1"; do
		# shellcheck disable=SC2086 # several arguments
		ctl 2 ${arguments#*=} || return
		command=\"${arguments%%=*}\"
		[ "$command" != '""' ] || command=null
		is_json_error 2 usage "$command" && continue
		say "bufpoolctl ${arguments#*=}: $(cat "$work/out" "$work/err")"
		return 1
	done
	ctl 1 --json limit 1 && is_json_error 1 failed '"limit"' || return
	ctl 2 --json limit "$(printf 'a"\n\033\377')" && is_json_error 2 usage '"limit"' || return
	# the last of several forms counts
	ctl 2 --json --tab limit x && ! is_json "$work/err" >"$work/no" && ctl 2 --tab --json limit x && is_json "$work/err"
}

notices_full_disk() {
	bufpoolctl info 2>"$work/err" >/dev/full
	same "exit status" $? 1 && grep -q 'could not write' "$work/err"
}

as_nobody() {
	# shellcheck disable=SC2016 # for the other shell
	su -s /bin/sh nobody -c "PATH=$PATH"'
		for arguments in info stat channels top "rent -t 0" "limit 64M" "quota 64M" trim; do
			said=$(bufpoolctl $arguments 2>&1)
			status=$?
			case $said in
			*"group bufpool"* | *root*) [ $status -eq 4 ] && continue ;;
			esac
			echo "# bufpoolctl $arguments: exit status $status: $said"
			exit 1
		done' </dev/null || return
	su -s /bin/sh nobody -c "PATH=$PATH bufpoolctl --json trim" >"$work/out" 2>"$work/err" </dev/null
	is_json_error 4 no_permission '"trim"' || return
	# every user may read them
	parameter limit
	same limit "$(su -s /bin/sh nobody -c "PATH=$PATH bufpoolctl --tab limit")" "limit$tab$got"
}

# node_for GROUPS NODE_GROUP NODE_MODE [SCRIPT]: a user opens the device where
# /etc/group has one more line, and the device such a group and mode; the script is what
# happens after the login. Sets status; what it said is in $work/err.
node_for() {
	grep -v '^bufpool:' /etc/group >"$work/group"
	echo "$1" >>"$work/group"
	chmod 666 "$work/group"
	chgrp "$2" /dev/bufpool
	chmod "$3" /dev/bufpool
	apart "mount --bind $work/group /etc/group &&
		su -s /bin/sh nobody -c 'PATH=$PATH; ${4:-:}; bufpoolctl info'" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	chgrp 0 /dev/bufpool
	chmod 660 /dev/bufpool
}

# refuses_node STATUS WORDS...: after node_for
refuses_node() {
	same "exit status" "$status" 4 && says "you may not open /dev/bufpool" "$@"
}

advises_on_group() {
	[ -e /etc/group ] || : >/etc/group
	node_for "" 0 660
	refuses_node "there is no group bufpool" "groupadd --system bufpool" "usermod -aG bufpool nobody" \
		"chgrp bufpool /dev/bufpool" "log in again" || return
	node_for "bufpool:x:4242:" 4242 660
	refuses_node "nobody is not in the group bufpool" "'usermod -aG bufpool nobody'" "log in again" !groupadd !chgrp || return
	node_for "bufpool:x:4242:" 4242 660 "echo bufpool:x:4242:nobody >/etc/group"
	refuses_node "log in again" "newgrp bufpool" !usermod !groupadd "!as root" || return
	node_for "bufpool:x:4242:nobody" 0 660
	refuses_node "belongs to the group root" "'chgrp bufpool /dev/bufpool'" 60-bufpool.rules !usermod "!log in" || return
	node_for "bufpool:x:4242:nobody" 4242 600
	refuses_node "has the mode 600" "'chmod 660 /dev/bufpool'" !usermod "!log in" || return
	node_for "bufpool:x:4242:nobody" 4242 660
	same "exit status of a member" $status 0
}

# The module is there and the node is not, or is another one.
advises_on_node() {
	read -r numbers </sys/class/misc/bufpool/dev
	make="mknod -m 660 /dev/bufpool c ${numbers%:*} ${numbers#*:}"
	apart "mount -t tmpfs tmpfs /dev && exec bufpoolctl info" >"$work/out" 2>"$work/err" </dev/null
	same "exit status" $? 3 && says "the module is loaded, but there is no /dev/bufpool" "'$make'" || return
	for other in "c 1 3" "c ${numbers%:*} 254" "c 511 7"; do
		apart "mount -t tmpfs tmpfs /dev && mknod /dev/bufpool $other && exec bufpoolctl info" \
			>"$work/out" 2>"$work/err" </dev/null
		same "exit status" $? 3 && says "not the module's device" "'rm /dev/bufpool'" "'$make'" || return
	done
	apart "mount -t tmpfs tmpfs /dev && $make && exec bufpoolctl info" >"$work/out" 2>"$work/err" </dev/null
}

# without_module_in SCRIPT: what it said is in $work/err
without_module_in() {
	apart "mount -t tmpfs tmpfs /lib/modules && mkdir /lib/modules/\$(uname -r) && $1; exec bufpoolctl info" \
		>"$work/out" 2>"$work/err" </dev/null
	same "exit status" $? 3
}

advises_on_module() {
	list="/lib/modules/\$(uname -r)/modules.dep"
	mkdir -p /lib/modules
	without_module_in : && says "not loaded" "not installed for this kernel" "insmod" || return
	without_module_in "echo extra/otherbufpool.ko: >$list" && says insmod || return
	for name in bufpool.ko: extra/bufpool.ko: updates/dkms/bufpool.ko.xz:; do
		without_module_in "echo $name >$list" && says "'modprobe bufpool'" !insmod !opening || return
	done
	# a node from the time of booting
	make="mount -t tmpfs tmpfs /dev && mknod /dev/bufpool c 10 248"
	without_module_in "$make && echo extra/bufpool.ko: >$list" || return
	says "opening /dev/bufpool did not load it" "'modprobe bufpool'" || return
	without_module_in "$make" && says "not installed for this kernel" insmod
}

without_module() {
	soon rmmod bufpool 2>"$work/err" || return
	result=0
	for arguments in info stat classes channels top "rent -t 0" limit "limit 64M" quota trim; do
		# shellcheck disable=SC2086 # several arguments
		ctl 3 $arguments && says "the module is not loaded" "as root, run" || result=1
	done
	ctl 3 --json stat && is_json_error 3 no_device '"stat"' || result=1
	ctl 0 --help || result=1
	advises_on_module || result=1
	insmod "$BUFPOOL_KO" || result=1
	return $result
}

# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
	end_renter
	rm -rf "$work"
}

command -v bufpoolctl >/dev/null || skip_all "there is no bufpoolctl on the PATH"
[ -c /dev/bufpool ] || skip_all "there is no /dev/bufpool"
[ "$(id -u)" = 0 ] || skip_all "this needs root"
[ -x ./pty ] || skip_all "there is no ./pty"
[ -x ./renter ] || skip_all "there is no ./renter"
renter=
renter_pid=
trap clean_up EXIT
chmod 755 "$work"
mkfifo "$work/silence"
write_json_parser
write_metrics_checker

echo "TAP version 13"
echo "1..66"
test_case "the parser of this test" knows_json
test_case "help" helps
test_case "help with each command" helps_with_commands
test_case "version" has_version
test_case "info" says_info
test_case "info names versions" says_versions
test_case "info in all forms" in_all_forms info
test_case "stat in all forms" in_all_forms stat
test_case "limit in all forms" in_all_forms limit
test_case "quota in all forms" in_all_forms quota
test_case "options before and after the command" takes_options_anywhere
test_case "stat counts exactly" counts
test_case "stat again and again" repeats
test_case "stat measures what happens" measures
test_case "the checker of metrics" knows_metrics
test_case "stat for Prometheus" exports_metrics
test_case "stat for Prometheus with a quota" exports_quota
test_case "stat for Prometheus has all numbers" exports_all
test_case "nothing else is for Prometheus" exports_only_stat
test_case "output that cannot be written" ends_where_disk_is_full
test_case "limit" sets_limit
test_case "quota" sets_quota
test_case "quota of one user" sets_user_quota
test_case "amounts for people" shortens
test_case "sizes are those of the module" agrees_on_sizes
test_case "sizes that are none" explains_sizes
test_case "rent more than one call takes" rents
test_case "rent for I/O" rents_for_io
test_case "rent until a signal" ends_by_signal
test_case "rent until the time is over" ends_by_time
test_case "rent says what is wrong" says_what_is_wrong
test_case "rent says that the quota is reached" says_that_the_quota_is_reached
test_case "rent waits, and says so" waits "" "bufpoolctl rent: "
test_case "rent waits, and says so in JSON" waits --json '{"notice":{"command":"rent","message":"'
test_case "rent waits on when it was stopped" waits_though_stopped
test_case "top lists the largest holder first" lists_clients
test_case "top and names of processes" copes_with_names
test_case "top and names that are no text" replaces_what_is_no_character
test_case "top without a terminal" is_batch_without_terminal
test_case "top sorts" among_renters sorts
test_case "top filters" among_renters filters
test_case "top sums by user" among_renters sums_by_user
test_case "stat and top show what is quarantined" with_quarantine shows_quarantine
test_case "top obeys keys" on_terminal obeys_keys
test_case "top ends while it asks" on_terminal ends_while_it_asks
test_case "top leaves the terminal as it was: q" on_terminal quits_raw
test_case "top leaves the terminal as it was: ^C" on_terminal type_key '\003'
test_case "top leaves the terminal as it was: SIGTERM" on_terminal send TERM
test_case "top leaves the terminal as it was: SIGHUP" on_terminal send HUP
test_case "top on a terminal that is resized" on_terminal resizes
test_case "top stopped and continued" on_terminal stops
test_case "top after a long stop" keeps_its_pace
test_case "trim of a client" trims_client
test_case "trim of the pool" trims_pool
test_case "classes" shows_classes
test_case "channels" shows_channels
test_case "channels with an end closed" shows_closed_ends
test_case "channels sorts and filters" two_channels sorts_channels
test_case "channels without a list of them" misses_channels
test_case "bad arguments: 2" refuses
test_case "errors in JSON" fails_in_json
test_case "a full disk: 1" notices_full_disk
test_case "no permission: 4" as_nobody
test_case "no permission, and what to do" advises_on_group
test_case "no device, and what to do" advises_on_node
test_case "no module: 3" without_module
echo "# totals: $((count - failed)) of $count"
[ $failed -eq 0 ]
