/* SPDX-License-Identifier: MIT */
/*
 * What tests of private pools begin with, and what they ask of one.
 */
#ifndef LIBRARY_PRIVATE_H
#define LIBRARY_PRIVATE_H

#include "library_test.h"

#include <sys/stat.h>

#define SMALL	1

/* Such a program is about nothing else: before it asks for a device. */
static void __attribute__((constructor(101))) choose_private(void)
{
	setenv("BUFPOOL_PROVIDER", "private", 1);
}

/* What the only pool of this process has of the system's memory; or -1. */
static inline long memory_kib(void)
{
	char path[32], name[64] = "";
	struct stat file = { 0 };
	int fd;

	for (fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof(name) - 1) > 0 &&
		    strstr(name, "memfd:bufpool"))
			return stat(path, &file) ? -1 : (long)file.st_blocks / 2;
	}
	return -1;
}

static inline int return_handle(struct bufpool *pool, __u64 handle)
{
	return pool->provider.ops->return_many(&pool->provider, &handle, 1, 0);
}

FIXTURE(private)
{
	struct bufpool *pool;
	size_t page;
};

FIXTURE_SETUP(private)
{
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", SMALL_LIMIT_TEXT, 1));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->page = sysconf(_SC_PAGESIZE);
}

FIXTURE_TEARDOWN(private)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

#endif /* LIBRARY_PRIVATE_H */
