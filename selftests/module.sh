#!/bin/sh
# SPDX-License-Identifier: MIT
# Loading, parameters and unloading of the module.
#
# The module is ./bufpool.ko, or what BUFPOOL_KO says; ./renter is built beside
# this. Needs root and the module not in use. A module that is loaded at the
# start is loaded again at the end.

ko=${BUFPOOL_KO:-./bufpool.ko}
parameters=/sys/module/bufpool/parameters
page=$(awk '/^KernelPageSize:/ { print $2 * 1024; exit }' /proc/self/smaps)

. "$(dirname "$0")/tap.sh"

is_loaded() {
	[ -d /sys/module/bufpool ]
}

# load NAME=VALUE...: what insmod says is left in $said
load() {
	said=$(insmod "$ko" dyndbg=+p "$@" 2>&1)
}

# What a killed process held is given back a moment after its end.
unload() {
	tries=0
	while is_loaded && ! said=$(rmmod bufpool 2>&1); do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || {
			say "rmmod: $said"
			return 1
		}
		sleep 0.1
	done
}

after_case() {
	unload
}

# This kernel looks at each step; dozens of processes about reading numbers take it
# minutes, and say nothing more.
is_slow() {
	[ -e /sys/kernel/debug/kmemleak ]
}

# text_case NAME COMMAND...: what is about reading numbers
text_case() {
	if ! is_slow; then
		test_case "$@"
	else
		count=$((count + 1))
		echo "ok $count $1 # SKIP about reading numbers"
	fi
}

makes_the_device() {
	load || return
	[ -c /dev/bufpool ] || return
	mode=$(stat -c %a /dev/bufpool)
	[ "$mode" = 660 ] || {
		say "mode $mode"
		return 1
	}
}

# Without udev, whose rule has the last word, it is root's.
gives_it_to_root() {
	[ ! -e /run/udev ] || return 0
	load || return
	owner=$(stat -c %u:%g /dev/bufpool)
	[ "$owner" = 0:0 ] && return
	say "owner $owner"
	return 1
}

# One that was made before, at boot or by hand, stays as it is, and stays.
keeps_another_node() {
	[ ! -e /run/udev ] || return 0
	mknod -m 640 /dev/bufpool c 10 248 && chgrp 4242 /dev/bufpool && load && ./renter rent 1 && unload || return
	node=$(stat -c "%a %u:%g" /dev/bufpool)
	rm -f /dev/bufpool
	[ "$node" = "640 0:4242" ] && return
	say "it is $node"
	return 1
}

has_alias() {
	grep -q 'alias=devname:bufpool' "$ko"
}

# try_all NAME=VALUE...: sets refused to those that are refused as they should be,
# with EINVAL and a line of the kernel's with the name and what is accepted. To
# look for that line takes longer than all the rest: it is done once.
try_all() {
	mark="bufpool module.sh $$"
	for pair; do
		echo "$mark: try $pair" >/dev/kmsg
		load "$pair" && said="it was accepted"
		echo "$mark: insmod: $said" >/dev/kmsg
		unload
	done
	refused=$(dmesg | awk -v mark="$mark" '
		index($0, mark ": try ") {
			pair = name = $NF
			sub(/=.*/, "", name)
			explained = 0
		}
		index($0, "bufpool: " name "=") && /not accepted: give/ { explained = 1 }
		index($0, mark ": insmod: ") && /nvalid/ && explained { printf "%s ", pair }')
}

# is_refused NAME=VALUE: it was, when all were tried
is_refused() {
	case " $refused" in
	*" $1 "*) return 0 ;;
	esac
	say "$(dmesg | grep -A 3 "$mark: try $1\$")"
	return 1
}

# accepts "NAME=VALUE..." "NAME=BYTES..." SIZE...: loads with the first, has
# the second, and rents the sizes
accepts() {
	given=$1
	expected=$2
	shift 2
	# shellcheck disable=SC2086 # several parameters
	load $given || {
		say "$said"
		return 1
	}
	for pair in $expected; do
		read -r value <"$parameters/${pair%%=*}"
		[ "$value" = "${pair#*=}" ] && continue
		say "${pair%%=*} is $value, not ${pair#*=}"
		return 1
	done
	./renter rent "$@"
}

