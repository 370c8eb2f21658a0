// SPDX-License-Identifier: MIT
/*
 * Warm blocks: what a client keeps of what it has returned, within which bounds,
 * and who else may have it when.
 */
#include "bufpool_test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define LIMIT	(1 * MIB)
#define BLOCK	(64 * KIB)
#define ALL	16		/* blocks within the limit */
#define A_DAY	(24 * 3600)

FIXTURE(warm)
{
	int fd;
	int other;
	struct bufpool_info info;
	struct bufpool_rent rent;
	struct bufpool_stats before;
	unsigned char *at;
};

FIXTURE_SETUP(warm)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->other = pool_open();
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->at = rent_mapped(self->fd, BLOCK, &self->rent);
	ASSERT_NE(NULL, self->at);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(warm)
{
	parameters_restore();
	close(self->fd);
	close(self->other);
}

static __u64 warm_blocks(int fd)
{
	return stats_of(fd).client_warm_blocks;
}

static bool return_all(int fd, const struct bufpool_block *blocks, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (give(fd, blocks[i].handle))
			return false;
	}
	return true;
}

/* One client ---------------------------------------------------------------- */

TEST_F(warm, comes_back_with_its_bytes)
{
	struct bufpool_rent again;
	struct bufpool_stats after;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &again));
	EXPECT_EQ(self->rent.offset, again.offset);
	EXPECT_EQ(self->rent.length, again.length);
	EXPECT_NE(self->rent.handle, again.handle);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	EXPECT_EQ(-ESTALE, give(self->fd, self->rent.handle));
	after = stats_of(self->fd);
	EXPECT_EQ(1, after.client_warm_rents);
	EXPECT_EQ(2, after.client_rents);
	EXPECT_EQ(1, after.client_returns);
	EXPECT_EQ(1, after.client_blocks);
	EXPECT_EQ(0, after.client_warm_blocks);
}

/* Neither the one who writes nor the kernel touches a page table for it. */
TEST_F(warm, costs_no_page_fault)
{
	struct rusage before, after;
	int i;

	memset(self->at, 1, BLOCK);
	memset(&after, 0, sizeof(after));
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &before));
	for (i = 0; i < 1000; i++) {
		if (give(self->fd, self->rent.handle) ||
		    rent(self->fd, BLOCK, &self->rent))
			break;
		memset(self->at, i, BLOCK);
	}
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &after));
	EXPECT_EQ(1000, i);
	/* A few may be the program's own. */
	EXPECT_GT(10, after.ru_minflt - before.ru_minflt);
	EXPECT_EQ(before.ru_majflt, after.ru_majflt);
	EXPECT_EQ(1000, stats_of(self->fd).client_warm_rents);
}

TEST_F(warm, stays_mapped_while_it_is_warm)
{
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(0, touch(self->at));
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

TEST_F(warm, clear_zeroes_and_keeps_nothing_warm)
{
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give_with(self->fd, self->rent.handle,
			       BUFPOOL_RETURN_CLEAR));
	EXPECT_EQ(0, warm_blocks(self->fd));
	EXPECT_EQ(SIGBUS, touch(self->at));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_TRUE(block_is_zero(self->fd, self->rent.offset, BLOCK));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_rents);
}

TEST_F(warm, revoke_takes_it_out_at_once)
{
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(SIGBUS, poke(self->at + BLOCK - 1, 1));
	EXPECT_EQ(0, warm_blocks(self->fd));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_TRUE(block_is_zero(self->fd, self->rent.offset, BLOCK));
}

TEST_F(warm, flags_of_return_many)
{
	struct bufpool_block blocks[8];
	__u64 handles[8];
	__u32 flags;
	int i;

	for (flags = 0; flags < 4; flags++) {
		ASSERT_EQ(8, rent_many(self->fd, 2 * BLOCK, 8, blocks));
		for (i = 0; i < 8; i++)
			handles[i] = blocks[i].handle;
		ASSERT_EQ(8, give_many_with(self->fd, handles, 8, flags));
		EXPECT_EQ(flags ? 0 : 8, (int)warm_blocks(self->fd));
		ASSERT_LE(0, trim(self->fd, 0));
	}
}

