// SPDX-License-Identifier: MIT
/*
 * libbufpool: what libbufpool(3) says under RETURN VALUES and ERRORS.
 */
#include "library_test.h"

/* Opening and closing ------------------------------------------------------ */

TEST(version_is_three_numbers)
{
	int major, minor, patch, count;
	char after;

	count = sscanf(bufpool_version(), "%d.%d.%d%c", &major, &minor, &patch,
		       &after);
	EXPECT_EQ(3, count);
}

TEST(open_refusals)
{
	int fd = next_fd();

	EXPECT_EQ(-EINVAL, open_error(NULL, BAD_FLAG));
	EXPECT_EQ(-EINVAL, open_error("/dev/null", BAD_FLAG));
	EXPECT_EQ(-ENOENT, open_error("/nonexistent", 0));
	EXPECT_EQ(-ENOTTY, open_error("/dev/null", 0));
	EXPECT_EQ(fd, next_fd());
}

TEST_F(library, null_pool_is_einval)
{
	void *block = self;
	uint64_t value;

	EXPECT_EQ(-EINVAL, rent_error(NULL, 1, 0));
	EXPECT_EQ(-EINVAL, timed_error(NULL, 1, 0, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(NULL, 1, 0, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_return(NULL, block, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(NULL, &block, 1, 0));
	EXPECT_EQ(-EINVAL, size_error(NULL, block));
	EXPECT_EQ(-EINVAL, bufpool_handle(NULL, block, &value));
	EXPECT_EQ(-EINVAL, bufpool_offset(NULL, block, &value));
	EXPECT_EQ(-EINVAL, adopt_error(NULL, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_fd(NULL));
	EXPECT_EQ(-EINVAL, bufpool_close(NULL));
}

TEST_F(library, pools_are_apart)
{
	struct bufpool *other = bufpool_open(NULL, 0);

	ASSERT_NE(NULL, other);
	EXPECT_TRUE(are_apart(self->pool, other));
	EXPECT_EQ(0, bufpool_close(other));
}

/* Sanitizers map more as they go along: for a while, or for little. */
TEST_F(library, close_leaves_nothing_behind)
{
	int fds = 0, maps = 0, slack = SANITIZED ? 20 : 0, i;
	struct bufpool *pool;
	long size = 0;

	for (i = 0; i < 10; i++) {
		pool = bufpool_open(NULL, 0);
		ASSERT_NE(NULL, pool);
		ASSERT_NE(NULL, bufpool_rent(pool, 1, 0));
		ASSERT_NE(NULL, bufpool_rent(pool, large_block(&self->info), 0));
		ASSERT_EQ(0, bufpool_close(pool));
		/* The first few find the heap's final shape. */
		if (i != 4)
			continue;
		fds = count_entries("/proc/self/fd");
		maps = count_maps();
		size = status_kib("VmSize:");
	}
	EXPECT_EQ(fds, count_entries("/proc/self/fd"));
	EXPECT_GE(maps + slack, count_maps());
	if (!SANITIZED && !in_valgrind())
		EXPECT_EQ(size, status_kib("VmSize:"));
}

/* Blocks of several sizes in every state; whatever the tables for them had to grow */
static bool use_and_close(struct bufpool *pool)
{
	static void *blocks[1000];
	int poller = bufpool_poller(pool, 1);
	bool ret = pool && poller >= 0;

	ret &= bufpool_rent_many(pool, 1, 0, blocks, 1000) == 1000 &&
	       bufpool_return_many(pool, blocks, 300, 0) == 300 &&
	       bufpool_return_many(pool, blocks + 300, 300, BUFPOOL_RETURN_REVOKE) == 300 &&
	       bufpool_rent(pool, 100000, 0) && bufpool_rent(pool, 1, BUFPOOL_RENT_IO) &&
	       !bufpool_trim(pool, 0, NULL);
	close(poller);
	return !bufpool_close(pool) && ret;
}

TEST_F(library, close_frees_what_was_allocated)
{
	int fds = 0, i;
	size_t before = 0;

	if (SANITIZED || in_valgrind())
		SKIP(return, "it allocates in another way");
	for (i = 0; i < 2 * MANY_TIMES; i++) {
		if (i == MANY_TIMES) {
			before = allocated();
			fds = count_entries("/proc/self/fd");
		}
		ASSERT_TRUE(use_and_close(bufpool_open(NULL, 0)));
	}
	EXPECT_FALSE(has_lost(before, allocated()));
	EXPECT_EQ(fds, count_entries("/proc/self/fd"));
}

TEST_F(library, open_takes_no_memory)
{
	long before = status_kib("VmRSS:");
	struct bufpool *pool;

	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_GT(before + 1024, status_kib("VmRSS:"));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Whatever the pools cover, only what they use may become resident. */
TEST_F(library, mlockall_takes_little_memory)
{
	struct bufpool *pool;
	char *block, *later;
	long before;

	/* Sanitizers need a multiple of what the thread's cache takes. */
	ASSERT_EQ(0, bufpool_return(self->pool, bufpool_rent(self->pool, 1, 0), 0));
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	before = status_kib("VmRSS:");
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, block);
	*block = 1;
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	later = bufpool_rent(pool, 1, 0);
	ASSERT_NE(NULL, later);
	*later = 1;
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	EXPECT_GT(before + 1024, status_kib("VmRSS:"));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Renting ------------------------------------------------------------------- */

TEST_F(library, rent_refusals)
{
	struct bufpool *pool = self->pool;

	EXPECT_EQ(-EINVAL, rent_error(pool, 0, 0));
	EXPECT_EQ(-EMSGSIZE, rent_error(pool, SIZE_MAX, 0));
	EXPECT_EQ(-EMSGSIZE, rent_error(pool, large_block(&self->info) + 1, 0));
	EXPECT_EQ(-EINVAL, rent_error(pool, 1, BAD_FLAG));
	EXPECT_EQ(-EINVAL, timed_error(pool, 0, 0, 1));
	EXPECT_EQ(-EMSGSIZE, timed_error(pool, SIZE_MAX, 0, 1));
	EXPECT_EQ(-EINVAL, timed_error(pool, 1, BAD_FLAG, 1));
	EXPECT_EQ(-EINVAL, timed_error(pool, 1, 0, BUFPOOL_FOREVER - 1));
	EXPECT_EQ(-EINVAL, timed_error(pool, 1, 0, INT64_MIN));
	EXPECT_TRUE(untouched(self->pool, &self->before));
}

TEST_F(library, rent_many_refusals)
{
	struct bufpool *pool = self->pool;
	void *block = self;

	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 0, 0, &block, 1));
	EXPECT_EQ(-EMSGSIZE, bufpool_rent_many(pool, SIZE_MAX, 0, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, BAD_FLAG, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, NULL, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, &block, 0));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, &block, INT_MAX + 1U));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, &block, UINT_MAX));
	EXPECT_EQ((void *)self, block);
	EXPECT_TRUE(untouched(self->pool, &self->before));
}

