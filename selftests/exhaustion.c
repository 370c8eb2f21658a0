// SPDX-License-Identifier: MIT
/*
 * Exhaustion: how much the pool gives, and how much it gives again.
 */
#include "bufpool_test.h"

#define LIMIT	(4 * MIB)
#define BLOCK	(1 * MIB)
#define MOST	2048

FIXTURE(pool)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_block *blocks;
	struct bufpool_stats before;
	unsigned int *drained;		/* blocks, by another process */
};

FIXTURE_SETUP(pool)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	self->drained = shared_alloc(sizeof(*self->drained));
	ASSERT_NE(NULL, self->drained);
}

FIXTURE_TEARDOWN(pool)
{
	close(self->fd);
	limit_restore();
}

/* How much there is ------------------------------------------------------- */

TEST_F(pool, gives_its_limit_and_no_more)
{
	struct bufpool_stats stats;
	unsigned int class;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 size = class_size(&self->info, class);
		__u32 flags = class_flags(&self->info, class);
		int fd = pool_open(), count;

		ASSERT_LE(0, fd);
		if (size > LIMIT) {
			EXPECT_EQ(-EDQUOT, rent_many_with(fd, size, flags, 1, self->blocks));
			close(fd);
			continue;
		}
		count = drain_with(fd, size, flags, self->blocks, MOST);
		EXPECT_EQ(LIMIT / size, count) {
			TH_LOG("blocks of %llu bytes", size);
		}
		EXPECT_EQ(-EAGAIN, rent_many_with(fd, size, flags, 1, self->blocks));
		ASSERT_EQ(0, pool_stats(fd, &stats));
		EXPECT_EQ(count, stats.client_blocks);
		EXPECT_LE(stats.in_use, stats.pinned);
		EXPECT_LE(stats.pinned, LIMIT);
		close(fd);
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

TEST_F(pool, full_again_after_return)
{
	struct bufpool_rent more;
	int round, count, first = 0, i;

	for (round = 0; round < 3; round++) {
		count = drain(self->fd, 64 * KIB, self->blocks, MOST);
		if (!first)
			first = count;
		ASSERT_LT(0, count);
		EXPECT_EQ(first, count);
		EXPECT_EQ(-EAGAIN, rent(self->fd, 64 * KIB, &more));
		for (i = 0; i < count; i++)
			ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(self->before.in_use, in_use(self->fd));
	}
}

TEST_F(pool, full_again_after_close)
{
	int round, fd;

	for (round = 0; round < 3; round++) {
		fd = pool_open();
		ASSERT_LE(0, fd);
		EXPECT_EQ(LIMIT / (64 * KIB),
			  drain(fd, 64 * KIB, self->blocks, MOST));
		close(fd);
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

static int drain_and_pause(void *arg)
{
	static struct bufpool_block blocks[MOST];
	int fd = pool_open(), count;

	CHECK(fd >= 0);
	count = drain(fd, 64 * KIB, blocks, MOST);
	CHECK(count > 0);
	word_set(arg, count);
	pause();
	return 0;
}

TEST_F(pool, full_again_after_kill)
{
	int round;
	pid_t pid;

	for (round = 0; round < 3; round++) {
		*self->drained = 0;
		pid = spawn(drain_and_pause, self->drained);
		ASSERT_TRUE(word_reaches(self->drained, 1));
		EXPECT_EQ(LIMIT / (64 * KIB), *self->drained);
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, reap(pid));
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

/* One returned, one to be had; not two. */
TEST_F(pool, one_for_one)
{
	struct bufpool_rent more;
	int count = drain(self->fd, 64 * KIB, self->blocks, MOST), i;

	ASSERT_LT(8, count);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(0, rent(self->fd, 64 * KIB, &more));
		EXPECT_EQ(-EAGAIN, rent(self->fd, 64 * KIB, &more));
	}
}

TEST_F(pool, rent_many_takes_what_is_there)
{
	int count = drain(self->fd, BLOCK, self->blocks, MOST);

	ASSERT_LE(3, count);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	EXPECT_EQ(2, rent_many(self->fd, BLOCK, 8, self->blocks));
	EXPECT_EQ(-EAGAIN, rent_many(self->fd, BLOCK, 8, self->blocks));
}

/* What is free in one size is no loss for another. */
TEST_F(pool, free_blocks_make_room_for_another_class)
{
	struct bufpool_rent large;
	int count, i;

	count = drain(self->fd, 1, self->blocks, MOST);
	ASSERT_EQ(LIMIT / self->info.page_size, count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	for (i = 0; i < (int)(LIMIT / BLOCK); i++)
		EXPECT_EQ(0, rent(self->fd, BLOCK, &large));
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &large));
	EXPECT_EQ(-EAGAIN, rent(self->fd, 1, &large));
}

TEST_F(pool, large_blocks_make_room_for_small_ones)
{
	int count, i;

	count = drain(self->fd, BLOCK, self->blocks, MOST);
	ASSERT_LT(0, count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	EXPECT_EQ(LIMIT / self->info.page_size,
		  drain(self->fd, 1, self->blocks, MOST));
}

/* One small block in use costs the slab it is in, not the whole pool. */
TEST_F(pool, one_small_block_leaves_the_rest)
{
	struct bufpool_rent small;

	ASSERT_EQ(0, rent(self->fd, 1, &small));
	EXPECT_EQ((LIMIT - self->info.slab_size) / BLOCK,
		  drain(self->fd, BLOCK, self->blocks, MOST));
}

/* Larger than the limit: waiting cannot help. */
TEST_F(pool, larger_than_the_limit_is_edquot)
{
	struct bufpool_rent large;

	if (self->info.max_rent <= BLOCK)
		SKIP(return, "no block is larger than the lowest limit");
	ASSERT_EQ(0, limit_write(BLOCK));
	EXPECT_EQ(-EDQUOT, rent(self->fd, BLOCK + 1, &large));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, BLOCK + 1, 0, 0, &large));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &large));
}

