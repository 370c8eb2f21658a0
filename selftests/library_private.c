// SPDX-License-Identifier: MIT
/*
 * libbufpool's private pools: how they are chosen, and what the device does for
 * other programs and they do for themselves.
 */
#include "library_private.h"

#include <handle.h>
#include <stock.h>
#include <thief.h>

#include <sys/resource.h>

static int open_in(const char *name, const char *value)
{
	struct bufpool *pool;

	setenv(name, value, 1);
	errno = 0;
	pool = bufpool_open(NULL, 0);
	if (!pool)
		return -errno;
	return bufpool_close(pool);
}

static __u64 limit_in(const char *text)
{
	struct bufpool_info info = { 0 };
	struct bufpool *pool;

	setenv("BUFPOOL_PRIVATE_LIMIT", text, 1);
	errno = 0;
	pool = bufpool_open(NULL, 0);
	if (!pool)
		return -errno;
	info_of(pool, &info);
	bufpool_close(pool);
	return info.limit;
}

static __u64 warm_bytes(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return trimmed_stats(pool, &stats) ? ~0ULL : stats.warm;
}

/* Which block of its class, as its handle says. */
static unsigned int index_of(struct bufpool *pool, const void *block)
{
	uint64_t handle = 0;

	bufpool_handle(pool, block, &handle);
	return handle >> 32 & ((1U << 27) - 1);
}

static __u64 trim_all(struct bufpool *pool, __u64 min_size)
{
	uint64_t trimmed = 0;

	if (bufpool_trim(pool, min_size, &trimmed))
		return ~0ULL;
	return trimmed;
}

/* Being chosen ----------------------------------------------------------------- */

TEST(the_flag_chooses)
{
	struct bufpool *pool;

	unsetenv("BUFPOOL_PROVIDER");
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(-ENOTTY, bufpool_fd(pool));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST(the_flag_is_for_open_without_a_device)
{
	EXPECT_EQ(-EINVAL, open_error("/dev/bufpool", BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(-EINVAL, open_error("", BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(NULL, bufpool_fdopen(0, BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
}

TEST(the_environment_chooses)
{
	struct bufpool *pool;

	EXPECT_EQ(0, open_in("BUFPOOL_PROVIDER", "private"));
	EXPECT_EQ(-EINVAL, open_in("BUFPOOL_PROVIDER", "Private"));
	EXPECT_EQ(-EINVAL, open_in("BUFPOOL_PROVIDER", ""));
	/* What the program says goes first. */
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_EQ(-ENOTTY, open_error("/dev/null", 0));
}

TEST(the_limit_is_an_eighth_of_the_memory)
{
	__u64 memory = (__u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	struct bufpool *pool = bufpool_open(NULL, 0);
	struct bufpool_info info;

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, info_of(pool, &info));
	EXPECT_GE(memory / 8, info.limit);
	EXPECT_LT(memory / 9, info.limit);
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST(the_environment_limits)
{
	static const char *const bad[] = {
		"", "0", "1", "M", "-1", " 1M", "1MB", "1m", "1.5M", "1T",
		"99999999999999999999", "99999999999999G",
	};
	size_t i;

	EXPECT_EQ(65536, limit_in("65536"));
	EXPECT_EQ(512 * KIB, limit_in("512K"));
	EXPECT_EQ(MIB, limit_in("1M"));
	EXPECT_EQ(3 * 1024 * MIB, limit_in("3G"));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ((__u64)-EINVAL, limit_in(bad[i]));
}

/* More blocks of a size than that no handle could name. */
TEST(the_limit_is_within_what_handles_name)
{
	if (sizeof(long) == 4)
		SKIP(return, "there are no addresses for so much");
	EXPECT_EQ(PAGE << BUFPOOL_HANDLE_INDEX_BITS, limit_in("511G") + (1ULL << 30));
	EXPECT_EQ(PAGE << BUFPOOL_HANDLE_INDEX_BITS, limit_in("512G"));
	EXPECT_EQ(PAGE << BUFPOOL_HANDLE_INDEX_BITS, limit_in("513G"));
	EXPECT_EQ(PAGE << BUFPOOL_HANDLE_INDEX_BITS, limit_in("17179869183G"));
}

TEST(pools_do_not_share_the_limit)
{
	struct bufpool *a, *b;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "4M", 1));
	a = bufpool_open(NULL, 0);
	b = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	EXPECT_EQ(0, rent_error(a, 4 * MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, rent_error(b, 4 * MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_error(b, SMALL, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, bufpool_close(a));
	EXPECT_EQ(0, bufpool_close(b));
}

/* Blocks, in a pool of 16 MiB --------------------------------------------------- */

TEST_F(private, more_than_the_limit_is_edquot)
{
	struct bufpool *pool;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "1M", 1));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(-EDQUOT, rent_error(pool, MIB + 1, 0));
	EXPECT_EQ(0, rent_error(pool, MIB, 0));
	EXPECT_EQ(-EDQUOT, rent_error(pool, MIB + 1, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_F(private, handles_are_told_apart)
{
	void *block = bufpool_rent(self->pool, 4 * self->page, 0);
	void *second = bufpool_rent(self->pool, 4 * self->page, 0);
	uint64_t first_handle, handle, offset;

	ASSERT_NE(NULL, second);
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &first_handle));
	ASSERT_EQ(0, bufpool_handle(self->pool, second, &handle));
	ASSERT_EQ(0, bufpool_offset(self->pool, second, &offset));
	EXPECT_EQ(2U << 27, first_handle >> 32);
	EXPECT_EQ((2U << 27) + 1, handle >> 32);
	EXPECT_EQ(self->pool->classes.of[2].offset + 4 * self->page, offset);

	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle + 1));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle & ~0U << 31 << 1));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle + (1000ULL << 32)));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle + (1ULL << 59)));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, NO_HANDLE));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, 0));
	EXPECT_EQ(1, return_handle(self->pool, first_handle));
	EXPECT_EQ(-ESTALE, return_handle(self->pool, first_handle));
	EXPECT_EQ(1, return_handle(self->pool, handle));
	EXPECT_EQ(-ESTALE, return_handle(self->pool, handle));
}

