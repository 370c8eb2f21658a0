#!/bin/bash
# SPDX-License-Identifier: MIT
# Measure libbufpool beside its peers on this machine. What comes out is in
# build/bench: native.csv, instructions.csv, native.md, a picture with its
# commands for each question, and where libbufpool's instructions go.
#
# usage: run.sh
#
# with, from the environment
#   BENCH_ROUNDS=n          rounds, at least 5
#   BENCH_MS=n              milliseconds that each figure of a round is taken for
#   BENCH_WORKLOADS="a b"   only these
#   BUFPOOL_PROVIDER=name   libbufpool's, instead of the private one

. "$(dirname "$0")/../../selftests/qemu/lib.sh"

native=$top/bench/native
out=$build/bench
programs=$out/native
samples=$programs/samples
rounds=${BENCH_ROUNDS:-7}
milliseconds=${BENCH_MS:-100}
under=()
export BUFPOOL_PROVIDER=${BUFPOOL_PROVIDER:-private}

# Name; the file or command that must be there, and the package that brings it.
needs() {
	cat <<-'EOF'
		jemalloc /usr/include/jemalloc/jemalloc.h libjemalloc-dev
		mimalloc /usr/include/mimalloc.h libmimalloc-dev
		rte_mempool /usr/include/dpdk/rte_mempool.h libdpdk-dev
		sync.Pool go golang-go
		pictures gnuplot gnuplot-nox
		instructions valgrind valgrind
	EOF
}

# Name; the program's arguments for it: workload, size, threads.
workloads() {
	cat <<-'EOF'
		pair-4k pair 4096 1
		pair-1m pair 1048576 1
		burst-4k burst 4096 1
		bulk-4k bulk 4096 1
		random random 1048576 1
		handover-4k handover 4096 1
		threads-1 pair 4096 1
		threads-2 pair 4096 2
		threads-4 pair 4096 4
		threads-8 pair 4096 8
		checks-pair pair 4096 1
		checks-burst burst 4096 1
	EOF
}

# Name and title of each question; the workloads' names begin with the name.
questions() {
	cat <<-'EOF'
		pair One block: rent and return, again and again
		burst Bursts: 64 blocks, one by one, and back
		bulk The same in one call for all 64
		random Random sizes from 4 KiB to 1 MiB, 64 blocks out
		handover Rented in one thread, returned in another
		threads Threads side by side, 4 KiB
		checks What each check costs: the library, linked statically, without it
	EOF
}

# Sets have_NAME for each of needs().
look_around() {
	local name what package
	while read -r name what package; do
		if [ -e "$what" ] || command -v "$what" >/dev/null; then
			declare -g "have_${name/./_}=yes"
		else
			say "no $name: package $package is not installed"
		fi
	done < <(needs)
}

have() {
	local name=have_${1/./_}
	[ -n "${!name:-}" ]
}

