/* SPDX-License-Identifier: MIT */
/*
 * What tests of holdings begin with: two users of a small pool in which nothing is held.
 */
#ifndef HOLDING_FIXTURE_H
#define HOLDING_FIXTURE_H

#include "tenant.h"

#define ALICE	4711
#define BOB	4712
#define CAROL	4713
#define LIMIT	(4 * MIB)
#define MOST	4096		/* pages within twice the limit, and more */

FIXTURE(holding)
{
	int alice, bob;
	struct bufpool_info info;
	unsigned int slabs;		/* within the limit */
	struct bufpool_block *blocks;
	struct bufpool_rent rent;
};

FIXTURE_SETUP(holding)
{
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	self->alice = open_for(ALICE);
	self->bob = open_for(BOB);
	ASSERT_EQ(0, pool_info(self->alice, &self->info));
	self->slabs = LIMIT / self->info.slab_size;
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
}

FIXTURE_TEARDOWN(holding)
{
	close(self->alice);
	close(self->bob);
	parameters_restore();
}

/* Bytes that a user is charged for */
static inline __u64 held_by(int fd)
{
	return stats_of(fd).user_held;
}

/* Rent pages until there are no more. Return: how many */
static inline int rent_all_pages(int fd, struct bufpool_block *blocks)
{
	int count = 0, ret;

	do {
		ret = rent_many(fd, 1, BUFPOOL_MANY_MAX, blocks + count);
		if (ret > 0)
			count += ret;
	} while (ret > 0 && count <= MOST - BUFPOOL_MANY_MAX);
	return count;
}

/* Return every block but one in @step. Return: whether that worked */
static inline bool keep_one_in(int fd, const struct bufpool_block *blocks, int count, int step)
{
	int i;

	for (i = 0; i < count; i++)
		if (i % step && give_up(fd, blocks[i].handle))
			return false;
	return true;
}

#endif /* HOLDING_FIXTURE_H */
