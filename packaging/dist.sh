#!/bin/bash
# SPDX-License-Identifier: MIT
# Make the tarball of a release, build/dist/bufpool-VERSION.tar.xz, of what is
# committed: the same commit gives the same file.

. "$(dirname "$0")/../selftests/qemu/lib.sh"

cd "$top"
git rev-parse -q --verify HEAD >/dev/null 2>&1 || die "a tarball is made of a commit, and $top is no git repository"
version=$(git show HEAD:VERSION)
git diff --quiet HEAD || say "changes that are not committed are not in the tarball"
mkdir -p "$build/dist"
tarball=build/dist/bufpool-$version.tar.xz
git archive --prefix="bufpool-$version/" HEAD | xz -9 >"$tarball.part" ||
	die "could not write $tarball; is the disk full?"
mv "$tarball.part" "$tarball"
echo "$tarball"
