#!/bin/bash
# SPDX-License-Identifier: MIT
# Everything that is measured: on this machine, and by counting instructions in
# the VM. The tables are in build/bench/tables.md.

. "$(dirname "$0")/../selftests/qemu/lib.sh"

out=$build/bench
mkdir -p "$out"
"$top/bench/native/run.sh" >/dev/null
"$top/bench/handover/run.sh" >/dev/null
cat "$out/native.md" "$out/handover.md" >"$out/tables.md"
if [ -x "$top/bench/vm/run.sh" ]; then
	"$top/bench/vm/run.sh" >"$out/vm.txt"
	{
		echo "## Instructions, in the VM"
		echo
		sed 's/^/    /; s/ *$//' "$out/vm.txt"
		echo
		cat "$out/instructions.handover.md"
	} >>"$out/tables.md"
fi
cat "$out/tables.md"