# reads_as TEXT BYTES: written to a parameter, that is what it means
reads_as() {
	echo "$1" 2>/dev/null >"$parameters/quota" || {
		say "$1 is refused"
		return 1
	}
	read -r value <"$parameters/quota"
	[ "$value" = "$2" ] && return
	say "$1 is $value, not $2"
	return 1
}

# does_not_read TEXT: written to a parameter, it is refused and changes nothing
does_not_read() {
	read -r before <"$parameters/quota"
	if (printf '%b' "$1" >"$parameters/quota") 2>/dev/null; then
		say "'$1' is accepted"
		return 1
	fi
	read -r value <"$parameters/quota"
	[ "$value" = "$before" ]
}

reads_suffixes() {
	load || return
	for letter in k=10 m=20 g=30 t=40 p=50; do
		shift=${letter#*=}
		letter=${letter%=*}
		upper=$(echo "$letter" | tr kmgtp KMGTP)
		for suffix in "$letter" "$upper" "${upper}iB" "${letter}ib" "${upper}IB"; do
			reads_as "100$suffix" $((100 << shift)) || return
		done
	done
	reads_as 7E $((7 << 60)) && reads_as 65536 65536 || return
	for text in '\n' K KiB 4KB 4B 4Ki 4KiBs 4iB 4Kk 4Q 1.5G 0x1000 +4096 -4096 ' 4096' '4096 ' '4 K' '4K\n\n' \
		16E 17179869184G 18446744073709551616 99999999999999999999999999999999999; do
		does_not_read "$text" || return
	done
}

# said_of TEXT: what the log has of that, written to a parameter
said_of() {
	marks=$((marks + 1))
	mark="bufpool module.sh $$: write $marks"
	echo "$mark" >/dev/kmsg
	(printf '%b' "$1" >"$parameters/quota") 2>/dev/null && return 1
	said=$(dmesg | awk -v mark="$mark" 'found { print } index($0, mark) { found = 1 }' | sed 's/.*bufpool: //')
}

# The value that is refused is in one line with what is accepted, however it ends.
names_refused_values() {
	load || return
	marks=0
	zeroes=$(printf %064d 0)
	for pair in "x$zeroes=quota=x${zeroes#0} is not accepted: give a whole number of bytes" \
		'rubbish=quota=rubbish is not accepted: give a whole number of bytes' \
		'rubbish\n=quota=rubbish is not accepted: give a whole number of bytes' \
		'rub\nbish\n=quota=rub\nbish is not accepted: give a whole number of bytes' \
		'99E\n=quota=99E is not accepted: give at most 18446744073709551615' \
		"$((page - 1))\\n=quota=$((page - 1)) is not accepted: give $page to "; do
		said_of "${pair%%=*}" || return
		case $said in
		"${pair#*=}"*) continue ;;
		esac
		say "${pair%%=*}: $said"
		return 1
	done
}

start_holder() {
	./renter "$1" >"$work/holder" &
	holder=$!
	read -r said <"$work/holder" && [ "$said" = ready ]
}

end_holder() {
	kill -9 "$holder"
	wait "$holder" 2>/dev/null
}

# stays_while KIND: what holds the module, holds it
stays_while() {
	load && start_holder "$1" || return
	result=0
	if rmmod bufpool 2>/dev/null; then
		say "unloaded while in use"
		result=1
	elif ! ./renter rent 1 65536; then
		say "not usable after that"
		result=1
	fi
	end_holder
	unload && return $result
}

leaves_nothing() {
	load && ./renter rent 1 $((page + 1)) 65536 1048576 && unload || return
	[ ! -e /dev/bufpool ] || return
	[ ! -e "$parameters" ] || return
	! grep bufpool /proc/slabinfo
}

gives_a_reserve_back() {
	load && echo 1M >/sys/class/misc/bufpool/classes/65536/reserve && unload || return
	! grep bufpool /proc/slabinfo
}

comes_and_goes() {
	for _ in 1 2 3 4 5; do
		load && ./renter rent 1 && unload || return
	done
}

# The limit, changed at run time, is not the next load's.
forgets_the_limit() {
	load || return
	read -r first <"$parameters/limit"
	echo 4M >"$parameters/limit" || return
	read -r now <"$parameters/limit"
	[ "$now" = 4194304 ] || return
	unload && load || return
	read -r now <"$parameters/limit"
	[ "$now" = "$first" ]
}

