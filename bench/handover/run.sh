#!/bin/bash
# SPDX-License-Identifier: MIT
# Time how messages are handed over from process to process on this machine, in the ways that
# it has. What comes out is in build/bench: handover.csv, handover.md, and pictures with their
# commands. It is to be read; nothing passes or fails by it.
#
# usage: run.sh
#
# with BENCH_ROUNDS and BENCH_MS from the environment, as for bench/native/run.sh

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

here=$top/bench/handover
out=$build/bench
program=$out/handover/handover
samples=$out/handover/samples
rounds=${BENCH_ROUNDS:-7}
milliseconds=${BENCH_MS:-100}

sizes() {
	cat <<-'EOF'
		4k 4096
		64k 65536
		1m 1048576
		2m 2097152
		4m 4194304
	EOF
}

questions() {
	cat <<-'EOF'
		handover-1 One message on its way at a time
		handover-64 64 messages on their way at a time
	EOF
}

# iceoryx has a daemon, whose memory is taken while it runs.
start_daemon() {
	command -v iox-roudi >/dev/null || {
		say "no iceoryx: packages iceoryx and libiceoryx-binding-c-dev are not installed"
		return
	}
	iox-roudi -c "$here/roudi.toml" -m off -l off >"$out/handover/roudi" 2>&1 &
	daemon=$!
	trap 'kill $daemon' EXIT
	until grep -q 'ready for clients' "$out/handover/roudi"; do
		kill -0 $daemon 2>/dev/null || die "iceoryx's daemon has ended; see $out/handover/roudi"
		sleep 0.1
	done
}

# Leave out, with a word, what this machine has not.
try_transports() {
	local name
	transports=()
	for name in ring channel channel-map iceoryx memfd vmsplice pipe socket; do
		if timeout 20 "$program" "$name" 4096 1 1 >/dev/null 2>"$out/handover/try"; then
			transports+=("$name")
		else
			say "no $name: $(tail -n 1 "$out/handover/try")"
		fi
	done
}

# Everybody once, one after the other: what disturbs the machine for a while disturbs all.
measure_round() {
	local count name bytes transport
	for count in 1 64; do
		while read -r name bytes; do
			for transport in "${transports[@]}"; do
				echo "handover-$count-$name $transport $("$program" "$transport" "$bytes" $count \
					"$milliseconds")" >>"$samples"
			done
		done < <(sizes)
	done
}

measure() {
	local round
	: >"$samples"
	for ((round = 1; round <= rounds; round++)); do
		say "round $round of $rounds"
		measure_round
	done
	# it tells of wall time only
	awk -f "$top/bench/native/summary.awk" "$samples" | cut -d, -f1-6 >"$out/handover.csv"
}

tables() {
	local name title
	echo "## From process to process, on this machine"
	echo
	while read -r name title; do
		echo "### $title"
		echo
		awk -v show=wall -v question="$name" -v own=ring -f "$top/bench/native/table.awk" "$out/handover.csv"
		echo
	done < <(questions)
}

mkdir -p "$out/handover"
quietly "$out/handover/userlib.log" make -C "$top" userlib
quietly "$out/handover/build.log" make -C "$here"
start_daemon
try_transports
measure
tables >"$out/handover.md"
! command -v gnuplot >/dev/null || questions | "$top/bench/native/pictures.sh" "$out/handover.csv" "$out"
cat "$out/handover.md"
