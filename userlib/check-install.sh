#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-install.sh OUT: programs in C and C++ build against what `make install`
# puts in place, with nothing but pkg-config, shared and static, and run; and with
# -flto, where that archive was made, rent and return become inline.
set -eu

: "${CC:=cc}" "${CXX:=c++}" "${MAKE:=make}"
here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/../VERSION")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

$MAKE -s -C "$here" O="$1" DESTDIR="$root" PREFIX=/usr PYTHONDIR=/usr/python install

export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$root/usr/lib/pkgconfig"
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
cflags=$(pkg-config --cflags libbufpool)
libs=$(pkg-config --libs libbufpool)

die() {
	echo "check-install: $*" >&2
	exit 1
}

test "$(pkg-config --modversion libbufpool)" = "$version" ||
	die "libbufpool.pc does not say $version"

cat > "$root/program.c" <<'END'
#include <bufpool.h>
#include <stdio.h>

int main(void)
{
	puts(bufpool_version());
	return bufpool_close(NULL) < 0 ? 0 : 1;
}
END
cp "$root/program.c" "$root/program.cc"

# build NAME COMPILER SOURCE [FLAG...]: build it, run it, compare what it says.
build() {
	name=$1 compiler=$2 source=$3
	shift 3
	# Words are meant to be split in what pkg-config and the caller give.
	# shellcheck disable=SC2086
	$compiler -Wall -Wextra -Werror $cflags -o "$root/$name" "$source" "$@" $libs
	said=$(LD_LIBRARY_PATH="$root/usr/lib" "$root/$name")
	test "$said" = "$version" || die "$name says '$said', not $version"
}

build c-shared "$CC" "$root/program.c"
build c-static "$CC" "$root/program.c" -static
build cc-shared "$CXX" "$root/program.cc"
build cc-static "$CXX" "$root/program.cc" -static

# The wrappers, and the same small program in each language
installed() {
	LD_LIBRARY_PATH="$root/usr/lib" PYTHONPATH="$root/usr/python" PYTHONDONTWRITEBYTECODE=1 \
		BUFPOOL_PROVIDER=private "$@"
}
# shellcheck disable=SC2086
for std in c++17 c++20; do
	$CXX -std=$std -Wall -Wextra -Werror $cflags -o "$root/wrapper" \
		"$here/../selftests/wrapper.cc" $libs -lpthread
	installed "$root/wrapper" || die "bufpool.hpp fails its test as $std"
done
installed python3 "$here/../selftests/wrapper.py" 2>"$root/said" ||
	die "bufpool.py fails its test: $(cat "$root/said")"

dd if=/dev/urandom of="$root/input" bs=100003 count=50 2>/dev/null
same() {
	installed "$@" <"$root/input" >"$root/output" || die "$* fails"
	cmp -s "$root/input" "$root/output" || die "$* changes what goes through"
}
# shellcheck disable=SC2086
$CC -Wall -Wextra -Werror $cflags -o "$root/pipeline-c" "$here/../examples/pipeline.c" $libs -lpthread
# shellcheck disable=SC2086
$CXX -std=c++17 -Wall -Wextra -Werror $cflags -o "$root/pipeline-cc" "$here/../examples/pipeline.cc" \
	$libs -lpthread
same "$root/pipeline-c"
same "$root/pipeline-cc"
same python3 "$here/../examples/pipeline.py"

if [ -e "$root/usr/lib/libbufpool-lto.a" ]; then
	libs=$(echo "$libs" | sed 's/-lbufpool/-lbufpool-lto/')
	cp "$here/../examples/first.c" "$root/inline.c"
	# shellcheck disable=SC2086
	$CC -O2 -flto -Wall -Wextra -Werror $cflags -o "$root/inline" "$root/inline.c" $libs -lpthread
	! nm "$root/inline" | grep -q ' bufpool_return$' ||
		die "linked with -flto, bufpool_return() is a call still"
fi

readelf -d "$root/c-shared" | grep -q 'NEEDED.*\[libbufpool\.so\.0\]' ||
	die "the shared program does not need libbufpool.so.0"
! readelf -d "$root/c-static" | grep -q NEEDED ||
	die "the static program needs a shared library"
for page in man3/libbufpool.3 man3/bufpool_rent.3 man4/bufpool.4; do
	test -s "$root/usr/share/man/$page" || die "no $page"
done
for example in first raw demo; do
	# shellcheck disable=SC2086
	$CC -Wall -Wextra -Werror $cflags -o "$root/$example" \
		"$here/../examples/$example.c" $libs -lpthread
done