# Zeroing and giving back are under way, or about to be, when it ends.
ends_in_the_middle() {
	for pause in "" 0.01 "" 0.05; do
		load trim_ms=10 floor=0 &&
			./renter rent 1 65536 1048576 1 65536 1048576 || return
		[ -z "$pause" ] || sleep $pause
		unload || return
	done
}

# have_mode MODE NAME...: the parameters' files all have that mode
have_mode() {
	mode=$1
	shift
	[ "$(cd $parameters && stat -c %a "$@" | uniq)" = "$mode" ]
}

free_at_run_time() {
	load || return
	have_mode 644 limit quota share floor warm_blocks warm_bytes trim_ms
}

fixed_at_run_time() {
	load || return
	have_mode 444 slab_size max_pooled memcg
}

[ -e "$ko" ] || skip_all "there is no $ko"
[ "$(id -u)" = 0 ] || skip_all "this needs root"
[ -x ./renter ] || skip_all "there is no ./renter"
was_loaded=
if is_loaded; then
	was_loaded=yes
	rmmod bufpool 2>/dev/null || skip_all "the module is in use"
fi

bad="quota=1 slab_size=0 max_pooled=rubbish limit=131071"
if ! is_slow; then
	bad="$bad quota=$((page - 1)) quota=rubbish floor=17179869183G floor=-1
		warm_blocks=65536 warm_blocks=1K warm_bytes=17179869183G trim_ms=9
		trim_ms=3600001 trim_ms=10s max_pooled=0 slab_size=rubbish"
	for value in 3000 2048 4MM 1G 99999999999G; do
		bad="$bad slab_size=$value max_pooled=$value"
	done
	for value in 0 -1 rubbish 4M4 99999999999G; do
		bad="$bad limit=$value"
	done
fi
# shellcheck disable=SC2086 # words
set -- $bad
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/holder"

echo "TAP version 13"
echo "1..$((23 + $#))"
test_case "loading makes the device" makes_the_device
test_case "the device is root's" gives_it_to_root
test_case "a node that is there stays" keeps_another_node
test_case "opening the device may load the module" has_alias
try_all "$@"
for pair; do
	test_case "$pair is refused" is_refused "$pair"
done
test_case "budgets" accepts "quota=1M floor=0 warm_blocks=0 warm_bytes=64K trim_ms=10" \
	"quota=1048576 floor=0 warm_blocks=0 warm_bytes=65536 trim_ms=10" 1 65536 1048576
text_case "budgets with other suffixes" accepts "quota=10T floor=64k warm_bytes=1MiB limit=4m" \
	"quota=10995116277760 floor=65536 warm_bytes=1048576 limit=4194304" 1 65536 1048576
text_case "suffixes" reads_suffixes
text_case "a refused value is named in one line" names_refused_values
test_case "small slabs" accepts "slab_size=$((8 * page / 1024))K" "slab_size=$((8 * page))" 1 65536 1048576
test_case "large slabs" accepts "slab_size=1M" "slab_size=1048576" 1 65536 1048576
test_case "little is pooled" accepts "max_pooled=64K" "max_pooled=65536" 1 65536 65537 1048576
test_case "no cgroups" accepts "memcg=0" "memcg=N" 1 65536 1048576
test_case "a low limit" accepts "limit=4M" "limit=4194304" 1 65536 1048576
test_case "everything at once" accepts "limit=2M slab_size=$((16 * page / 1024))K max_pooled=$((page / 1024))K" \
	"limit=2097152 slab_size=$((16 * page)) max_pooled=$page" 1 "$page" $((page + 1)) 1048576
test_case "sizes are fixed once loaded" fixed_at_run_time
test_case "budgets are not" free_at_run_time
test_case "a new limit lasts until unloading" forgets_the_limit
test_case "an open file keeps the module" stays_while file
test_case "a mapping keeps the module" stays_while mapping
test_case "unloading leaves nothing" leaves_nothing
test_case "what is set aside" gives_a_reserve_back
test_case "in the middle of its work" ends_in_the_middle
test_case "five times" comes_and_goes
echo "# totals: $((count - failed)) of $count"

[ -z "$was_loaded" ] || load || say "could not load the module again: $said"
[ $failed -eq 0 ]
