#!/bin/bash
# SPDX-License-Identifier: MIT
# Build the Debian packages in build/deb, and have lintian look at them.
#
# usage: deb.sh [VERSION DIRECTORY]
#
# With a version and a directory below build/: the same sources under another
# version, there, for a test of upgrades.

. "$(dirname "$0")/../selftests/qemu/lib.sh"

version=${1:-$(cat "$top/VERSION")}
out=${2:-$build/deb}

# The build happens in a copy: it writes beside and into its tree.
copy_sources() {
	(cd "$top" && { git ls-files -z -co --exclude-standard 2>/dev/null ||
		find . -type f -not -path './build/*' -not -path './.git/*' -print0; } | xargs -0 cp -a --parents -t "$1")
}

# set_version DIRECTORY: everywhere that "make lint" compares
set_version() {
	local old
	old=$(cat "$1/VERSION")
	[ "$version" != "$old" ] || return 0
	echo "$version" >"$1/VERSION"
	sed -i "1s/($old)/($version)/" "$1/debian/changelog"
	sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$version\"/" "$1/dkms.conf"
}

# Its words are shown: what they are about is in the tree.
run_lintian() {
	local root=()
	[ "$(id -u)" -ne 0 ] || root=(--allow-root)
	lintian "${root[@]}" --fail-on error,warning "$out"/*.changes >&2 ||
		die "lintian found something in the packages; see above"
}

[ "${out#"$build"/}" != "$out" ] || die "packages go below $build, not to $out"
mkdir -p "$build/log"
rm -rf "$out"
mkdir -p "$out/src"
copy_sources "$out/src"
set_version "$out/src"
say "building the packages of version $version"
# What README says installs all of build/deb; "make userlib tools" has what debuggers want.
DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} noautodbgsym"
export DEB_BUILD_OPTIONS
(cd "$out/src" && quietly "$build/log/deb" nice dpkg-buildpackage -us -uc -b)
run_lintian
rm -rf "$out/src"
say "lintian has no errors and no warnings; the packages are in ${out#"$top"/}:"
(cd "$out" && ls -- *.deb)
