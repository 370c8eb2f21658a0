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

/* The class of slabs that @size belongs to. */
static unsigned int class_of(const struct bufpool_info *info, __u64 size)
{
	unsigned int class = 0;

	while ((__u64)info->page_size << class < size)
		class++;
	return class;
}

/* Whether a rental is a block of a class at a right place. */
static bool is_of(const struct bufpool_info *info, const struct bufpool_rent *rent,
		  unsigned int class)
{
	__u64 length = class_size(info, class);
	__u64 start = class * info->span;

	return rent->length == length && rent->offset >= start &&
	       rent->offset + length <= start + info->span &&
	       !((rent->offset - start) % length);
}

/* The same of the class of slabs that fits. */
static bool is_right(const struct bufpool_info *info,
		     const struct bufpool_rent *rent)
{
	return is_of(info, rent, class_of(info, rent->min_size));
}

TEST_F(sizes, around_every_class_edge)
{
	struct bufpool_rent rented;
	unsigned int class;
	int beside;

	for (class = 0; class < slab_classes(&self->info); class++) {
		__u64 edge = class_size(&self->info, class);

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
		struct bufpool_rent rented;

		count = rent_many_with(self->fd, class_size(&self->info, class),
				       class_flags(&self->info, class), 4, blocks);
		ASSERT_LE(1, count);
		for (i = 0; i < count; i++) {
			rented.offset = blocks[i].offset;
			rented.length = blocks[i].length;
			EXPECT_TRUE(is_of(&self->info, &rented, class));
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
		__u64 *words = rent_mapped_with(self->fd, class_size(&self->info, class),
						class_flags(&self->info, class), &rented);

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
		__u64 size = class_size(&self->info, class);
		__u32 flags = BUFPOOL_RENT_NONBLOCK | class_flags(&self->info, class);

		if (size > self->info.max_pooled ||
		    size > large_block(&self->info))
			continue;
		ASSERT_EQ(0, rent_with(self->fd, size, flags, 0, &rented));
		ASSERT_EQ(0, give(self->fd, rented.handle));
		ASSERT_EQ(0, pool_stats(self->fd, &first));
		ASSERT_EQ(0, rent_with(self->fd, size, flags, 0, &rented));
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

/* Of several sizes and backings, each follows another. */
static const struct {
	unsigned int pages;
	__u32 flags;
} mixture[] = {
	{ 1, 0 }, { 16, 0 }, { 1, 0 }, { 1, 0 }, { 2, 0 }, { 64, 0 }, { 16, 0 },
	{ 1, BUFPOOL_RENT_IO }, { 1, 0 }, { 64, BUFPOOL_RENT_IO }, { 64, 0 },
};

#define MIXED	ARRAY_SIZE(mixture)

/* Rent them. Return: bytes in all, or 0. */
static __u64 rent_mixture(int fd, __u64 *handles)
{
	struct bufpool_rent rented;
	__u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < MIXED; i++) {
		if (rent_with(fd, mixture[i].pages * PAGE,
			      mixture[i].flags | BUFPOOL_RENT_NONBLOCK, 0, &rented) ||
		    rented.length != mixture[i].pages * PAGE)
			return 0;
		handles[i] = rented.handle;
		bytes += rented.length;
	}
	return bytes;
}

TEST_F(sizes, of_many_kinds_are_returned_together)
{
	struct bufpool_stats stats;
	__u64 handles[MIXED], bytes;

	bytes = rent_mixture(self->fd, handles);
	ASSERT_NE(0, bytes);
	ASSERT_EQ((int)MIXED, give_many(self->fd, handles, MIXED));
	stats = stats_of(self->fd);
	EXPECT_EQ(0, stats.client_blocks);
	EXPECT_EQ(0, stats.client_bytes);
	EXPECT_EQ(MIXED, stats.client_warm_blocks);
	EXPECT_EQ(bytes, stats.client_warm_bytes);
	/* each stayed as what it is */
	EXPECT_EQ(bytes, rent_mixture(self->fd, handles));
	stats = stats_of(self->fd);
	EXPECT_EQ(MIXED, stats.client_warm_rents);
	EXPECT_EQ(0, stats.client_warm_blocks);
	EXPECT_EQ(0, stats.client_warm_bytes);
	EXPECT_EQ(bytes, stats.client_bytes);
	ASSERT_EQ((int)MIXED, give_up_many(self->fd, handles, MIXED));
	EXPECT_EQ(0, stats_of(self->fd).client_bytes);
	EXPECT_EQ(0, stats_of(self->fd).user_held);
}

/* As many of each as are kept warm, however they come. */
TEST_F(sizes, of_two_kinds_are_returned_in_turns)
{
	const unsigned int warm = 4;
	struct bufpool_rent rented;
	__u64 handles[16];
	unsigned int i;

	ASSERT_EQ(0, parameter_write("warm_blocks", warm));
	for (i = 0; i < ARRAY_SIZE(handles); i++) {
		ASSERT_EQ(0, rent(self->fd, i / 3 % 2 ? PAGE : 2 * PAGE, &rented));
		handles[i] = rented.handle;
	}
	ASSERT_EQ((int)ARRAY_SIZE(handles), give_many(self->fd, handles, ARRAY_SIZE(handles)));
	EXPECT_EQ(2 * warm, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(warm * 3 * PAGE, stats_of(self->fd).client_warm_bytes);
	parameters_restore();
}

TEST_HARNESS_MAIN
