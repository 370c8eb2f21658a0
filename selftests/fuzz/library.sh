#!/bin/bash
# SPDX-License-Identifier: MIT
# Give the library on this machine, with a private pool, whatever environments, sizes, pointers
# and handles: by libFuzzer, with the sanitizers of addresses and of undefined behaviour.
#
# usage: library.sh [SECONDS [DIRECTORY]]
#
# Without SECONDS so many inputs are run as some seconds are enough for, always the same, as
# "make check" does; with them new ones are looked for, as long as that, and kept in DIRECTORY, else in
# build/fuzz-library/corpus. Those of the file library/corpus are run first. An input that finds a
# mistake is in build/fuzz-library, and is run alone by build/fuzz-library/fuzz FILE.
# build/log/fuzz-library gets what libFuzzer says, and "counts": 1 passed, or 1 failed.

. "$(dirname "$0")/../qemu/lib.sh"

dir=$build/fuzz-library
seeds=$dir/seeds
found=${2:-$dir/corpus}
log=$build/log/fuzz-library
flags="-O1 -g -fno-omit-frame-pointer $asan_flags"

# One file for each input of the corpus
write_seeds() {
	local line number=0
	rm -rf "$seeds"
	mkdir "$seeds"
	grep -v '^#' "$top/selftests/fuzz/library/corpus" | while read -r line; do
		number=$((number + 1))
		# shellcheck disable=SC2001,SC2059 # any two digits; and the bytes are the format
		printf "$(sed 's/../\\x&/g' <<<"$line")" >"$seeds/$number"
	done
}

command -v clang >/dev/null || die "there is no clang, whose libFuzzer this needs"
mkdir -p "$dir/userlib" "$found" "$log"
echo "0 1 0 0" >"$log/counts"
quietly "$build/log/build-fuzz-library" make -C "$top/userlib" -j"$(nproc)" O="$dir/userlib" CC=clang \
	CFLAGS="$flags -fsanitize=fuzzer-no-link" "$dir/userlib/libbufpool.a"
# shellcheck disable=SC2086 # words
quietly "$build/log/build-fuzz-library" clang -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	$flags -fsanitize=fuzzer -I"$top/userlib" -I"$top/uapi" -o "$dir/fuzz" "$top/selftests/fuzz/library/target.c" \
	"$dir/userlib/libbufpool.a" -lpthread

write_seeds
options=(-rss_limit_mb=4096 -timeout=60 -max_len=512 -artifact_prefix="$dir/" -print_final_stats=1)
if [ $# -gt 0 ]; then
	options+=(-max_total_time="$1" -use_value_profile=1 "$found")
else
	options+=(-runs=10000 -seed=1)
fi
export BUFPOOL_PROVIDER=private
export ASAN_OPTIONS=allow_user_segv_handler=1 UBSAN_OPTIONS=print_stacktrace=1
quietly "$log/out" "$dir/fuzz" "${options[@]}" "$seeds"
awk -v name="library fuzz" '/^stat::number_of_executed_units/ { runs = $2 }
	END { printf "%-7s %-4s  %-12s %d inputs\n", "host", "ok", name, runs }' "$log/out"
echo "1 0 0 $SECONDS" >"$log/counts"
