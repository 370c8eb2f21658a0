#!/bin/bash
# SPDX-License-Identifier: MIT
# Run the library's tests on this machine, against its private pools: as they are, for 32
# bits, with clang, with musl, in valgrind, and with the sanitizers of addresses and of
# undefined behaviour, of threads, and of memory that was never written. The kinds run
# beside each other.
#
# usage: library.sh LOG_DIRECTORY [KIND...]
#
# The log directory gets what the tests say, and "counts": cases passed, failed,
# skipped. TESTS names the tests to run, else all; BUFPOOL_STRESS_SECONDS is how
# long the stress test lasts.

. "$(dirname "$0")/lib.sh"

logs=$1
shift
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || set -- $library_kinds
export BUFPOOL_PROVIDER=private BUFPOOL_WATCH=0
export ASAN_OPTIONS=allow_user_segv_handler=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1

# say_result KIND NAME STATUS TENTHS: from the log, and add to the kind's counts
say_result() {
	local kind=$1 name=$2 status=$3 tenths=$4 log=$logs/$1-$2 word=ok plan p f s words
	{
		read -r plan p f s
		read -r words
	} < <(awk -f "$qemu_dir/guest/tap.awk" "$log")
	if [ "$status" -ne 0 ] || [ "$plan" != $((p + f + s)) ]; then
		[ "$f" -gt 0 ] || f=1
	fi
	[ "$f" -eq 0 ] || word=FAIL
	echo "$p $f $s" >>"$logs/$kind.counts"
	printf '%-7s %-4s  %-12s %s\n' host $word "$name" "$p passed$([ "$f" -eq 0 ] || echo ", $f failed")$(
	)$([ "$s" -eq 0 ] || echo ", $s skipped") ($kind), $((tenths / 10)).$((tenths % 10)) s${words:+: $words}"
	[ "$f" -eq 0 ] || awk -f "$qemu_dir/guest/failure.awk" "$log"
}

valgrind=(valgrind -q --error-exitcode=9 --fair-sched=yes)

# The sanitizer of threads wants addresses where it expects them, which is not
# allowed everywhere, nor always needed.
steady=()
! setarch -R true 2>/dev/null || steady=(setarch -R)

# Whatever a test has left: one that was ended may have had children that go on.
end_session() {
	local session=$1 file line fields
	for file in /proc/[0-9]*/stat; do
		read -r line 2>/dev/null <"$file" || continue
		read -ra fields <<<"${line##*) }"
		if [ "${fields[3]}" = "$session" ]; then
			kill -KILL "$(basename "${file%/stat}")" || true
		fi
	done
}

run_kind() {
	local kind=$1 name status began session checked
	for name in ${TESTS:-$(library_tests_of "$kind")}; do
		case $kind/$name in
		# where nothing watches there is nothing to count
		valgrind/library_watch | coverage/library_watch) checked=("${valgrind[@]}" --leak-check=full --trace-children=yes) ;;
		valgrind/*) checked=("${valgrind[@]}") ;;
		*) checked=() ;;
		esac
		status=0
		began=$(date +%s%N)
		[ "$kind" != coverage ] || export GCOV_PREFIX="$logs/counts-$name"
		LD_LIBRARY_PATH=$build/userlib-$kind setsid timeout -k 5 "${BUFPOOL_TIMEOUT:-300}" "${steady[@]}" "${checked[@]}" "$build/library/$kind/$name" \
			>"$logs/$kind-$name" 2>&1 &
		session=$!
		wait $session || status=$?
		end_session $session
		say_result "$kind" "$name" $status $((($(date +%s%N) - began) / 100000000))
	done
}

mkdir -p "$logs"
rm -f "$logs/counts"
rm -f "$logs"/*.counts
for kind; do
	run_kind "$kind" &
done
wait
for kind; do
	awk -v kind="$kind" '{ p += $1; f += $2; s += $3 } END {
		printf "%-7s %-4s  %-12s %d passed, %d failed, %d skipped\n", "host", f ? "FAIL" : "ok", kind, p, f, s
	}' "$logs/$kind.counts"
done
cat "$logs"/*.counts | awk -v seconds=$SECONDS '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0, seconds }' >"$logs/counts"
read -r _ failed _ <"$logs/counts"
[ "$failed" -eq 0 ]
