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

for std in c90 c99 c11 c17; do
	$CC -std=$std -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
		-I"$1" -I"$2" "$work/header.c"
done
for std in c++98 c++11 c++17 c++20; do
	$CXX -std=$std -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
		-I"$1" -I"$2" "$work/header.cc"
done
