#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-abi.sh TOP LIBRARY: what programs are compiled against is what userlib/abi says: the
# symbols with their versions, and the sizes of the structures, which are the same for 32
# bits, but for what has pointers. A released version's symbols and sizes stay; what is new is added to the file.
set -eu

: "${CC:=cc}"
top=$1 library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

structs=$(cat "$top/uapi/linux/bufpool.h" "$top/userlib/bufpool.h" |
	sed -n 's/^struct \(bufpool_[a-z_]*\) {$/\1/p' | grep -v '^bufpool_scope$' | sort)
{
	printf '#include <bufpool.h>\n#include <stdio.h>\nint main(void) {\n'
	echo "$structs" | sed 's/.*/printf("struct & %zu\\n", sizeof(struct &));/'
	printf 'return 0; }\n'
} >"$work/sizes.c"

# sizes FLAG...: what a program says that is compiled so
sizes() {
	$CC "$@" -I"$top/uapi" -I"$top/userlib" -o "$work/sizes" "$work/sizes.c" && "$work/sizes"
}

nm -D --defined-only "$library" | sed -n 's/.* [TA] //p' | sort >"$work/abi"
sizes >"$work/64"
cat "$work/64" >>"$work/abi"
if sizes -m32 >"$work/32" 2>/dev/null; then
	sed -i '/^struct bufpool_parcel /d' "$work/64" "$work/32"
	diff -u "$work/64" "$work/32"
fi
grep -v "^#" "$top/userlib/abi" | diff -u - "$work/abi" || {
	echo "check-abi: this is not the interface that userlib/abi has" >&2
	exit 1
}
