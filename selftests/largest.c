// SPDX-License-Identifier: MIT
/*
 * The largest blocks are kept like others, unless the module is told otherwise.
 */
#include "bufpool_test.h"

#define TIMES	50

FIXTURE(largest)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_rent rent;
};

FIXTURE_SETUP(largest)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	if (self->info.limit < self->info.max_rent)
		SKIP_FIXTURE("the pool has no room for one of the largest blocks");
	ASSERT_EQ(0, parameter_write("warm_bytes", self->info.max_rent));
	ASSERT_EQ(0, rent(self->fd, self->info.max_rent, &self->rent));
	ASSERT_EQ(self->info.max_rent, self->rent.length);
}

FIXTURE_TEARDOWN(largest)
{
	close(self->fd);
	parameters_restore();
}

TEST_F(largest, is_pooled)
{
	struct bufpool_class_info class = {
		.size = sizeof(class),
		.nr = slab_classes(&self->info) - 1,
	};

	EXPECT_EQ(self->info.max_rent, self->info.max_pooled);
	ASSERT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_CLASS, &class));
	EXPECT_EQ(self->info.max_rent, class.block_size);
	EXPECT_EQ(BUFPOOL_CLASS_POOLED, class.properties);
}

/* The second rental has the memory and the mapping of the first. */
TEST_F(largest, stays_warm)
{
	struct bufpool_stats before = stats_of(self->fd), after;
	unsigned char *at = map_block(self->fd, &self->rent);
	int i;

	ASSERT_NE(MAP_FAILED, at);
	memset(at, 0x5a, self->rent.length);
	for (i = 0; i < TIMES; i++) {
		ASSERT_EQ(0, give(self->fd, self->rent.handle));
		ASSERT_EQ(0, rent(self->fd, self->info.max_rent, &self->rent));
	}
	EXPECT_TRUE(filled(at, 0x5a, self->rent.length));
	after = stats_of(self->fd);
	EXPECT_EQ(before.client_warm_rents + TIMES, after.client_warm_rents);
	EXPECT_EQ(before.slabs_created, after.slabs_created);
	EXPECT_EQ(before.slabs_destroyed, after.slabs_destroyed);
}

/* From the free list too, by another client. */
TEST_F(largest, is_reused)
{
	struct bufpool_stats before = stats_of(self->fd), after;
	int other = pool_open(), i;

	ASSERT_LE(0, other);
	for (i = 0; i < TIMES; i++) {
		ASSERT_EQ(0, give_up(i % 2 ? other : self->fd,
				     self->rent.handle));
		ASSERT_EQ(0, rent(i % 2 ? self->fd : other,
				  self->info.max_rent, &self->rent));
	}
	after = stats_of(self->fd);
	EXPECT_EQ(before.reused + TIMES, after.reused);
	EXPECT_EQ(before.slabs_created, after.slabs_created);
	close(other);
}

TEST_HARNESS_MAIN