TEST_F(private, block_never_rented_is_not_there)
{
	char *block = bufpool_rent(self->pool, self->page, 0);
	unsigned char byte;

	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, poke(block, 1));
	EXPECT_EQ(SIGSEGV, peek(block + 1000 * self->page, &byte));
	EXPECT_EQ(SIGSEGV, poke(block + 1000 * self->page, 1));
	EXPECT_EQ(SIGSEGV, peek(self->pool->window.base +
				self->pool->classes.span, &byte));
}

TEST_F(private, a_revoked_block_is_gone_and_comes_back_zero)
{
	static const unsigned int flags[] = {
		BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE,
	};
	size_t i, size;
	char *block, *again;
	unsigned char byte;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		for (size = self->page; size <= 4 * MIB; size *= 2) {
			block = bufpool_rent(self->pool, size, 0);
			ASSERT_NE(NULL, block);
			memset(block, 0x5a, size);
			ASSERT_EQ(0, bufpool_return(self->pool, block, flags[i]));
			EXPECT_EQ(SIGSEGV, peek(block, &byte));
			EXPECT_EQ(SIGSEGV, poke(block + size - 1, 1));
			/* or another one that is kept would come */
			ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
			again = bufpool_rent(self->pool, size, 0);
			ASSERT_EQ(block, again);
			EXPECT_TRUE(filled(again, 0, size));
			ASSERT_EQ(0, bufpool_return(self->pool, again, flags[i]));
		}
	}
}

TEST_F(private, a_warm_block_has_its_bytes_unless_zero_is_asked_for)
{
	char *block = bufpool_rent(self->pool, MIB, 0);

	ASSERT_NE(NULL, block);
	memset(block, 0x5a, MIB);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(block, bufpool_rent(self->pool, MIB, 0));
	EXPECT_TRUE(filled(block, 0x5a, MIB));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(block, bufpool_rent(self->pool, MIB, BUFPOOL_RENT_ZERO));
	EXPECT_TRUE(filled(block, 0, MIB));
}

TEST_F(private, the_largest_are_not_kept)
{
	char *block = bufpool_rent(self->pool, 2 * MIB, 0);

	ASSERT_NE(NULL, block);
	memset(block, 0x5a, 2 * MIB);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, warm_bytes(self->pool));
	ASSERT_EQ(block, bufpool_rent(self->pool, 2 * MIB, 0));
	EXPECT_TRUE(filled(block, 0, 2 * MIB));
}

/* Counted across the caches that threads may have above this. */
static int indices_below(struct bufpool *pool, unsigned int end, int count)
{
	int below = 0;
	void *block;

	while (count--) {
		block = bufpool_rent(pool, 4 * MIB, BUFPOOL_RENT_NONBLOCK);
		below += block && index_of(pool, block) < end;
	}
	return below;
}