TEST_F(warm, zero_gives_zeroes)
{
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, rent_with(self->fd, BLOCK, BUFPOOL_RENT_ZERO, 0,
			       &self->rent));
	EXPECT_TRUE(block_is_zero(self->fd, self->rent.offset, BLOCK));
	EXPECT_EQ(1, stats_of(self->fd).client_warm_rents);
	/* The old mapping shows the same, and a second time too. */
	EXPECT_TRUE(filled(self->at, 0, BLOCK));
	self->at[BLOCK - 1] = 1;
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, rent_with(self->fd, BLOCK, BUFPOOL_RENT_ZERO, 0,
			       &self->rent));
	EXPECT_TRUE(filled(self->at, 0, BLOCK));
}

TEST_F(warm, zero_for_many)
{
	struct bufpool_block blocks[12];
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = BUFPOOL_RENT_ZERO,
		.min_size = BLOCK,
		.count = 12,
		.blocks = (uintptr_t)blocks,
	};
	int i;

	ASSERT_EQ(8, rent_many(self->fd, BLOCK, 8, blocks));
	for (i = 0; i < 8; i++)
		ASSERT_TRUE(block_fill(self->fd, blocks[i].offset, BLOCK, 1));
	ASSERT_TRUE(return_all(self->fd, blocks, 8));
	ASSERT_EQ(12, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	EXPECT_EQ(8, stats_of(self->fd).client_warm_rents);
	for (i = 0; i < 12; i++)
		EXPECT_TRUE(block_is_zero(self->fd, blocks[i].offset, BLOCK));
}

/* Warm ones first, the latest returned before the others. */
TEST_F(warm, latest_first)
{
	struct bufpool_block blocks[4];
	struct bufpool_rent rented;
	int i;

	ASSERT_EQ(4, rent_many(self->fd, BLOCK, 4, blocks));
	ASSERT_TRUE(return_all(self->fd, blocks, 4));
	for (i = 3; i >= 0; i--) {
		ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
		EXPECT_EQ(blocks[i].offset, rented.offset);
	}
	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	EXPECT_EQ(4, stats_of(self->fd).client_warm_rents);
}

/* What the program has not mapped when it returns, it does not get to see. */
TEST_F(warm, no_new_page_table_entries)
{
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(0, touch(self->at));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(0, touch(self->at));
	/* Gone by the program's own doing, and not to be had back. */
	ASSERT_EQ(0, munmap(self->at, BLOCK));
	self->at = map_block(self->fd, &self->rent);
	ASSERT_NE(MAP_FAILED, self->at);
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(SIGBUS, poke(self->at + BLOCK - 1, 1));
}

/* The client is the file, not the process. */
static int return_in_child(void *arg)
{
	const __u64 *args = arg;

	return give(args[0], args[1]) ? 1 : 0;
}

TEST_F(warm, returned_by_a_child)
{
	__u64 args[2] = { self->fd, self->rent.handle };
	struct bufpool_rent again;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, in_child(return_in_child, args));
	EXPECT_EQ(-ESTALE, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &again));
	EXPECT_EQ(self->rent.offset, again.offset);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

/* A ceiling is for what is rented. */
TEST_F(warm, ceiling_does_not_count_warm_blocks)
{
	struct bufpool_rent other;

	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	EXPECT_EQ(-EDQUOT, rent(self->fd, BLOCK, &other));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, rent(self->fd, 1, &other));
	EXPECT_EQ(-EDQUOT, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(0, give(self->fd, other.handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &other));
	EXPECT_EQ(1, warm_blocks(self->fd));
}

/* A warm block that could not be handed out is not lost, nor counted twice. */
TEST_F(warm, bad_pointer_loses_nothing)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = BLOCK,
		.count = 2,
		.blocks = 8,
	};
	struct bufpool_stats after;
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, give(self->fd, self->rent.handle));
		ASSERT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY,
					      &many));
		ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	}
	after = stats_of(self->fd);
	EXPECT_EQ(1, after.client_blocks);
	EXPECT_EQ(BLOCK, after.client_bytes);
	EXPECT_EQ(self->before.in_use, after.in_use);
	EXPECT_EQ(self->before.user_held,
		  after.user_held - after.client_warm_bytes);
}

