#!/bin/bash
# SPDX-License-Identifier: MIT
# Run the fuzzer alone in the VM, for as long as BUFPOOL_FUZZ_SECONDS or
# BUFPOOL_FUZZ_OPERATIONS says, and keep the inputs that it tells of.
#
# usage: fuzz.sh KERNEL [kcov]
#
# With kcov the module says what is reached in it, and inputs that reach more than others
# did are kept, and changed. build/log/fuzz-KERNEL gets what the VM says, these inputs in
# "kept", and in "failed" those that the thread had run which has found a fault.

. "$(dirname "$0")/lib.sh"

# inputs PREFIX: those that the console has with it
inputs() {
	tr -d '\r' <"$log/console" | sed -nE "s/^# $1( |\$)//p"
}

[ $# -gt 0 ] || die "usage: fuzz.sh KERNEL [kcov]"
kernel=$1 variant=${2:-}
log=$build/log/fuzz-$kernel${variant:+-$variant}
mkdir -p "$log"
"$qemu_dir/build.sh" "user-$(field_of "$kernel" arch)" "$kernel${variant:+-$variant}"
"$qemu_dir/accel.sh" >/dev/null
export TESTS=fuzzer
if [ -n "$variant" ]; then
	BUFPOOL_MODULES=$build/$(build_of "$kernel")-$variant/modules
	export BUFPOOL_MODULES
fi
export BUFPOOL_TIMEOUT=$((${BUFPOOL_FUZZ_SECONDS:-80000} + 1200))
export BUFPOOL_DEADLINE=$((BUFPOOL_TIMEOUT + 600))
status=0
"$qemu_dir/suite.sh" "$kernel" "$log" || status=$?
for what in kept failed; do
	inputs $what >"$log/$what"
	[ ! -s "$log/$what" ] || echo "inputs: $log/$what"
done
grep -aoE 'BUFPOOL_SEED=[0-9]+$|[0-9]+ operations, [0-9]+ kills, .*weather$|round [0-9]+: .* inputs$' <(tr -d '\r' <"$log/console") |
	sed -n '1p;$!{h;d};x;p;x;p' || true
exit $status