TEST_F(private, the_lowest_number_goes_first)
{
	void *blocks[4];

	ASSERT_EQ(4, bufpool_rent_many(self->pool, 4 * MIB, 0, blocks, 4));
	EXPECT_EQ(3, index_of(self->pool, blocks[3]));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[2], 0));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[1], 0));
	EXPECT_EQ(2, indices_below(self->pool, 2, 2));
	EXPECT_EQ(1, indices_below(self->pool, 3, 1));
}

TEST_F(private, up_to_two_larger_sizes_serve)
{
	void *large, *block;

	large = bufpool_rent(self->pool, 4 * self->page, 0);
	ASSERT_NE(NULL, large);
	while (bufpool_rent(self->pool, self->page, BUFPOOL_RENT_NONBLOCK))
		;
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, bufpool_return(self->pool, large, 0));
	block = bufpool_rent(self->pool, self->page, BUFPOOL_RENT_NONBLOCK);
	EXPECT_EQ(large, block);
	EXPECT_EQ(4 * self->page, bufpool_block_size(self->pool, block));
}

TEST_F(private, warm_blocks_give_way)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };
	void *blocks[64];
	int i;

	for (i = 0; i < 64; i++) {
		blocks[i] = bufpool_rent(self->pool, 16 * self->page, 0);
		ASSERT_NE(NULL, blocks[i]);
	}
	EXPECT_EQ(64, bufpool_return_many(self->pool, blocks, 64, 0));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, rent_error(self->pool, 4 * MIB,
					BUFPOOL_RENT_NONBLOCK));
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(0, stats.warm);
	EXPECT_EQ(SMALL_LIMIT, stats.in_use);
	EXPECT_EQ(SMALL_LIMIT, stats.pinned);
	EXPECT_LT(0, stats.steals);
}

TEST_F(private, open_beyond_the_largest_file_is_efbig)
{
	struct rlimit limit = { 64 * MIB, RLIM_INFINITY };
	int fd = next_fd();

	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(-EFBIG, open_error(NULL, 0));
	EXPECT_EQ(fd, next_fd());
}

/* Memory ------------------------------------------------------------------------ */

TEST_F(private, idle_memory_beyond_a_bound_goes_back)
{
	void *blocks[12];
	int i;

	ASSERT_EQ(12, bufpool_rent_many(self->pool, MIB, 0, blocks, 12));
	for (i = 0; i < 12; i++)
		memset(blocks[i], 1, MIB);
	EXPECT_EQ(12 * 1024, memory_kib());
	ASSERT_EQ(12, bufpool_return_many(self->pool, blocks, 12, 0));
	EXPECT_GE(SMALL_LIMIT / 4, warm_bytes(self->pool));
	EXPECT_GE((long)(SMALL_LIMIT / 4 / KIB), memory_kib());
}

TEST_F(private, trim_gives_all_of_it_back)
{
	void *blocks[32];
	int i;

	ASSERT_EQ(32, bufpool_rent_many(self->pool, 16 * self->page, 0, blocks,
					32));
	for (i = 0; i < 32; i++)
		memset(blocks[i], 1, 16 * self->page);
	ASSERT_EQ(32, bufpool_return_many(self->pool, blocks, 32, 0));
	EXPECT_EQ(0, trim_all(self->pool, 16 * self->page + 1));
	EXPECT_EQ(32 * 16 * self->page, trim_all(self->pool, 16 * self->page));
	EXPECT_EQ(0, trim_all(self->pool, 0));
	EXPECT_EQ(0, warm_bytes(self->pool));
	EXPECT_EQ(0, memory_kib());
	EXPECT_EQ(SIGSEGV, touch(blocks[0]));
}

/* Numbers ------------------------------------------------------------------------ */

TEST_F(exhausted, stats_tell_why_rents_failed)
{
	struct bufpool_stats before = { .size = sizeof(before) }, after = before;

	ASSERT_EQ(0, bufpool_stats(self->pool, &before));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, SMALL, BUFPOOL_RENT_NONBLOCK));
	ASSERT_EQ(0, bufpool_stats(self->pool, &after));
	EXPECT_EQ(before.refused_again + 1, after.refused_again);
	EXPECT_EQ(before.client_refused_again + 1, after.client_refused_again);
	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, SMALL, 0, 1));
	ASSERT_EQ(0, bufpool_stats(self->pool, &after));
	EXPECT_EQ(before.timeouts + 1, after.timeouts);
	EXPECT_EQ(before.client_timeouts + 1, after.client_timeouts);
	EXPECT_EQ(before.waits + 1, after.waits);
	EXPECT_EQ(-EDQUOT, rent_error(self->pool, 2 * SMALL_LIMIT, BUFPOOL_RENT_IO));
	ASSERT_EQ(0, bufpool_stats(self->pool, &after));
	EXPECT_EQ(before.refused_quota + 1, after.refused_quota);
	EXPECT_EQ(before.client_refused_quota + 1, after.client_refused_quota);
	EXPECT_EQ(before.refused_memory, after.refused_memory);
	EXPECT_EQ(before.rents, after.rents);
}