TEST_F(library, blocks_are_large_enough_aligned_and_zero)
{
	size_t size, block_size;
	char *block;

	for (size = self->info.page_size; size <= large_block(&self->info); size *= 2) {
		block = bufpool_rent(self->pool, size, BUFPOOL_RENT_ZERO);
		ASSERT_NE(NULL, block);
		block_size = bufpool_block_size(self->pool, block);
		EXPECT_EQ(size, block_size);
		EXPECT_EQ(0, (uintptr_t)block % block_size);
		EXPECT_TRUE(filled(block, 0, block_size));
		memset(block, 0xa5, block_size);
		EXPECT_EQ(0, bufpool_return(self->pool, block, 0));

		block = bufpool_rent(self->pool, size - 1, BUFPOOL_RENT_ZERO);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(size, bufpool_block_size(self->pool, block));
		EXPECT_TRUE(filled(block, 0, size));
		EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	}
}

static void *return_soon(void *argument)
{
	void **job = argument;

	sleep_ms(50);
	return (void *)(intptr_t)bufpool_return(job[0], job[1], 0);
}

TEST_F(exhausted, nonblocking_rent_is_eagain)
{
	int count = held(self->pool);
	void *block = self;

	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size,
				      BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-EAGAIN, timed_error(self->pool, self->size,
				       BUFPOOL_RENT_NONBLOCK, NSEC_PER_MSEC));
	EXPECT_EQ(-EAGAIN, bufpool_rent_many(self->pool, self->size,
					     BUFPOOL_RENT_NONBLOCK, &block, 1));
	EXPECT_EQ((void *)self, block);
	EXPECT_EQ(count, held(self->pool));
}