/* The same for one: it was rented before that could be told, and is not now. */
TEST_F(warm, bad_pointer_of_a_single_rent)
{
	struct bufpool_rent *arg = shared_alloc(self->info.page_size);
	struct bufpool_stats before;
	struct bufpool_rent again;

	ASSERT_NE(NULL, arg);
	self->at[0] = 0x5a;
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	*arg = (struct bufpool_rent){ .size = sizeof(*arg), .min_size = BLOCK };
	ASSERT_EQ(0, mprotect(arg, self->info.page_size, PROT_READ));
	before = stats_of(self->fd);
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT, arg));
	EXPECT_TRUE(unchanged(self->fd, &before));
	EXPECT_EQ(before.rents, stats_of(self->fd).rents);
	EXPECT_EQ(before.reused, stats_of(self->fd).reused);
	EXPECT_EQ(1, warm_blocks(self->fd));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &again));
	EXPECT_EQ(self->rent.offset, again.offset);
	EXPECT_EQ(0x5a, self->at[0]);
	EXPECT_EQ(-ESTALE, give(self->fd, self->rent.handle));
	EXPECT_EQ(0, give(self->fd, again.handle));
	munmap(arg, self->info.page_size);
}

/* Handles are told apart wherever their blocks are, and when these are gone. */
TEST_F(warm, handles_of_several_slabs)
{
	struct bufpool_block blocks[64];
	unsigned int i, count = 2 * self->info.slab_size / BLOCK;

	ASSERT_GE(ARRAY_SIZE(blocks), count);
	ASSERT_EQ(count, rent_many(self->fd, BLOCK, count, blocks));
	/* Back and forth between them, and each a second time. */
	for (i = 0; i < count; i++) {
		struct bufpool_block *block = &blocks[i % 2 ? count - i : i];

		EXPECT_EQ(0, give(self->fd, block->handle));
		EXPECT_EQ(-ESTALE, give(self->fd, block->handle));
		EXPECT_EQ(-ENOENT, give(self->other, block->handle));
	}
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	ASSERT_EQ(count * BLOCK, trim(self->fd, 0));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_EQ(-ESTALE, give(self->fd, self->rent.handle));
	for (i = 0; i < count; i++)
		EXPECT_EQ(-ESTALE, give(self->fd, blocks[i].handle));
}

/* Bounds ---------------------------------------------------------------------- */

/* Rent and return ten; how many stay warm. */
static int warm_of_ten(int fd, __u64 size)
{
	struct bufpool_block blocks[10];

	if (trim(fd, 0) < 0 || rent_many(fd, size, 10, blocks) != 10 ||
	    !return_all(fd, blocks, 10))
		return -1;
	return warm_blocks(fd);
}

TEST_F(warm, bounded_in_blocks)
{
	int bound;

	for (bound = 0; bound <= 11; bound++) {
		ASSERT_EQ(0, parameter_write("warm_blocks", bound));
		EXPECT_EQ(bound < 10 ? bound : 10, warm_of_ten(self->fd, 1));
		EXPECT_EQ(bound < 10 ? bound : 10,
			  warm_of_ten(self->fd, BLOCK));
	}
}

TEST_F(warm, bounded_in_bytes)
{
	int bound;

	for (bound = 0; bound <= 11; bound++) {
		ASSERT_EQ(0, parameter_write("warm_bytes", bound * BLOCK));
		EXPECT_EQ(bound < 10 ? bound : 10,
			  warm_of_ten(self->fd, BLOCK));
		ASSERT_EQ(0, parameter_write("warm_bytes",
					     (bound + 1) * BLOCK - 1));
		EXPECT_EQ(bound < 10 ? bound : 10,
			  warm_of_ten(self->fd, BLOCK));
	}
}

/* Each size has its own. */
TEST_F(warm, bounded_by_class)
{
	struct bufpool_block blocks[10];
	unsigned int class;

	ASSERT_EQ(0, parameter_write("warm_blocks", 3));
	for (class = 0; class < 5; class++) {
		ASSERT_EQ(10, rent_many(self->fd, 4096ULL << class, 10,
					blocks));
		ASSERT_TRUE(return_all(self->fd, blocks, 10));
		EXPECT_EQ(3 * (class + 1), warm_blocks(self->fd));
	}
	/* And each client. */
	EXPECT_EQ(3, warm_of_ten(self->other, 1));
	EXPECT_EQ(15, warm_blocks(self->fd));
}

