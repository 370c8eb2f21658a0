# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Debian's archive, asked through apt; to be sourced after lib.sh. A release that is not
# this machine's, or an architecture that is not, has lists of its own below the cache.

# shellcheck disable=SC2154 # from lib.sh

host_release() {
	sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# site LABEL: where this machine has that part of the archive from
site() {
	# shellcheck disable=SC2016 # apt's own
	APT_CONFIG='' apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Label: $1" | head -n 1
}

write_sources() {
	local release=$1 suite=$2 debian security
	debian=$(site Debian)
	security=$(site Debian-Security)
	[ -n "$debian" ] ||
		die "apt of this machine knows no archive of Debian's, from which $suite could come; add one to /etc/apt/sources.list.d"
	echo "deb $debian $release main"
	echo "deb $debian $release-updates main"
	[ "$suite" = "$release" ] || echo "deb $debian $suite main"
	[ -z "$security" ] || echo "deb $security $release-security main"
}

# Release files of old suites expire.
write_apt_config() {
	local dir=$1 arch=$2
	cat <<-EOF
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; "$arch"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
	EOF
}

make_lists() {
	local dir=$1 arch=$2 release=$3 suite=$4
	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial}
	: >"$dir/status"
	write_sources "$release" "$suite" >"$dir/sources.list"
	write_apt_config "$dir" "$arch" >"$dir/apt.conf"
	say "fetching the lists of packages of $suite for $arch"
	APT_CONFIG=$dir/apt.conf apt-get -q=2 -o APT::Update::Error-Mode=any update >&2 || {
		rm -f "$dir/apt.conf"
		die "could not fetch the lists of $suite; check the network and try again"
	}
}

# use_suite ARCH RELEASE SUITE: what apt is asked from here on is about that. Lists are
# as old as this machine's.
use_suite() {
	local arch=$1 release=$2 suite=$3 dir
	apt_target=()
	[ "$suite" = "$release" ] || apt_target=(-t "$suite")
	unset APT_CONFIG
	[ "$arch,$suite" != "$(dpkg --print-architecture),$(host_release)" ] || return 0
	dir=$cache/apt-$suite-$arch
	make_cache
	(
		flock 9
		[ "$dir/apt.conf" -nt /var/lib/apt/lists ] || make_lists "$dir" "$arch" "$release" "$suite"
	) 9>"$cache/apt.lock"
	export APT_CONFIG=$dir/apt.conf
}

# depends PACKAGE PATTERN: the names that match, without architecture, of what it needs
depends() {
	apt-cache "${apt_target[@]}" depends "$1" 2>/dev/null |
		sed -n 's/^ *|\?Depends: <\?\([^:> ]*\).*/\1/p' | grep -xE "$2" || true
}

candidate() {
	apt-cache "${apt_target[@]}" policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p'
}

# download DIRECTORY PACKAGE...: fetch and unpack, touching nothing installed
download() {
	local dir=$1 tmp
	shift
	tmp=$dir/.deb
	mkdir -p "$tmp"
	say "fetching $*"
	(cd "$tmp" && apt-get -q=2 "${apt_target[@]}" -o APT::Sandbox::User=root download "$@") >&2 ||
		die "could not fetch $*; see above, check the network and the disk, run 'apt-get update' as root, and try again"
	for deb in "$tmp"/*.deb; do
		briefly dpkg-deb -x "$deb" "$dir" || die "could not unpack ${deb##*/}; is the disk full?"
	done
	rm -rf "$tmp"
}