# Sets prices: the checks that can be taken out of the library, as patches.
find_prices() {
	mapfile -t prices < <(grep -l '^Price: ' "$qemu_dir"/mutants/*.patch)
}

# price_name PATCH: the peer that is the library without that
price_name() {
	basename "${1#*library-}" .patch
}

# A library and a program for each of them.
build_without() {
	local patch name dir
	for patch in "${prices[@]}"; do
		name=$(price_name "$patch")
		dir=$programs/without/$(basename "$patch" .patch)
		rm -rf "$dir"
		mkdir -p "$dir/lib"
		cp -r "$top/userlib" "$top/uapi" "$top/VERSION" "$dir"
		quietly "$dir/log" patch -p1 -d "$dir" -i "$patch"
		quietly "$dir/log" make -C "$dir/userlib" O="$dir/lib"
		quietly "$dir/log" make -C "$native" O="$dir/bin" USERLIB="$dir/lib" PEERS=libbufpool.a
		ln -sf "$dir/bin/libbufpool.a" "$programs/$name"
	done
}

build_programs() {
	local peer
	peers=(libbufpool libbufpool.a libbufpool-flto libbufpool-nonblock libbufpool-timed nothing)
	for peer in rte_mempool jemalloc mimalloc glibc sync.Pool; do
		if [ "$peer" = glibc ] || have "$peer"; then
			peers+=("$peer")
		fi
	done
	quietly "$programs/userlib.log" make -C "$top" userlib
	quietly "$programs/build.log" make -C "$native" PEERS="${peers[*]}"
	find_prices
	build_without
}

# compared NAME: sets compared, who is measured with that workload
compared() {
	local patch
	compared=("${peers[@]}")
	[[ $1 == checks-* ]] || return 0
	compared=(libbufpool.a)
	for patch in "${prices[@]}"; do
		compared+=("$(price_name "$patch")")
	done
}

# run PEER ARGUMENT...: libbufpool-strict is libbufpool with BUFPOOL_STRICT set
run() {
	local command=("${under[@]}" "$programs/${1%-strict}" "${@:2}")
	[[ $1 != *-strict ]] || command=(env BUFPOOL_STRICT=1 "${command[@]}")
	"${command[@]}"
}

# Leave out, with a word, whom the machine does not let work.
try_peers() {
	local peer able=()
	grep -q BUFPOOL_STRICT "$build/userlib/libbufpool.so" && peers+=(libbufpool-strict)
	for peer in "${peers[@]}"; do
		if run "$peer" pair 4096 1 leave 1 >"$programs/try" 2>&1; then
			able+=("$peer")
		else
			say "no $peer: $(tail -n 1 "$programs/try")"
		fi
	done
	peers=("${able[@]}")
}

# chosen NAME: is it among BENCH_WORKLOADS?
chosen() {
	[[ -z ${BENCH_WORKLOADS:-} || " $BENCH_WORKLOADS " == *" $1 "* ]]
}

# sample NAME PEER ARGUMENT...: a line in samples, but where the peer has no
# such workload
sample() {
	local figures status=0
	# What a flag costs shows in one pair; revoking is for who looks for a mistake.
	[[ $2 != *-@(strict|nonblock|timed) || $1 == pair-* ]] || return 0
	figures=$(run "$2" "${@:3}" "$milliseconds" 2>>"$programs/errors") || status=$?
	case $status in
	0) echo "$1 $2 ${figures##*$'\n'}" >>"$samples" ;;
	4) ;;
	*) die "$2 failed at $1 with status $status; see $programs/errors" ;;
	esac
}

# Everybody once, one after the other: what disturbs the machine for a while
# disturbs all.
measure_round() {
	local name workload size threads peer
	while read -r name workload size threads; do
		chosen "$name" || continue
		compared "$name"
		for peer in "${compared[@]}"; do
			sample "$name" "$peer" "$workload" "$size" "$threads" leave
			[[ $name == checks-* ]] ||
				sample "$name-touched" "$peer" "$workload" "$size" "$threads" touch
		done
	done < <(workloads)
}

# Ticks that this machine's processors have worked, have had, and have worked
# for this script.
ticks() {
	local -a all own
	read -ra all </proc/stat
	read -ra own </proc/$$/stat
	# user, nice, system, irq, softirq, steal; with idle and iowait
	local busy=$((all[1] + all[2] + all[3] + all[6] + all[7] + all[8]))
	echo $busy $((busy + all[4] + all[5])) $((own[13] + own[14] + own[15] + own[16]))
}

measure() {
	local round before after
	: >"$samples"
	: >"$programs/errors"
	read -ra before < <(ticks)
	for ((round = 1; round <= rounds; round++)); do
		say "round $round of $rounds"
		measure_round
	done
	read -ra after < <(ticks)
	others=$((100 * (after[0] - before[0] - after[2] + before[2]) / (after[1] - before[1])))
}

# collected PEER PAIRS ARGUMENT...: the instructions of a program that does so
# many pairs and ends
collected() {
	local log=$programs/callgrind.log
	local under=(valgrind --tool=callgrind --callgrind-out-file="$programs/callgrind.out")
	run "$1" "${@:3}" leave "x$2" >"$log" 2>&1 || return 1
	sed -n 's/.*Collected : //p' "$log"
}

# Which functions of libbufpool it was, its checks among them: of the last
# program that was counted.
where_they_go() {
	callgrind_annotate "$programs/callgrind.out" >"$out/$1.functions" 2>>"$programs/errors" || true
}

# What two numbers of pairs differ by is what the pairs took. Counts do not
# depend on what else the machine does; they do not tell what an instruction
# costs.
count_instructions() {
	local peer name workload size threads few many pairs=6400
	echo workload,peer,instructions >"$out/instructions.csv"
	while read -r name workload size threads; do
		[[ $name =~ ^(pair-|burst-|bulk-|random|checks-) ]] || continue
		chosen "$name" || continue
		compared "$name"
		for peer in "${compared[@]}"; do
			# Go's threads are too many for valgrind.
			[ "$peer" != sync.Pool ] || continue
			few=$(collected "$peer" $pairs "$workload" "$size" "$threads") || continue
			many=$(collected "$peer" $((3 * pairs)) "$workload" "$size" "$threads") || continue
			echo "$name,$peer,$(((many - few) / (2 * pairs)))" >>"$out/instructions.csv"
			[ "$peer" != libbufpool ] || where_they_go "$name"
		done
	done < <(workloads)
}

# version PACKAGE...: of those that are installed
versions() {
	# shellcheck disable=SC2016 # dpkg-query's own
	dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\n' "$@" 2>/dev/null |
		sed -n 's/^ii *//p' | paste -sd, | sed 's/,/, /g'
}

machine() {
	cat <<-EOF
		$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors; Linux $(uname -r); $(gcc --version | head -n 1).
		$(versions libc6 libjemalloc2 libmimalloc2.0 librte-mempool23 golang-go).
		$rounds rounds, $milliseconds ms for each figure; what else ran on the machine took $others % of its processors.
	EOF
}

# section FILE SHOW QUESTION: a table of the file, when it has something to say
section() {
	local base=libbufpool
	[ "$3" != checks ] || base=libbufpool.a
	awk -v show="$2" -v question="$3" -v own="$base" -f "$native/table.awk" "$1"
	echo
}

tables() {
	local name title
	echo "## On this machine, in the process"
	echo
	machine
	echo
	while read -r name title; do
		grep -q "^$name" "$out/native.csv" || continue
		echo "### $title"
		echo
		section "$out/native.csv" wall "$name"
		echo "Processor time:"
		echo
		section "$out/native.csv" cpu "$name"
		[ "$name" = threads ] || continue
		chosen threads-1 || continue
		echo "Beside one thread alone (and by processor time):"
		echo
		section "$out/native.csv" scale "$name"
	done < <(questions)
	[ -e "$out/instructions.csv" ] || return 0
	for name in pair burst bulk random checks; do
		grep -q "^$name" "$out/instructions.csv" || continue
		echo "### Instructions of a pair: $name"
		echo
		section "$out/instructions.csv" count $name
	done
}

mkdir -p "$programs"
unset BUFPOOL_STRICT
# Who is not there is left out.
"$qemu_dir/packages.sh" bench || say "going on without what is missing"
look_around
build_programs
try_peers
measure
awk -f "$native/summary.awk" "$samples" >"$out/native.csv"
rm -f "$out/instructions.csv"
! have instructions || count_instructions
tables >"$out/native.md"
! have pictures || questions | "$native/pictures.sh" "$out/native.csv" "$out"
cat "$out/native.md"