TEST_F(exhausted, timeout_is_etimedout)
{
	int count = held(self->pool);
	__u64 start = now_ms();

	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, 0,
					  20 * NSEC_PER_MSEC));
	EXPECT_LE(start + 20, now_ms() + 1);
	EXPECT_EQ(count, held(self->pool));
}

TEST_F(exhausted, return_lets_the_next_rent_go_on)
{
	void *job[] = { self->pool, self->block };
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, return_soon, job));
	EXPECT_EQ(0, timed_error(self->pool, self->size, 0, INT64_MAX));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size,
				      BUFPOOL_RENT_NONBLOCK));
}

TEST_F(exhausted, rent_many_waits_for_the_first_only)
{
	void *job[] = { self->pool, self->block };
	pthread_t thread;
	void *blocks[2];

	ASSERT_EQ(0, pthread_create(&thread, NULL, return_soon, job));
	EXPECT_EQ(1, bufpool_rent_many(self->pool, self->size, 0, blocks, 2));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* Returning ----------------------------------------------------------------- */

TEST_F(library, foreign_pointer_is_refused)
{
	size_t page = self->info.page_size;
	char *block = bufpool_rent(self->pool, 4 * page, 0);
	char *last = bufpool_rent(self->pool, large_block(&self->info), 0);
	struct bufpool_stats stats;
	int local;

	ASSERT_NE(NULL, block);
	ASSERT_NE(NULL, last);
	memset(block, 0x5a, 4 * page);
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));

	EXPECT_EQ(-EINVAL, block_error(self->pool, NULL));
	EXPECT_EQ(-ENOENT, block_error(self->pool, &local));
	EXPECT_EQ(-ENOENT, block_error(self->pool, self->pool));
	EXPECT_EQ(-ENOENT, block_error(self->pool, (void *)1));
	EXPECT_EQ(-ENOENT, block_error(self->pool, (void *)UINTPTR_MAX));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block + 1));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block + page));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block + 4 * page - 1));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block - 1));
	/* In the window, and never rented by this pool. */
	EXPECT_EQ(-ENOENT, block_error(self->pool, block + 4000 * page));
	EXPECT_EQ(-ENOENT, block_error(self->pool,
				       last + 16 * large_block(&self->info)));

	EXPECT_TRUE(untouched(self->pool, &stats));
	EXPECT_TRUE(filled(block, 0x5a, 4 * page));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, bufpool_return(self->pool, last, 0));
}

TEST_F(library, a_returned_block_is_estale)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	struct bufpool_stats stats;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
	EXPECT_TRUE(untouched(self->pool, &stats));
}

TEST_F(library, a_refused_return_leaves_the_block)
{
	char *block = bufpool_rent(self->pool, 1, 0);
	void *array[] = { block };
	struct bufpool_stats stats;

	ASSERT_NE(NULL, block);
	*block = 0x5a;
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(-EINVAL, bufpool_return(self->pool, block, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array, 1, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array,
					       INT_MAX + 1U, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array, UINT_MAX, 0));
	EXPECT_EQ(-EINVAL, bufpool_handle(self->pool, block, NULL));
	EXPECT_EQ(-EINVAL, bufpool_offset(self->pool, block, NULL));
	EXPECT_TRUE(untouched(self->pool, &stats));
	EXPECT_EQ(0x5a, *block);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

TEST_F(library, every_return_flag_is_taken)
{
	static const unsigned int flags[] = {
		BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE,
		BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE,
	};
	unsigned char byte;
	void *block;
	int i;

	for (i = 0; i < 3; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(0, poke(block, 1));
		EXPECT_EQ(0, bufpool_return(self->pool, block, flags[i]));
		EXPECT_EQ(gone_signal(), peek(block, &byte));
	}
}

static int compare_pointers(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return (x > y) - (x < y);
}

/* Whatever is refused in between, no block has two renters. */
TEST_F(library, a_double_return_never_makes_two_of_one)
{
	void *blocks[64], *twice;
	int i;

	twice = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, twice);
	ASSERT_EQ(0, bufpool_return(self->pool, twice, 0));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(-ESTALE, bufpool_return(self->pool, twice, 0));
	for (i = 0; i < 64; i++) {
		blocks[i] = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, blocks[i]);
	}
	qsort(blocks, 64, sizeof(*blocks), compare_pointers);
	for (i = 1; i < 64; i++)
		EXPECT_NE(blocks[i - 1], blocks[i]);
	EXPECT_EQ(64, bufpool_return_many(self->pool, blocks, 64, 0));
}