TEST_F(private, stats_tell_of_the_only_client)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };
	/* without others to keep */
	void *block = bufpool_rent(self->pool, MIB, BUFPOOL_RENT_ZERO), *other;
	uint64_t handle;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &handle));
	ASSERT_EQ(1, return_handle(self->pool, handle));
	other = bufpool_rent(self->pool, 2 * MIB, 0);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, bufpool_stats(self->pool, &stats));
	EXPECT_EQ(1, stats.clients);
	EXPECT_EQ(~0ULL, stats.client_ceiling);
	EXPECT_EQ(~0ULL, stats.user_quota);
	EXPECT_EQ(SMALL_LIMIT, stats.limit);
	EXPECT_EQ(2 * MIB, stats.in_use);
	EXPECT_EQ(2 * MIB, stats.client_bytes);
	EXPECT_EQ(1, stats.client_blocks);
	EXPECT_EQ(MIB, stats.warm);
	EXPECT_EQ(MIB, stats.client_warm_bytes);
	EXPECT_EQ(1, stats.client_warm_blocks);
	EXPECT_EQ(3 * MIB, stats.pinned);
	EXPECT_EQ(3 * MIB, stats.user_held);
	EXPECT_EQ(2, stats.rents);
	EXPECT_EQ(2, stats.client_rents);
	EXPECT_EQ(0, stats.reused);
	EXPECT_EQ(0, stats.client_warm_rents);
	EXPECT_EQ(1, stats.returns);
	EXPECT_EQ(1, stats.client_returns);
	EXPECT_EQ(0, stats.kept);
	/* what is rented again, and what is kept */
	ASSERT_EQ(0, rent_error(self->pool, MIB, BUFPOOL_RENT_ZERO));
	other = bufpool_rent(self->pool, SMALL, 0);
	ASSERT_EQ(0, bufpool_return(self->pool, other, 0));
	ASSERT_EQ(0, bufpool_stats(self->pool, &stats));
	EXPECT_EQ(1, stats.reused);
	EXPECT_EQ(1, stats.client_warm_rents);
	EXPECT_EQ(0, stats.warm);
	EXPECT_LE(1, stats.client_kept_blocks);
	EXPECT_EQ(stats.client_kept_blocks * self->page, stats.client_kept_bytes);
	EXPECT_EQ(stats.client_kept_bytes, stats.kept);
}

/* After 2^32 rentals they begin anew: no block has none. */
TEST(generations_begin_with_one)
{
	struct bufpool_stock_block block = { .generation = ~0U };
	struct bufpool_grant grant = { 0 };
	struct bufpool_stock stock = {
		.memory.nr_classes = 1,
		.classes[0] = { .blocks = &block, .nr_blocks = 1 },
	};

	bufpool_stock_begin(&stock, &grant, false);
	EXPECT_EQ(1, block.generation);
	EXPECT_EQ(0, bufpool_stock_find(&stock, bufpool_stock_handle(&stock, &grant), &grant));
}

/* What threads keep --------------------------------------------------------------- */

static __u64 kept_blocks(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.client_kept_blocks;
}

/* Rent until there is nothing any more, and return @count blocks of @size, which are kept. */
static bool exhaust_and_keep(struct bufpool *pool, size_t size, unsigned int count)
{
	static void *blocks[512];
	unsigned int i;

	if (bufpool_rent_many(pool, size, 0, blocks, count) != (int)count)
		return false;
	while (!rent_error(pool, MIB, BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_ZERO))
		;
	while (!rent_error(pool, SMALL, BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_ZERO))
		;
	for (i = 0; i < count; i++)
		if (bufpool_return(pool, blocks[i], 0))
			return false;
	return kept_blocks(pool) == count;
}

/* The owner goes on with the other half. */
TEST_F(private, shortage_takes_half_of_a_stack)
{
	ASSERT_TRUE(exhaust_and_keep(self->pool, 2 * PAGE, 60));
	EXPECT_EQ(0, rent_error(self->pool, 4 * PAGE, BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_ZERO));
	EXPECT_EQ(30, kept_blocks(self->pool));
}

