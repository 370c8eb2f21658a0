/* SPDX-License-Identifier: MIT */
/*
 * A client with one block, and a mapping of it.
 */
#ifndef MAPPING_H
#define MAPPING_H

#include "bufpool_test.h"

#define BLOCK	(16 * PAGE)

FIXTURE(mapping)
{
	int fd;
	size_t page;
	struct bufpool_info info;
	struct bufpool_rent rent;
	char *at;
};

FIXTURE_SETUP(mapping)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->at = rent_mapped(self->fd, BLOCK, &self->rent);
	ASSERT_NE(NULL, self->at);
}

FIXTURE_TEARDOWN(mapping)
{
	munmap(self->at, self->rent.length);
	close(self->fd);
}

/* What a child of a test is to do with the block. */
struct shared {
	int fd;
	struct bufpool_rent rent;
	char *at;
	unsigned int step;
};

static inline struct shared *share(int fd, const struct bufpool_rent *rent,
				   char *at)
{
	struct shared *shared = shared_alloc(sizeof(*shared));

	if (shared) {
		shared->fd = fd;
		shared->rent = *rent;
		shared->at = at;
	}
	return shared;
}

#endif /* MAPPING_H */