/* A block over the bound is nobody's: its page-table entries are gone. */
TEST_F(warm, over_the_bound_is_not_reachable)
{
	ASSERT_EQ(0, parameter_write("warm_blocks", 0));
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_TRUE(block_is_zero(self->fd, self->rent.offset, BLOCK));
}

TEST_F(warm, oversize_blocks_are_never_warm)
{
	struct bufpool_rent large;

	if (self->info.max_pooled == self->info.max_rent)
		SKIP(return, "no block is too large to be pooled here");
	ASSERT_EQ(0, parameter_write("warm_bytes", 64 * MIB));
	ASSERT_EQ(0, rent(self->fd, self->info.max_pooled + 1, &large));
	ASSERT_EQ(0, give(self->fd, large.handle));
	EXPECT_EQ(0, warm_blocks(self->fd));
	EXPECT_EQ(self->before.pinned, stats_of(self->fd).pinned);
}

/* Counters --------------------------------------------------------------------- */

TEST_F(warm, is_not_in_use)
{
	struct bufpool_stats after;

	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	after = stats_of(self->fd);
	EXPECT_EQ(self->before.in_use - BLOCK, after.in_use);
	EXPECT_EQ(self->before.warm + BLOCK, after.warm);
	EXPECT_EQ(self->before.pinned, after.pinned);
	EXPECT_EQ(self->before.user_held, after.user_held);
	EXPECT_EQ(1, after.client_warm_blocks);
	EXPECT_EQ(BLOCK, after.client_warm_bytes);
	EXPECT_EQ(0, after.client_blocks);
	EXPECT_EQ(0, after.client_bytes);
	ASSERT_EQ((__s64)BLOCK, trim(self->fd, 0));
	after = stats_of(self->fd);
	EXPECT_EQ(self->before.warm, after.warm);
	EXPECT_EQ(self->before.user_held - BLOCK, after.user_held);
	EXPECT_EQ(0, after.client_warm_blocks);
	EXPECT_EQ(0, after.client_warm_bytes);
}

/* 30 rents: 20 new blocks, and 10 that have been rented before. */
TEST_F(warm, counters_are_exact)
{
	/* Of a size that no other test here has used. */
	const __u64 size = 256 * KIB;
	struct bufpool_block blocks[20], more[10];
	struct bufpool_stats after;

	ASSERT_EQ(20, rent_many(self->fd, size, 20, blocks));
	ASSERT_TRUE(return_all(self->fd, blocks, 10));
	ASSERT_EQ(10, rent_many(self->fd, size, 10, more));
	after = stats_of(self->fd);
	EXPECT_EQ(30, after.rents - self->before.rents);
	EXPECT_EQ(10, after.reused - self->before.reused);
	EXPECT_EQ(10, after.returns - self->before.returns);
	EXPECT_EQ(31, after.client_rents);
	EXPECT_EQ(10, after.client_returns);
	EXPECT_EQ(10, after.client_warm_rents);
	EXPECT_EQ(21, after.client_blocks);
	EXPECT_EQ(20 * size, after.in_use - self->before.in_use);
	EXPECT_EQ(self->before.steals, after.steals);
	EXPECT_EQ(self->before.waits, after.waits);
	EXPECT_EQ(20 * size, (after.slabs_created - self->before.slabs_created) *
			     size);
}

/* TRIM -------------------------------------------------------------------------- */

FIXTURE(trim)
{
	int fd;
	struct bufpool_rent rents[3];
	char *at[3];
};

static const __u64 trim_sizes[3] = { 4 * KIB, 64 * KIB, 1 * MIB };

FIXTURE_SETUP(trim)
{
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	for (i = 0; i < 3; i++) {
		self->at[i] = rent_mapped(self->fd, trim_sizes[i],
					  &self->rents[i]);
		ASSERT_NE(NULL, self->at[i]);
		memset(self->at[i], 0x5a, trim_sizes[i]);
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, give(self->fd, self->rents[i].handle));
}

FIXTURE_TEARDOWN(trim)
{
	close(self->fd);
}