/* And no more than it has room for to look at, however much there is. */
TEST_F(private, shortage_takes_a_batch_at_most)
{
	unsigned int i, kept = BUFPOOL_HALF_MAX * (BUFPOOL_CACHE_HALVES + BUFPOOL_DEPOT_HALVES);

	ASSERT_TRUE(exhaust_and_keep(self->pool, 2 * PAGE, kept));
	/* of the thread, and of the depot */
	for (i = 1; i <= 2; i++) {
		EXPECT_EQ(0, rent_error(self->pool, 128 * PAGE,
					BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_ZERO));
		EXPECT_EQ(kept - i * BUFPOOL_THIEF_BATCH, kept_blocks(self->pool));
	}
}

static unsigned int count_in(const struct bufpool_magazine *magazine)
{
	return bufpool_stack_count(bufpool_magazine_stack(magazine));
}

/* Those that were not taken from for longest go first. */
TEST_F(private, shortage_takes_from_each_stack_in_turn)
{
	struct bufpool_magazine *magazines;
	void *block = bufpool_rent(self->pool, 4 * PAGE, 0);
	void *more[8];
	int i;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(8, bufpool_rent_many(self->pool, 4 * PAGE, 0, more, 8));
	ASSERT_TRUE(exhaust_and_keep(self->pool, 2 * PAGE, 16));
	magazines = bufpool_mine->cache->magazines;
	ASSERT_EQ(8, bufpool_return_many(self->pool, more, 8, 0));
	ASSERT_EQ(16, count_in(&magazines[1]));
	ASSERT_EQ(8, count_in(&magazines[2]));
	/* for each half of one of them is just enough */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, rent_error(self->pool, 16 * PAGE,
					BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_ZERO));
	EXPECT_EQ(8, count_in(&magazines[1]));
	EXPECT_EQ(4, count_in(&magazines[2]));
}

/* Programs may write into their stacks what they like: it is no block that somebody has. */
TEST_F(private, what_is_no_block_is_not_taken_from_a_stack)
{
	void *held_one = bufpool_rent(self->pool, 2 * PAGE, BUFPOOL_RENT_ZERO);
	struct bufpool_stats before = { .size = sizeof(before) }, after = before;
	struct bufpool_place place;
	struct bufpool_stack *stack;
	size_t unit;

	ASSERT_NE(NULL, held_one);
	place = bufpool_window_place(&self->pool->window, held_one);
	unit = bufpool_window_unit(&self->pool->window, &place);
	stack = bufpool_mine->cache->magazines[1].stack;
	ASSERT_EQ(0, bufpool_stack_count(stack));
	/* the middle of a block that the program has, and some that nobody ever had */
	bufpool_stack_push(stack, stack->top + 1, unit + 1);
	bufpool_stack_push(stack, stack->top + 1, unit + 1000);
	bufpool_stack_push(stack, stack->top + 1, ~1U);
	ASSERT_EQ(0, bufpool_stats(self->pool, &before));
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	ASSERT_EQ(0, bufpool_stats(self->pool, &after));
	EXPECT_EQ(0, bufpool_stack_count(stack));
	EXPECT_EQ(before.returns, after.returns);
	EXPECT_EQ(before.in_use, after.in_use);
	EXPECT_EQ(0, bufpool_return(self->pool, held_one, BUFPOOL_RETURN_REVOKE));
}

/* A rental that is over already, by others, keeps none of the others back. */
TEST_F(private, what_is_refused_does_not_end_giving)
{
	__u64 handles[3];
	void *blocks[3];
	int i;

	ASSERT_EQ(3, bufpool_rent_many(self->pool, MIB, BUFPOOL_RENT_ZERO, blocks, 3));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, bufpool_handle(self->pool, blocks[i], (uint64_t *)&handles[i]));
	ASSERT_EQ(1, return_handle(self->pool, handles[1]));
	EXPECT_EQ(2, rented_of(self->pool));
	bufpool_provider_give(&self->pool->provider, handles, 3);
	EXPECT_EQ(0, rented_of(self->pool));
}

/* The table of the stacks that are used grows with them. */
TEST(a_thief_knows_every_stack)
{
	struct bufpool_thief thief = { .page_size = PAGE, .nr_classes = 7 };
	unsigned int nr;

	thief.pages = mmap(NULL, 2100 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, thief.pages);
	for (nr = 0; nr < 2000; nr++)
		ASSERT_EQ(0, bufpool_thief_open(&thief, nr));
	for (nr = 0; nr < 2000; nr++) {
		ASSERT_EQ(nr, thief.used[nr]);
		ASSERT_EQ(0, bufpool_thief_stack(&thief, nr)->top);
	}
	/* sets as a whole, and no more of them */
	EXPECT_EQ(2002, thief.nr_accessible);
	bufpool_thief_destroy(&thief);
}

TEST_HARNESS_MAIN
