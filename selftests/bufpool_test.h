/* SPDX-License-Identifier: MIT */
/*
 * What the tests of bufpool have in common: include this first.
 */
#ifndef BUFPOOL_TEST_H
#define BUFPOOL_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/bufpool.h>
#include <linux/capability.h>

#include "kselftest_harness.h"

#include "child.h"
#include "clock.h"
#include "device.h"
#include "parameters.h"
#include "random.h"
#include "touch.h"

/*
 * In seconds: a test that takes longer hangs. Nothing else may be concluded from
 * it: machines are slow, and busy.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1200

/* A process that is executed with this set waits for the end of its input. */
#define HOLD_ENV	"BUFPOOL_TEST_HOLD"

#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define NSEC_PER_MSEC	1000000LL
#define NO_HANDLE	(~0ULL)

/* The layout that 32-bit and 64-bit programs share. */
static_assert(sizeof(struct bufpool_info) == 104, "bufpool_info");
static_assert(offsetof(struct bufpool_info, features) == 24, "features");
static_assert(offsetof(struct bufpool_info, span) == 64, "span");
static_assert(offsetof(struct bufpool_info, status_offset) == 72, "status");
static_assert(sizeof(struct bufpool_status) == 132, "bufpool_status");
static_assert(offsetof(struct bufpool_status, pressure) == 4, "pressure");
static_assert(offsetof(struct bufpool_status, waiting_of) == 8, "waiting_of");
static_assert(sizeof(struct bufpool_rent) == 56, "bufpool_rent");
static_assert(offsetof(struct bufpool_rent, min_size) == 8, "min_size");
static_assert(offsetof(struct bufpool_rent, timeout_ns) == 16, "timeout_ns");
static_assert(offsetof(struct bufpool_rent, handle) == 24, "handle");
static_assert(offsetof(struct bufpool_rent, length) == 40, "length");
static_assert(sizeof(struct bufpool_return) == 16, "bufpool_return");
static_assert(offsetof(struct bufpool_return, handle) == 8, "handle");
static_assert(sizeof(struct bufpool_block) == 24, "bufpool_block");
static_assert(sizeof(struct bufpool_rent_many) == 48, "bufpool_rent_many");
static_assert(offsetof(struct bufpool_rent_many, count) == 24, "count");
static_assert(offsetof(struct bufpool_rent_many, blocks) == 32, "blocks");
static_assert(sizeof(struct bufpool_return_many) == 24, "bufpool_return_many");
static_assert(offsetof(struct bufpool_return_many, handles) == 8, "handles");
static_assert(offsetof(struct bufpool_return_many, count) == 16, "count");
static_assert(sizeof(struct bufpool_limit) == 16, "bufpool_limit");
static_assert(offsetof(struct bufpool_limit, ceiling) == 8, "ceiling");
static_assert(sizeof(struct bufpool_quota) == 32, "bufpool_quota");
static_assert(offsetof(struct bufpool_quota, quota) == 16, "quota");
static_assert(sizeof(struct bufpool_stats) == 384, "bufpool_stats");
static_assert(offsetof(struct bufpool_stats, client_rents) == 8, "stats");
static_assert(offsetof(struct bufpool_stats, rents) == 88, "stats");
static_assert(offsetof(struct bufpool_stats, slabs_destroyed) == 192, "stats");
static_assert(sizeof(struct bufpool_trim) == 24, "bufpool_trim");
static_assert(offsetof(struct bufpool_trim, min_size) == 8, "min_size");
static_assert(offsetof(struct bufpool_trim, trimmed) == 16, "trimmed");

static_assert(sizeof(struct bufpool_channel) == 24, "bufpool_channel");
static_assert(offsetof(struct bufpool_channel, receive_fd) == 12, "receive_fd");
static_assert(sizeof(struct bufpool_message) == 40, "bufpool_message");
static_assert(sizeof(struct bufpool_send) == 40, "bufpool_send");
static_assert(offsetof(struct bufpool_send, messages) == 16, "messages");
static_assert(offsetof(struct bufpool_send, deadline_ns) == 32, "deadline_ns");
static_assert(sizeof(struct bufpool_receive) == 40, "bufpool_receive");

/* In the setup of a fixture: leave its test out. SKIP() would leave out only the setup. */
#define SKIP_FIXTURE(...)	SKIP(longjmp(_metadata->env, 1), __VA_ARGS__)

/* End the program as skipped, before any test ran. */
static inline void skip_all(const char *reason)
{
	printf("TAP version 13\n1..0 # SKIP %s\n", reason);
	fflush(stdout);
	_exit(KSFT_SKIP);
}

/* Whether the kernel's spin locks sleep. */
static inline bool is_realtime(void)
{
	return !access("/sys/kernel/realtime", F_OK);
}

/* Whether the library is to make pools that need no device. */
static inline bool private_chosen(void)
{
	const char *provider = getenv("BUFPOOL_PROVIDER");

	return provider && !strcmp(provider, "private");
}

/* A program that is about more than the device defines this before. */
#ifdef ANY_PROVIDER
#define NEEDS_DEVICE	(!private_chosen())
#else
#define NEEDS_DEVICE	true
#endif

static inline void __attribute__((constructor)) bufpool_test_start(void)
{
	char c;
	int fd;

	if (getenv(HOLD_ENV)) {
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
		_exit(0);
	}

	if (!NEEDS_DEVICE)
		return;
	fd = pool_open();
	if (fd == -ENOENT)
		skip_all("there is no " POOL_DEVICE);
	if (fd < 0) {
		fprintf(stderr, "# %s: %s\n", POOL_DEVICE, strerror(-fd));
		_exit(KSFT_FAIL);
	}
	close(fd);

	/* Also where a test was killed before it could put them back. */
	parameters_save();
	atexit(parameters_restore);
}

#endif /* BUFPOOL_TEST_H */
