// SPDX-License-Identifier: MIT
/*
 * Warm blocks: what a client keeps of what it has returned, and within which bounds.
 */
#include "warm.h"

#include <sys/resource.h>

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

/* Neither the writer nor the kernel touches a page table for it. */
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
	ASSERT_TRUE(give_all(self->fd, blocks, 8));
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
	ASSERT_TRUE(give_all(self->fd, blocks, 4));
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
/* They give way to what their own client rents, and to nothing else of it. */
TEST_F(warm, ceiling_counts_warm_blocks)
{
	struct bufpool_rent other;

	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	EXPECT_EQ(-EDQUOT, rent(self->fd, BLOCK, &other));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, rent(self->fd, 1, &other));
	EXPECT_EQ(-EDQUOT, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(0, give(self->fd, other.handle));
	EXPECT_EQ(1, warm_blocks(self->fd));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &other));
	EXPECT_EQ(0, warm_blocks(self->fd));
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
	    !give_all(fd, blocks, 10))
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
		ASSERT_EQ(10, rent_many(self->fd, PAGE << class, 10,
					blocks));
		ASSERT_TRUE(give_all(self->fd, blocks, 10));
		EXPECT_EQ(3 * (class + 1), warm_blocks(self->fd));
	}
	/* And each client. */
	EXPECT_EQ(3, warm_of_ten(self->other, 1));
	EXPECT_EQ(15, warm_blocks(self->fd));
}

/* A block over the bound has no owner: its page-table entries are gone. */
TEST_F(warm, over_the_bound_is_not_reachable)
{
	ASSERT_EQ(0, parameter_write("warm_blocks", 0));
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_TRUE(block_is_zero(self->fd, self->rent.offset, BLOCK));
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
	EXPECT_EQ(0, after.user_held);
	EXPECT_EQ(0, after.client_warm_blocks);
	EXPECT_EQ(0, after.client_warm_bytes);
}

/* 30 rents: 20 new blocks, and 10 that have been rented before. */
TEST_F(warm, counters_are_exact)
{
	/* Of a size that no other test here has used. */
	const __u64 size = 64 * PAGE;
	struct bufpool_block blocks[20], more[10];
	struct bufpool_stats after;

	ASSERT_EQ(0, parameter_write("warm_bytes", 10 * size));
	ASSERT_EQ(20, rent_many(self->fd, size, 20, blocks));
	ASSERT_TRUE(give_all(self->fd, blocks, 10));
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

static __u64 trim_size(int nr)
{
	static const unsigned int pages[3] = { 1, 16, 256 };

	return pages[nr] * PAGE;
}

FIXTURE_SETUP(trim)
{
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, parameter_write("warm_bytes", trim_size(2)));
	for (i = 0; i < 3; i++) {
		self->at[i] = rent_mapped(self->fd, trim_size(i),
					  &self->rents[i]);
		ASSERT_NE(NULL, self->at[i]);
		memset(self->at[i], 0x5a, trim_size(i));
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, give(self->fd, self->rents[i].handle));
}

FIXTURE_TEARDOWN(trim)
{
	parameters_restore();
	close(self->fd);
}

FIXTURE_VARIANT(trim)
{
	unsigned int pages;	/* the least size, in pages */
	__u64 more;		/* and in bytes */
	int spared;		/* the smaller ones, this many */
};

FIXTURE_VARIANT_ADD(trim, all) { .spared = 0 };
FIXTURE_VARIANT_ADD(trim, byte) { .more = 1, .spared = 0 };
FIXTURE_VARIANT_ADD(trim, page) { .pages = 1, .spared = 0 };
FIXTURE_VARIANT_ADD(trim, over_page) { .pages = 1, .more = 1, .spared = 1 };
FIXTURE_VARIANT_ADD(trim, middle) { .pages = 16, .spared = 1 };
FIXTURE_VARIANT_ADD(trim, large) { .pages = 16, .more = 1, .spared = 2 };
FIXTURE_VARIANT_ADD(trim, largest) { .pages = 256, .spared = 2 };
FIXTURE_VARIANT_ADD(trim, larger) { .pages = 256, .more = 1, .spared = 3 };
FIXTURE_VARIANT_ADD(trim, huge) { .more = 1ULL << 63, .spared = 3 };
FIXTURE_VARIANT_ADD(trim, most) { .more = UINT64_MAX, .spared = 3 };

TEST_F(trim, by_size)
{
	__u64 min_size = variant->pages * PAGE + variant->more;
	__s64 want = 0;
	int i;

	for (i = variant->spared; i < 3; i++)
		want += trim_size(i);
	EXPECT_EQ(want, trim(self->fd, min_size));
	EXPECT_EQ(0, trim(self->fd, min_size));
	for (i = 0; i < 3; i++) {
		bool is_spared = i < variant->spared;

		EXPECT_EQ(is_spared ? 0 : SIGBUS, touch(self->at[i]));
		ASSERT_EQ(0, rent(self->fd, trim_size(i), &self->rents[i]));
		EXPECT_EQ(is_spared, !block_is_zero(self->fd,
						    self->rents[i].offset,
						    trim_size(i)));
	}
}

/* Only the caller's, and none that is rented. */
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

TEST_HARNESS_MAIN
