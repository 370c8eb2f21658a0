// SPDX-License-Identifier: MIT
/*
 * Sizes: what is handed out for what was asked, around every edge.
 */
#include "bufpool_test.h"

FIXTURE(sizes)
{
	int fd;
	struct bufpool_info info;
};

FIXTURE_SETUP(sizes)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(sizes)
{
	close(self->fd);
}

/* The class that @size belongs to. */
static unsigned int class_of(const struct bufpool_info *info, __u64 size)
{
	unsigned int class = 0;

	while ((__u64)info->page_size << class < size)
		class++;
	return class;
}

/* Whether a rental is a block of the right class at a right place. */
static bool is_right(const struct bufpool_info *info,
		     const struct bufpool_rent *rent)
{
	unsigned int class = class_of(info, rent->min_size);
	__u64 length = (__u64)info->page_size << class;
	__u64 start = class * info->span;

	return rent->length == length && rent->offset >= start &&
	       rent->offset + length <= start + info->span &&
	       !((rent->offset - start) % length);
}

TEST_F(sizes, around_every_class_edge)
{
	struct bufpool_rent rented;
	unsigned int class;
	int beside;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 edge = (__u64)self->info.page_size << class;

		for (beside = -1; beside <= 1; beside++) {
			if (edge + beside > large_block(&self->info))
				continue;
			ASSERT_EQ(0, rent(self->fd, edge + beside, &rented)) {
				TH_LOG("size %llu", edge + beside);
			}
			EXPECT_TRUE(is_right(&self->info, &rented)) {
				TH_LOG("size %llu: %llu bytes at %#llx",
				       edge + beside, rented.length,
				       rented.offset);
			}
			ASSERT_EQ(0, give(self->fd, rented.handle));
		}
	}
}

/* All of them; where that takes long, as many as often() says, at random. */
TEST_F(sizes, every_size_up_to_9999)
{
	__u64 most = 10000 / often(10000), seed = random_seed(), size;
	struct bufpool_rent rented;

	for (size = 1; size < 10000; size += 1 + next_random(&seed) % most) {
		ASSERT_EQ(0, rent(self->fd, size, &rented));
		ASSERT_TRUE(is_right(&self->info, &rented)) {
			TH_LOG("size %llu: %llu bytes at %#llx", size,
			       rented.length, rented.offset);
		}
		ASSERT_EQ(0, give(self->fd, rented.handle));
	}
}

TEST_F(sizes, many_of_every_class)
{
	struct bufpool_block blocks[4];
	unsigned int class;
	int i, count;

	for (class = 0; class < self->info.nr_classes; class++) {
		struct bufpool_rent rented = {
			.min_size = (__u64)self->info.page_size << class,
		};

		count = rent_many(self->fd, rented.min_size, 4, blocks);
		ASSERT_LE(1, count);
		for (i = 0; i < count; i++) {
			rented.offset = blocks[i].offset;
			rented.length = blocks[i].length;
			EXPECT_TRUE(is_right(&self->info, &rented));
			EXPECT_EQ(0, give(self->fd, blocks[i].handle));
		}
	}
}

/* Every byte of every class can be written, and reads back. */
TEST_F(sizes, every_class_holds_its_bytes)
{
	struct bufpool_rent rented;
	unsigned int class;
	__u64 i;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 *words = rent_mapped(self->fd,
					   (__u64)self->info.page_size << class,
					   &rented);

		ASSERT_NE(NULL, words);
		for (i = 0; i < rented.length / 8; i++)
			words[i] = rented.offset + i;
		for (i = 0; i < rented.length / 8; i++)
			ASSERT_EQ(rented.offset + i, words[i]);
		munmap(words, rented.length);
		ASSERT_EQ(0, give(self->fd, rented.handle));
	}
}

/* Up to the largest pooled block, memory is kept for the next renter. */
TEST_F(sizes, pooled_blocks_are_kept)
{
	struct bufpool_stats first, second;
	struct bufpool_rent rented;
	unsigned int class;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 size = (__u64)self->info.page_size << class;

		if (size > self->info.max_pooled ||
		    size > large_block(&self->info))
			break;
		ASSERT_EQ(0, rent(self->fd, size, &rented));
		ASSERT_EQ(0, give(self->fd, rented.handle));
		ASSERT_EQ(0, pool_stats(self->fd, &first));
		ASSERT_EQ(0, rent(self->fd, size, &rented));
		ASSERT_EQ(0, give(self->fd, rented.handle));
		ASSERT_EQ(0, pool_stats(self->fd, &second));
		EXPECT_EQ(first.slabs_created, second.slabs_created);
		EXPECT_EQ(first.reused + 1, second.reused);
	}
}

/* An offset is the block's for good: a slab that comes back has its old one. */
TEST_F(sizes, offsets_stay_below_the_limit)
{
	struct bufpool_rent rented;
	int i;

	for (i = often(100); i; i--) {
		ASSERT_EQ(0, rent(self->fd, large_block(&self->info), &rented));
		ASSERT_TRUE(is_right(&self->info, &rented));
		ASSERT_EQ(0, give(self->fd, rented.handle));
	}
}

TEST_HARNESS_MAIN