/* The limit as a parameter ------------------------------------------------- */

TEST_F(pool, limit_accepts_no_rubbish)
{
	const char *const rubbish[] = {
		"", "\n", "rubbish", "-1", "0", "1", "4095", "12x", "K",
		"1MM", "4M 4M", "0x400000x", "18446744073709551616",
		"18446744073709551615", "99999999999G", "17179869184G",
		"1152921504606846976",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rubbish); i++) {
		int ret = write_text(POOL_LIMIT, rubbish[i]);

		/* Nothing written is nothing changed, for sysfs itself. */
		if (rubbish[i][0]) {
			EXPECT_EQ(-EINVAL, ret) {
				TH_LOG("'%s'", rubbish[i]);
			}
		}
		EXPECT_EQ(LIMIT, limit_read());
	}
}

/* Room for one slab and one of the largest pooled blocks is the least. */
TEST_F(pool, limit_has_a_least)
{
	__u64 least = self->info.slab_size;

	EXPECT_EQ(-EINVAL, limit_write(least - 1));
	EXPECT_EQ(LIMIT, limit_read());
	EXPECT_EQ(0, limit_write(least));
	EXPECT_EQ(least, limit_read());
}

/* More than the machine has is a mistake. */
TEST_F(pool, limit_above_the_memory)
{
	__u64 memory = (__u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	EXPECT_EQ(-EINVAL, limit_write(2 * memory));
	EXPECT_EQ(LIMIT, limit_read());
	EXPECT_EQ(0, limit_write(memory / 2));
}

TEST_F(pool, limit_takes_suffixes)
{
	EXPECT_EQ(0, write_text(POOL_LIMIT, "8M"));
	EXPECT_EQ(8 * MIB, limit_read());
	EXPECT_EQ(0, write_text(POOL_LIMIT, "4096K\n"));
	EXPECT_EQ(4 * MIB, limit_read());
}

TEST_F(pool, limit_is_what_info_and_stats_say)
{
	struct bufpool_stats stats;

	ASSERT_EQ(0, limit_write(8 * MIB));
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	EXPECT_EQ(8 * MIB, self->info.limit);
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(8 * MIB, stats.limit);
}

/* Below what is in use: nothing is taken away, and nothing more given. */
TEST_F(pool, limit_below_what_is_rented)
{
	struct bufpool_rent more;
	struct bufpool_stats stats;
	int i;

	ASSERT_EQ(4, drain(self->fd, BLOCK, self->blocks, MOST));
	ASSERT_EQ(0, limit_write(2 * MIB));
	EXPECT_EQ(4 * MIB, in_use(self->fd) - self->before.in_use);
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &more));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &more));
	}
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(2 * MIB, stats.pinned);
	ASSERT_EQ(0, give(self->fd, self->blocks[2].handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &more));
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &more));
}

/* What is free goes back to the system when the limit is lowered. */
TEST_F(pool, lower_limit_frees_at_once)
{
	struct bufpool_stats stats;
	int i;

	ASSERT_EQ(4, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	ASSERT_EQ(0, limit_write(BLOCK));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_GE(BLOCK, stats.pinned);
}

TEST_HARNESS_MAIN
