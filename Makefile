# SPDX-License-Identifier: MIT
# What people do with bufpool; "make" alone lists it. Everything that is built
# lands in build/, kernels for the VM in a cache that XDG_CACHE_HOME moves.

QEMU := selftests/qemu
O ?= build
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
UDEVDIR ?= /etc/udev/rules.d
TESTS ?=
STRESS_SECONDS ?=

KERNELS ?=
export TESTS BUFPOOL_SEED BUFPOOL_MEETINGS BUFPOOL_TIMEOUT BUFPOOL_APPEND BUFPOOL_ACCEL BUFPOOL_CPUS
export BUFPOOL_STRESS_SECONDS := $(STRESS_SECONDS)

help:
	@sed -n 's/^#:\( \|$$\)//p' Makefile

#: On this machine
#:   make try            the first example, on a private pool: no root, no module, seconds
#:   make module         build/module/bufpool.ko, for KDIR (the running kernel)
#:   make userlib        libbufpool, shared and static, in build/userlib
#:   make tools          bufpoolctl, in build/tools
#:   make install        all of it, with header, man pages, udev rule and group; DESTDIR=, PREFIX=
#:   make uninstall      take that away again, for every kernel
#:   make deb            Debian packages, in build/deb
#:   make dist           the source tarball of what is committed, in build/dist
#:   make check-library  the library's tests without the device, with sanitizers too
#:   make clean          forget build/; the kernels' cache stays
#:
#: In a virtual machine, which needs no root and touches nothing here
#:   make demo           move a real file through rented blocks
#:   make vm             a shell, with the module loaded (KERNEL=, one of those below)
#:   make check          what guards every change, ten minutes: every test on a stock kernel, those of
#:                       the core on a debug kernel; or every test on KERNELS="...", which
#:                       selftests/qemu/kernels lists
#:   make check-rest     what this leaves out, half an hour: the debug kernel's other tests, those in
#:                       which tasks meet with preempt=full, the newest kernel, and slow static checks
#:   make check-KERNEL   every test on one of them (check-debug, check-stock, check-arm64...)
#:   make check-matrix   the same on all of them, an hour; make readme-kernels puts the
#:                       table that comes out into README
#:   make check-harness  show that the harness notices what is wrong
#:   make check-install  install, upgrade and remove in Debian 12 and 13 (SUITES="bookworm trixie")
#:   make check-mutants  show that the tests notice when a promise is broken (MUTANTS=all for all
#:                       mistakes that are kept, MUTANTS="..." for some)
#:   make soak           everything at once on the debug kernel and on stock, and at the end all is
#:                       back: an hour, or SECONDS=n (KERNELS="...")
#:   make check-race     run the tests in which tasks meet on a kernel that looks for data races
#:   make coverage       what the tests run of each file, line by line, in build/coverage
#:   make check-mutants RANDOM=n  the same with n mistakes anywhere in the module, the library and the
#:                       tools, of which those are listed that no test notices (SEED=, for the same
#:                       ones again; PARTS="userlib tools", only in these; AT_ONCE=, VMs at a time)
#:   make fuzz           random operations of several processes, on a kernel that looks for mistakes
#:                       (KERNEL=, SECONDS= or OPERATIONS=, SEED=; KCOV=1 to be led by what is reached)
#:   make check-models   explore the models of what is subtle, with spin, and their mutants
#:   make lint           static checks, with gcc and with clang
#:
#: Measured, in minutes
#:   make bench          all of it, with one set of tables at the end: docs/performance.md
#:   make bench-native   libbufpool beside allocators and pools, on this machine
#:   make bench-vm       count the instructions of every call, in the virtual machine
#:   make bench-check    the same, and compare with the counts in bench/vm/accepted, and
#:                       with each other, by bench/vm/bounds
#:   make bench-handover time hand-over from process to process, on this machine
#:   make bench-strangers  time rents beside processes that get little CPU time
#:
#: with, from the command line or the environment
#:   TESTS="a b"         only these tests
#:   STRESS_SECONDS=n    how long the races last
#:   BUFPOOL_SEED=n      what random tests do, as a failed run printed it
#:   BUFPOOL_MEETINGS=n  how often those who wait meet blocks that come back
#:   BUFPOOL_TIMEOUT=n   seconds for each test, where these take it longer
#:   BUFPOOL_APPEND=...  more for the command line of the VM's kernel
#:   BUFPOOL_ACCEL=kvm   or tcg, instead of finding out
#:   BUFPOOL_CPUS=n      processors of the VM, instead of 2

# Kernels before 6.13 build a module only where its source is. A distribution's
# headers have no vmlinux, and without it there is no BTF to be made.
module: kernel-headers
	@mkdir -p $(O)/module
	cp -Rp Kbuild VERSION module uapi $(O)/module
	$(MAKE) -C $(KDIR) M=$(abspath $(O))/module $(if $(wildcard $(KDIR)/vmlinux),,CONFIG_DEBUG_INFO_BTF_MODULES=) modules
	cp $(O)/module/module/bufpool.ko $(O)/module/bufpool.ko

kernel-headers:
	@test -e $(KDIR)/Makefile || { \
		echo "bufpool: no kernel to build for in $(KDIR)." >&2; \
		echo "Install linux-headers-$(shell uname -r) (on Debian or Ubuntu), or say KDIR=..." >&2; \
		exit 1; }