FIXTURE_VARIANT(trim)
{
	__u64 min_size;
	int spared;		/* so many of the smaller ones */
};

FIXTURE_VARIANT_ADD(trim, all) { .min_size = 0, .spared = 0 };
FIXTURE_VARIANT_ADD(trim, byte) { .min_size = 1, .spared = 0 };
FIXTURE_VARIANT_ADD(trim, page) { .min_size = 4096, .spared = 0 };
FIXTURE_VARIANT_ADD(trim, over_page) { .min_size = 4097, .spared = 1 };
FIXTURE_VARIANT_ADD(trim, middle) { .min_size = 64 * KIB, .spared = 1 };
FIXTURE_VARIANT_ADD(trim, large) { .min_size = 64 * KIB + 1, .spared = 2 };
FIXTURE_VARIANT_ADD(trim, largest) { .min_size = 1 * MIB, .spared = 2 };
FIXTURE_VARIANT_ADD(trim, larger) { .min_size = 1 * MIB + 1, .spared = 3 };
FIXTURE_VARIANT_ADD(trim, huge) { .min_size = 1ULL << 63, .spared = 3 };
FIXTURE_VARIANT_ADD(trim, most) { .min_size = UINT64_MAX, .spared = 3 };

TEST_F(trim, by_size)
{
	__s64 want = 0;
	int i;

	for (i = variant->spared; i < 3; i++)
		want += trim_sizes[i];
	EXPECT_EQ(want, trim(self->fd, variant->min_size));
	EXPECT_EQ(0, trim(self->fd, variant->min_size));
	for (i = 0; i < 3; i++) {
		bool is_spared = i < variant->spared;

		EXPECT_EQ(is_spared ? 0 : SIGBUS, touch(self->at[i]));
		ASSERT_EQ(0, rent(self->fd, trim_sizes[i], &self->rents[i]));
		EXPECT_EQ(is_spared, !block_is_zero(self->fd,
						    self->rents[i].offset,
						    trim_sizes[i]));
	}
}

/* Nobody's but the caller's, and none that is rented. */
TEST_F(warm, trim_is_the_clients_own)
{
	struct bufpool_rent theirs;

	ASSERT_EQ(0, rent(self->other, BLOCK, &theirs));
	ASSERT_EQ(0, give(self->other, theirs.handle));
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(0, trim(self->fd, 0));
	EXPECT_EQ(1, warm_blocks(self->other));
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
}

/* Others --------------------------------------------------------------------- */

/* Two clients, and as many blocks as the pool may have. */
FIXTURE(steal)
{
	int fd;
	int thief;
	struct bufpool_block blocks[ALL];
	unsigned char *at[ALL];
	struct bufpool_stats before;
};

FIXTURE_SETUP(steal)
{
	int i;

	ASSERT_EQ(0, limit_write(LIMIT));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->thief = pool_open();
	ASSERT_LE(0, self->thief);
	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	for (i = 0; i < ALL; i++) {
		self->at[i] = map_at(self->fd, self->blocks[i].offset, BLOCK);
		ASSERT_NE(MAP_FAILED, self->at[i]);
		memset(self->at[i], 0xff, BLOCK);
	}
	ASSERT_EQ(0, pool_stats(self->thief, &self->before));
}

FIXTURE_TEARDOWN(steal)
{
	close(self->fd);
	close(self->thief);
	parameters_restore();
}

