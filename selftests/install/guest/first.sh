# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A first installation, with files that "make deb" made; to be sourced.

# shellcheck source=lib.sh
. ./lib.sh

without_headers() {
	apt remove linux-headers-amd64 "linux-headers-$release"
	apt_says install --no-install-recommends ./bufpool-dkms_*.deb
	grep "apt-get install linux-headers-$release" /tmp/said
	not built_for "$release"
	test ! -e "$node"
}

# README's command, on a system that has neither these packages nor headers
all_at_once() {
	apt purge bufpool-dkms
	apt install ./*.deb linux-headers-amd64
	built_for "$release"
	loaded_is "$version"
	test "$(modinfo -F version bufpool)" = "$version"
	bufpoolctl --version | grep -F "$version"
}

nobody_else() {
	adduser --disabled-password --gecos '' bob
	not as bob 'bufpoolctl rent -s 4K -t 0.1 2>/tmp/said-to-bob'
	grep 'bob is not in the group bufpool' /tmp/said-to-bob
}

member() {
	adduser --disabled-password --gecos '' alice
	adduser alice bufpool
	as alice id | grep -F '(bufpool)'
	as alice 'bufpoolctl rent -s 4K -t 0.1'
}

# shellcheck disable=SC2016 # for alice's shell
first_use() {
	as alice 'mkdir first && cd first && cp /usr/share/doc/bufpool-doc/examples/*.c . &&
		cc -o first first.c $(pkg-config --cflags --libs libbufpool)'
	first_runs
	as alice 'cd first && cc -o raw raw.c && ./raw'
	as alice 'cd first && cc -static -o static first.c -lbufpool && ./static'
	# only the compiler that made that archive can read it
	[ "$(cc -dumpversion)" != "$(cat compiler)" ] ||
		as alice 'cd first && cc -O2 -flto -o inline first.c -lbufpool-lto && ./inline'
}

# The same in two languages, on a file of which not every chunk is full
pipelines() {
	local program
	as alice 'cd first && cp /usr/share/doc/bufpool-doc/examples/pipeline.py . &&
		cc -o pipeline pipeline.c -lbufpool -pthread'
	for program in ./pipeline "python3 pipeline.py"; do
		test "$(as alice "cd first && $program <first.c" | sha256sum)" = "$(as alice 'cat first/first.c' | sha256sum)"
	done
}

control() {
	as alice 'bufpoolctl info'
	as alice 'bufpoolctl stat'
	as alice 'bufpoolctl classes'
	as alice 'bufpoolctl --json info' | grep "^{"
	bufpoolctl top -b -n 1
}

pages() {
	man -w 3 libbufpool
	man -w 4 bufpool
	man -w 8 bufpoolctl
	man 8 bufpoolctl | grep -q bufpoolctl
}

# bash-completion's own name for it changed
completion() {
	bash -c '. /usr/share/bash-completion/bash_completion
		_comp_load bufpoolctl 2>/dev/null || _completion_loader bufpoolctl
		complete -p bufpoolctl'
}

step 'without headers the package says what is missing' without_headers
step 'all packages install at once, and the module is loaded' all_at_once
step 'the device belongs to the group' node_is_the_groups
step 'others than its members are refused' nobody_else
step 'a member may rent' member
step 'first use: programs build and run' first_use
step 'a pipeline moves a file, in C and in Python' pipelines
step 'bufpoolctl shows the pool' control
step 'the pages of the manual are found' pages
step 'the completion is found' completion
step 'a service with a dynamic user rents' service
step 'a service with private devices rents' service -p PrivateDevices=yes -p BindPaths="$node"