userlib:
	@mkdir -p $(O)/userlib
	$(MAKE) -C userlib O=$(abspath $(O))/userlib PREFIX=$(PREFIX)

tools:
	@mkdir -p $(O)/tools
	$(MAKE) -C tools O=$(abspath $(O))/tools PREFIX=$(PREFIX)

# Only the compiler and make are needed.
try: userlib
	@mkdir -p $(O)/try
	$(CC) -O2 -Iuserlib -Iuapi -o $(O)/try/first examples/first.c $(O)/userlib/libbufpool.a -pthread
	BUFPOOL_PROVIDER=private $(O)/try/first

installable:
	@packaging/module.sh check

install: installable module userlib tools
	$(MAKE) -C userlib O=$(abspath $(O))/userlib DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install
	$(MAKE) -C tools O=$(abspath $(O))/tools DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install
	DESTDIR=$(DESTDIR) packaging/module.sh install $(KDIR) $(O)/module/bufpool.ko $(UDEVDIR)

uninstall:
	$(MAKE) -C userlib DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) uninstall
	$(MAKE) -C tools DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) uninstall
	DESTDIR=$(DESTDIR) packaging/module.sh uninstall $(UDEVDIR)

packages:
	@$(QEMU)/packages.sh

dist:
	@packaging/dist.sh

deb:
	@$(QEMU)/packages.sh deb
	@packaging/deb.sh

kernels := $(shell awk '!/^\#/ && NF { print $$1 }' $(QEMU)/kernels)
own_kernels := debug stock preempt

packages-for-%:
	@$(QEMU)/packages.sh check $(if $(filter-out $(own_kernels),$*),kernels)

check: packages $(addprefix packages-for-,$(KERNELS))
	@$(QEMU)/check.sh $(KERNELS)

check-rest: packages packages-for-newest
	@$(QEMU)/check.sh rest

$(addprefix check-,$(kernels)): check-%: packages-for-%
	@$(QEMU)/check.sh $*

check-matrix: $(addprefix packages-for-,$(kernels))
	@$(QEMU)/matrix.sh $(KERNELS)

readme-kernels:
	@$(QEMU)/matrix.sh --readme

check-library: packages
	@$(QEMU)/build.sh library
	@$(QEMU)/library.sh $(CURDIR)/build/log/library
	@[ -n "$(TESTS)" ] || selftests/fuzz/library.sh

check-harness: packages
	@$(QEMU)/harness.sh

check-install: packages
	@$(QEMU)/packages.sh deb
	@$(QEMU)/packages.sh install
	@selftests/install/check.sh $(SUITES)

# selftests/soak.c, for an hour on each. To remember each RCU head takes the debug kernel so long
# that there are more and more of them, as what kmemleak remembers has one, too.
soak: packages
	@TESTS=soak BUFPOOL_STRESS_SECONDS=$(or $(SECONDS),3600) BUFPOOL_TIMEOUT=$$(($(or $(SECONDS),3600) + 1200)) \
		BUFPOOL_APPEND="no_debug_objects $(BUFPOOL_APPEND)" $(QEMU)/check.sh $(or $(KERNELS),debug stock)

# To bash RANDOM is no variable like others.
unexport RANDOM
check-mutants: packages
	@$(if $(RANDOM),selftests/mistakes/run.py --count $(RANDOM) $(SEED:%=--seed %) $(if $(PARTS),--parts $(PARTS)),\
		selftests/mistakes/mutants.py $(MUTANTS)) $(AT_ONCE:%=--at-once %)

check-race: packages
	@$(QEMU)/race.sh
coverage: packages
	@$(QEMU)/packages.sh coverage
	@$(QEMU)/coverage.sh

fuzz: packages-for-$(or $(KERNEL),debug)
	@env -u SECONDS BUFPOOL_SEED="$(or $(SEED),$(BUFPOOL_SEED))" BUFPOOL_FUZZ_SECONDS="$(SECONDS)" \
		BUFPOOL_FUZZ_OPERATIONS="$(OPERATIONS)" $(QEMU)/fuzz.sh $(or $(KERNEL),debug) $(if $(KCOV),kcov)

check-models:
	@selftests/models/run.sh

packages-demo:
	@$(QEMU)/packages.sh demo

demo: packages-demo
	@$(QEMU)/demo.sh

vm: packages-for-$(or $(KERNEL),stock)
	@$(QEMU)/shell.sh $(or $(KERNEL),stock)

lint: packages
	@$(QEMU)/lint.sh

bench: packages
	@bench/run.sh

bench-native:
	@bench/native/run.sh

bench-vm: packages
	@bench/vm/run.sh

bench-check: packages
	@bench/vm/check.sh

bench-handover:
	@bench/handover/run.sh

bench-strangers: packages
	@bench/strangers/run.sh

clean:
	rm -rf build

.PHONY: help module kernel-headers userlib tools try installable install uninstall packages packages-demo deb dist check check-rest \
	$(addprefix check-,$(kernels)) check-matrix readme-kernels check-library check-harness \
	check-install check-mutants soak demo vm lint bench bench-native bench-vm check-race coverage fuzz \
	bench-check bench-handover bench-strangers clean