TEST_F(steal, takes_all_if_it_has_to)
{
	struct bufpool_block theirs[ALL];
	struct bufpool_stats after;
	int i;

	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	EXPECT_EQ(ALL, warm_blocks(self->fd));
	ASSERT_EQ(ALL, rent_many(self->thief, BLOCK, ALL, theirs));
	for (i = 0; i < ALL; i++) {
		EXPECT_TRUE(block_is_zero(self->thief, theirs[i].offset,
					  BLOCK));
		EXPECT_EQ(SIGBUS, touch(self->at[i]));
		EXPECT_EQ(SIGBUS, poke(self->at[i] + BLOCK - 1, 1));
		EXPECT_EQ(-ESTALE, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(-ENOENT, give(self->thief, self->blocks[i].handle));
	}
	EXPECT_EQ(0, warm_blocks(self->fd));
	after = stats_of(self->thief);
	EXPECT_EQ(self->before.steals + ALL, after.steals);
	EXPECT_EQ(self->before.waits, after.waits);
	EXPECT_EQ(self->before.slabs_created, after.slabs_created);
	EXPECT_EQ(0, after.warm);
	EXPECT_EQ(LIMIT, after.in_use);
}

/* As few as are needed. */
TEST_F(steal, takes_no_more_than_it_needs)
{
	struct bufpool_rent theirs;
	int i, gone = 0;

	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(0, rent(self->thief, BLOCK, &theirs));
	EXPECT_EQ(ALL - 1, warm_blocks(self->fd));
	for (i = 0; i < ALL; i++)
		gone += touch(self->at[i]) == SIGBUS;
	EXPECT_EQ(1, gone);
	EXPECT_EQ(theirs.offset, self->blocks[0].offset);
}

/* Nothing is stolen while the pool may grow. */
TEST_F(steal, only_in_need)
{
	struct bufpool_block theirs[ALL];

	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(0, limit_write(2 * LIMIT));
	ASSERT_EQ(ALL, rent_many(self->thief, BLOCK, ALL, theirs));
	EXPECT_EQ(ALL, warm_blocks(self->fd));
	EXPECT_EQ(self->before.steals, stats_of(self->thief).steals);
}

/* Who waits longest unused goes first, whoever has it. */
TEST_F(steal, longest_idle_first)
{
	/* The order of return, by the number of the block. */
	static const int order[ALL] = {
		7, 2, 11, 0, 15, 4, 9, 1, 12, 3, 14, 6, 8, 13, 5, 10,
	};
	int clients[4] = { self->fd, pool_open(), pool_open(), pool_open() };
	struct bufpool_block blocks[ALL];
	struct bufpool_rent rented;
	int i;

	/* Each of four clients has a quarter of the blocks. */
	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	ASSERT_LT(0, trim(self->fd, 0));
	for (i = 0; i < ALL; i++)
		ASSERT_EQ(1, rent_many(clients[i % 4], BLOCK, 1, &blocks[i]));
	for (i = 0; i < ALL; i++) {
		ASSERT_EQ(0, give(clients[order[i] % 4],
				  blocks[order[i]].handle));
		sleep_ms(20);
	}
	for (i = 0; i < ALL; i++) {
		ASSERT_EQ(0, rent(self->thief, BLOCK, &rented));
		EXPECT_EQ(blocks[order[i]].offset, rented.offset) {
			TH_LOG("the %d. to go", i + 1);
		}
	}
	for (i = 1; i < 4; i++)
		close(clients[i]);
}

/* Using one again makes it the last. */
TEST_F(steal, use_makes_it_young)
{
	struct bufpool_rent rented;
	int i;

	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	sleep_ms(20);
	ASSERT_EQ(1, rent_many(self->fd, BLOCK, 1, &self->blocks[0]));
	ASSERT_TRUE(return_all(self->fd, self->blocks + 1, ALL - 1));
	sleep_ms(20);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	for (i = 1; i < ALL; i++)
		ASSERT_EQ(0, rent(self->thief, BLOCK, &rented));
	EXPECT_EQ(1, warm_blocks(self->fd));
	ASSERT_EQ(0, rent(self->thief, BLOCK, &rented));
	EXPECT_EQ(self->blocks[0].offset, rented.offset);
}

/* Of another size: so many that there is room, and theirs are zero. */
TEST_F(steal, for_another_size)
{
	struct bufpool_rent large;
	struct bufpool_block small;

	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(1, rent_many(self->thief, 1, 1, &small));
	EXPECT_TRUE(block_is_zero(self->thief, small.offset, small.length));
	ASSERT_EQ(0, give_up(self->thief, small.handle));
	ASSERT_EQ(0, rent(self->thief, LIMIT, &large));
	EXPECT_TRUE(block_is_zero(self->thief, large.offset, LIMIT));
	EXPECT_EQ(0, warm_blocks(self->fd));
}

/* A client's own warm blocks are in nobody's way, not in its own either. */
TEST_F(steal, from_itself)
{
	struct bufpool_rent large;

	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(0, rent(self->fd, LIMIT, &large));
	EXPECT_TRUE(block_is_zero(self->fd, large.offset, LIMIT));
	EXPECT_EQ(0, warm_blocks(self->fd));
	EXPECT_EQ(SIGBUS, touch(self->at[0]));
}

/* A rented block is never taken, whatever else is. */
TEST_F(steal, never_what_is_rented)
{
	struct bufpool_block theirs[ALL];
	int i;

	ASSERT_TRUE(return_all(self->fd, self->blocks + ALL / 2, ALL / 2));
	EXPECT_EQ(ALL / 2, rent_many(self->thief, BLOCK, ALL, theirs));
	EXPECT_EQ(-EAGAIN, rent_many(self->thief, BLOCK, ALL, theirs));
	for (i = 0; i < ALL / 2; i++)
		EXPECT_TRUE(filled(self->at[i], 0xff, BLOCK));
}

/* The end of a client is the end of what it keeps warm. */
static int die_with_warm_blocks(void *arg)
{
	struct bufpool_block blocks[ALL];
	int fd = pool_open(), i;

	CHECK(fd >= 0);
	CHECK(rent_many(fd, BLOCK, ALL, blocks) == ALL);
	for (i = 0; i < ALL; i++)
		CHECK(block_fill(fd, blocks[i].offset, BLOCK, 0xff));
	CHECK(return_all(fd, blocks, ALL));
	CHECK(warm_blocks(fd) == ALL);
	if (arg)
		raise(SIGKILL);
	return 0;
}

TEST_F(steal, ends_with_the_client)
{
	struct bufpool_block theirs[ALL];
	int i, kill;

	close(self->fd);
	for (i = 0; i < ALL; i++)
		ASSERT_EQ(0, munmap(self->at[i], BLOCK));
	for (kill = 0; kill < 2; kill++) {
		struct bufpool_stats after;
		__u64 end = now_ms() + SOON_MS;

		EXPECT_EQ(kill ? -SIGKILL : 0,
			  in_child(die_with_warm_blocks, kill ? &kill : NULL));
		do {
			after = stats_of(self->thief);
		} while (after.warm && now_ms() < end);
		EXPECT_EQ(0, after.warm);
		EXPECT_EQ(0, after.in_use);
		EXPECT_EQ(0, after.user_held);
		EXPECT_EQ(after.rents, after.returns);
		ASSERT_EQ(ALL, rent_many(self->thief, BLOCK, ALL, theirs));
		EXPECT_EQ(self->before.steals, stats_of(self->thief).steals);
		for (i = 0; i < ALL; i++) {
			EXPECT_TRUE(block_is_zero(self->thief,
						  theirs[i].offset, BLOCK));
			ASSERT_EQ(0, give_up(self->thief, theirs[i].handle));
		}
	}
	self->fd = pool_open();
}

/* Theft under the owner's hands --------------------------------------------------- */

/*
 * Two clients rent all they get, mark it, and return it, so that what the one has
 * warm the other takes. In each, somebody touches all of the client's mapping all
 * the time, a thread in the one and a process of its own in the other: what is
 * seen there is the client's own mark, or zero, or SIGBUS; and what it writes is
 * never found by the other.
 */
struct client_under_theft {
	unsigned int stop;
	unsigned int rounds;
	unsigned int warm;		/* rentals of warm blocks */
	unsigned int touches;
	unsigned int faults;
	int fd;
	bool by_process;
	unsigned char mark;
	__u64 seed;
	__u64 start;			/* of the class's span */
	__u64 reach;			/* bytes of it that are mapped */
};

static unsigned int seconds_of_theft(void)
{
	const char *given = getenv("BUFPOOL_STRESS_SECONDS");
	unsigned int seconds = given ? atoi(given) : 10;

	return seconds < 5 ? 1 : seconds / 5;
}

static int touch_everything(struct client_under_theft *client)
{
	__u64 seed = client->seed ^ 0x5555;
	unsigned char *span = map_at(client->fd, client->start, client->reach);

	CHECK(span != MAP_FAILED);
	while (!__atomic_load_n(&client->stop, __ATOMIC_ACQUIRE)) {
		unsigned char *at = span + next_random(&seed) % client->reach;
		unsigned char value = 0;
		int sig;

		if (next_random(&seed) % 8 == 0)
			sig = poke(at, client->mark);
		else
			sig = peek(at, &value);
		CHECK(!sig || sig == SIGBUS);
		CHECK(!value || value == client->mark);
		client->touches++;
		client->faults += !!sig;
	}
	return 0;
}

static void *touch_as_thread(void *arg)
{
	touch_everything(arg);
	return NULL;
}

static int touch_as_process(void *arg)
{
	return touch_everything(arg);
}

static bool only_has(const unsigned char *at, unsigned char mark)
{
	size_t i;

	for (i = 0; i < BLOCK; i++) {
		if (at[i] && at[i] != mark)
			return false;
	}
	return true;
}

static void one_round(struct client_under_theft *client, unsigned char *span)
{
	struct bufpool_block blocks[ALL];
	int count, i;

	count = rent_many(client->fd, BLOCK, 1 + next_random(&client->seed) % ALL,
			  blocks);
	CHECK(count > 0 || count == -EAGAIN);
	for (i = 0; i < count; i++) {
		unsigned char *at = span + (blocks[i].offset - client->start);

		CHECK(blocks[i].length == BLOCK);
		CHECK(only_has(at, client->mark));
		memset(at, client->mark, BLOCK);
	}
	if (next_random(&client->seed) % 4 == 0)
		sched_yield();
	for (i = 0; i < count; i++) {
		unsigned char *at = span + (blocks[i].offset - client->start);

		CHECK(filled(at, client->mark, BLOCK));
		CHECK(!give(client->fd, blocks[i].handle));
	}
	client->rounds++;
}

static int be_stolen_from(void *arg)
{
	struct client_under_theft *client = arg;
	struct bufpool_info info;
	struct bufpool_rent rented;
	unsigned char *span;
	pthread_t thread;
	pid_t pid = 0;

	client->fd = pool_open();
	CHECK(client->fd >= 0);
	CHECK(!pool_info(client->fd, &info));
	CHECK(!rent_with(client->fd, BLOCK, 0, 0, &rented));
	CHECK(!give(client->fd, rented.handle));
	client->start = rented.offset - rented.offset % info.span;
	client->reach = 2 * LIMIT;
	span = map_at(client->fd, client->start, client->reach);
	CHECK(span != MAP_FAILED);
	if (client->by_process)
		pid = spawn(touch_as_process, client);
	else
		CHECK(!pthread_create(&thread, NULL, touch_as_thread, client));
	while (!__atomic_load_n(&client->stop, __ATOMIC_ACQUIRE))
		one_round(client, span);
	if (client->by_process)
		CHECK(!reap(pid));
	else
		CHECK(!pthread_join(thread, NULL));
	client->warm = stats_of(client->fd).client_warm_rents;
	return 0;
}

TEST_F_TIMEOUT(steal, while_the_owner_touches, A_DAY)
{
	struct client_under_theft *clients = shared_alloc(2 * sizeof(*clients));
	__u64 seed = random_seed();
	pid_t pids[2];
	int i;

	ASSERT_NE(NULL, clients);
	ASSERT_TRUE(return_all(self->fd, self->blocks, ALL));
	ASSERT_LT(0, trim(self->fd, 0));
	for (i = 0; i < 2; i++) {
		clients[i].seed = next_random(&seed);
		clients[i].mark = i ? 0xf0 : 0x0f;
		clients[i].by_process = i;
		pids[i] = spawn(be_stolen_from, &clients[i]);
	}
	sleep_ms(seconds_of_theft() * 1000);
	for (i = 0; i < 2; i++)
		word_set(&clients[i].stop, 1);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_LT(0, clients[i].rounds);
		EXPECT_LT(0, clients[i].warm);
		EXPECT_LT(0, clients[i].faults);
		TH_LOG("%u rounds, %u warm rentals, %u touches, %u of them SIGBUS",
		       clients[i].rounds, clients[i].warm, clients[i].touches,
		       clients[i].faults);
	}
	EXPECT_LT(self->before.steals, stats_of(self->thief).steals);
	EXPECT_TRUE(in_use_becomes(self->thief, 0));
}

TEST_HARNESS_MAIN
