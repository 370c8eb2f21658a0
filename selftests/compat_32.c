// SPDX-License-Identifier: MIT
/*
 * What only a 32-bit program on a 64-bit kernel can get wrong: offsets and
 * addresses that need more bits than its own words have. The layout of the
 * structures is asserted in bufpool_test.h, for every program.
 */
#include "bufpool_test.h"

static_assert(sizeof(long) == 4, "this is for 32-bit programs");
static_assert(sizeof(off_t) == 8, "offsets do not fit into 32 bits");

FIXTURE(compat)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_stats before;
};

FIXTURE_SETUP(compat)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(compat)
{
	close(self->fd);
}

TEST_F(compat, every_class_can_be_mapped)
{
	struct bufpool_rent rented;
	unsigned int class, beyond = 0;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 size = class_size(&self->info, class);
		char *at = rent_mapped_with(self->fd, size, class_flags(&self->info, class),
					    &rented);

		ASSERT_NE(NULL, at) {
			TH_LOG("%llu bytes at %#llx", size, rented.offset);
		}
		EXPECT_EQ(0, poke(at + size - 1, 0x5a));
		beyond += rented.offset > UINT_MAX;
		EXPECT_EQ(0, give_up(self->fd, rented.handle));
		EXPECT_EQ(SIGBUS, touch(at));
		munmap(at, size);
	}
	EXPECT_LT(0, beyond);
}

/* Nothing of the upper half of an offset may be lost. */
TEST_F(compat, last_offset_of_the_window)
{
	__u64 end = self->info.nr_classes * self->info.span;

	EXPECT_EQ(0, try_map(self->fd, end - self->info.max_rent_io,
			     self->info.max_rent_io, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, end, self->info.page_size,
				   PROT_READ, MAP_SHARED));
}

TEST_F(compat, array_beyond_4_gib_is_efault)
{
	struct bufpool_block blocks[2];
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = 1,
		.count = 2,
		.blocks = (uintptr_t)blocks | 1ULL << 32,
	};
	struct bufpool_return_many back = {
		.size = sizeof(back),
		.count = 1,
		.handles = (uintptr_t)&blocks[0].handle | 1ULL << 32,
	};

	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	many.blocks = (uintptr_t)blocks | 1ULL << 63;
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
	ASSERT_EQ(2, rent_many(self->fd, 1, 2, blocks));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN_MANY,
				      &back));
	EXPECT_EQ(0, give(self->fd, blocks[0].handle));
}

/* Sizes and times of more than 32 bits are not cut off. */
TEST_F(compat, wide_numbers)
{
	struct bufpool_rent rented;

	EXPECT_EQ(-EMSGSIZE, rent(self->fd, (1ULL << 32) + 1, &rented));
	EXPECT_EQ(-EINVAL, rent_with(self->fd, 1, 0, -(1LL << 32), &rented));
	EXPECT_EQ(0, set_ceiling(self->fd, 1ULL << 32));
	EXPECT_EQ(0, rent_with(self->fd, 64 * KIB, 0, 1LL << 32, &rented));
	EXPECT_EQ(-ENOENT, give(self->fd, rented.handle & UINT_MAX));
	EXPECT_EQ(0, give(self->fd, rented.handle));
}

TEST_HARNESS_MAIN
