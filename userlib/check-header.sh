#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-header.sh USERLIB UAPI: bufpool.h compiles alone and twice, in every
# version of C and C++ that the compilers CC and CXX know.
set -eu

: "${CC:=cc}" "${CXX:=c++}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '#include <bufpool.h>\n#include <bufpool.h>\n' > "$work/header.c"
cp "$work/header.c" "$work/header.cc"

# with the inline functions, which are there where the compiler optimizes, and without
for level in -O0 -O2; do
	for std in c90 c99 c11 c17; do
		$CC -std=$std $level -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
			-I"$1" -I"$2" "$work/header.c"
	done
	for std in c++98 c++11 c++17 c++20; do
		$CXX -std=$std $level -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
			-I"$1" -I"$2" "$work/header.cc"
	done
done