/* Many ---------------------------------------------------------------------- */

static int compare_handles(const void *a, const void *b)
{
	const __u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

FIXTURE(many)
{
	struct bufpool *pool;
	char *blocks[5000];
	uint64_t handles[5000];
	size_t size;
};

FIXTURE_VARIANT(many)
{
	int count;
};

FIXTURE_VARIANT_ADD(many, one) { .count = 1 };
FIXTURE_VARIANT_ADD(many, batch) { .count = 256 };
FIXTURE_VARIANT_ADD(many, batch_and_one) { .count = 257 };
FIXTURE_VARIANT_ADD(many, thousand) { .count = 1000 };
FIXTURE_VARIANT_ADD(many, thousands) { .count = 5000 };

FIXTURE_SETUP(many)
{
	int i;

	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(variant->count, bufpool_rent_many(self->pool, 1, 0,
						    (void **)self->blocks,
						    variant->count));
	self->size = bufpool_block_size(self->pool, self->blocks[0]);
	for (i = 0; i < variant->count; i++)
		ASSERT_EQ(0, bufpool_handle(self->pool, self->blocks[i],
					    &self->handles[i]));
}

FIXTURE_TEARDOWN(many)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

TEST_F(many, blocks_are_distinct)
{
	int i;

	EXPECT_EQ(variant->count, held(self->pool));
	for (i = 0; i < variant->count; i++)
		memset(self->blocks[i], i, self->size);
	for (i = 0; i < variant->count; i++)
		EXPECT_TRUE(filled(self->blocks[i], i & 0xff, self->size));

	qsort(self->blocks, variant->count, sizeof(char *), compare_pointers);
	qsort(self->handles, variant->count, sizeof(__u64), compare_handles);
	for (i = 1; i < variant->count; i++) {
		EXPECT_LE(self->blocks[i - 1] + self->size, self->blocks[i]);
		EXPECT_LT(self->handles[i - 1], self->handles[i]);
	}
}

TEST_F(many, all_are_returned)
{
	int i;

	EXPECT_EQ(variant->count,
		  bufpool_return_many(self->pool, (void **)self->blocks,
				      variant->count, 0));
	EXPECT_EQ(0, held(self->pool));
	for (i = 0; i < variant->count; i++)
		EXPECT_EQ(-ESTALE, block_error(self->pool, self->blocks[i]));
}

TEST_F(many, one_by_one_too)
{
	int i;

	for (i = 0; i < variant->count; i++)
		EXPECT_EQ(0, bufpool_return(self->pool, self->blocks[i], 0));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(many, return_stops_at_what_is_refused)
{
	int count = variant->count, bad = count / 2, rest = count - bad - 1;
	char *swapped = self->blocks[bad];

	self->blocks[bad] = (char *)self;
	if (bad)
		EXPECT_EQ(bad, bufpool_return_many(self->pool,
						   (void **)self->blocks,
						   count, 0));
	EXPECT_EQ(-ENOENT, bufpool_return_many(self->pool,
					       (void **)self->blocks + bad,
					       rest + 1, 0));
	EXPECT_EQ(rest + 1, held(self->pool));

	self->blocks[bad] = swapped;
	EXPECT_EQ(rest + 1, bufpool_return_many(self->pool,
						(void **)self->blocks + bad,
						rest + 1, 0));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(library, a_block_named_twice_is_returned_once)
{
	void *blocks[3];

	ASSERT_EQ(2, bufpool_rent_many(self->pool, 1, 0, blocks, 2));
	blocks[2] = blocks[1];
	blocks[1] = blocks[0];
	EXPECT_EQ(1, bufpool_return_many(self->pool, blocks, 3, 0));
	EXPECT_EQ(-ESTALE, bufpool_return_many(self->pool, blocks + 1, 2, 0));
	EXPECT_EQ(1, held(self->pool));
	EXPECT_EQ(1, bufpool_return_many(self->pool, blocks + 2, 1, 0));
}

TEST_HARNESS_MAIN
