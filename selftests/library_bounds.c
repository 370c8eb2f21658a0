// SPDX-License-Identifier: MIT
/*
 * libbufpool's private pools at their bounds: as much as handles can name, as many threads
 * as there are stacks for, and what is in those that no thread has put there.
 */
#include "library_test.h"

/* This program is about nothing else: before it asks for a device. */
static void __attribute__((constructor(101))) choose_private(void)
{
	setenv("BUFPOOL_PROVIDER", "private", 1);
}

static uint64_t waiting_in(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.waiting;
}

/* Return the block as soon as somebody waits. */
static void *return_when_awaited(void *argument)
{
	struct idler *idler = argument;

	if (!BECOMES(waiting_in(idler->pool) == 1) ||
	    bufpool_return(idler->pool, idler->block, 0))
		return NULL;
	return idler;
}

/* What is free is looked through first, and there is nothing. */
TEST(a_strict_rent_waits_for_what_comes_back)
{
	struct idler idler = { .size = MIB };
	pthread_t thread;
	void *block, *result;

	ASSERT_EQ(0, setenv("BUFPOOL_STRICT", "1", 1));
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "1M", 1));
	idler.pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, idler.pool);
	idler.block = bufpool_rent(idler.pool, MIB, 0);
	ASSERT_NE(NULL, idler.block);
	EXPECT_EQ(-EAGAIN, rent_error(idler.pool, MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-ETIMEDOUT, timed_error(idler.pool, MIB, 0, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, return_when_awaited, &idler));
	block = bufpool_rent(idler.pool, MIB, 0);
	EXPECT_EQ(idler.block, block);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&idler, result);
	EXPECT_EQ(0, bufpool_return(idler.pool, block, 0));
	EXPECT_EQ(0, bufpool_close(idler.pool));
}

static void *rent_and_return(void *argument)
{
	struct idler *idler = argument;
	void *block = bufpool_rent(idler->pool, idler->size, 0);

	return block && !bufpool_return(idler->pool, block, 0) ? idler : NULL;
}

/* Such a rent is not to wait behind the others, for what never comes. */
TEST(more_than_the_limit_is_edquot_while_others_wait)
{
	struct idler idler = { .size = MIB };
	pthread_t thread;
	void *block, *result;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "1M", 1));
	idler.pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, idler.pool);
	block = bufpool_rent(idler.pool, MIB, 0);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, pthread_create(&thread, NULL, rent_and_return, &idler));
	ASSERT_TRUE(BECOMES(waiting_in(idler.pool) == 1));
	EXPECT_EQ(-EDQUOT, rent_error(idler.pool, 2 * MIB, 0));
	EXPECT_EQ(0, bufpool_return(idler.pool, block, 0));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&idler, result);
	EXPECT_EQ(0, bufpool_close(idler.pool));
}

#if __SIZEOF_LONG__ == 8

TEST(a_limit_is_at_most_what_handles_can_name)
{
	struct bufpool_info info;
	struct bufpool *pool;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "1048576G", 1));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, info_of(pool, &info));
	EXPECT_EQ((__u64)PAGE << 27, info.limit);
	EXPECT_EQ(0, rent_error(pool, 1, 0));
	EXPECT_EQ(0, bufpool_close(pool));
}

#endif

/* A thread without a set of stacks keeps nothing: what it returns is the pool's at once. */
TEST_F(library, threads_beyond_the_sets_of_stacks_keep_nothing)
{
	struct bufpool_provider *provider = &self->pool->provider;
	struct idler idler = { .pool = self->pool, .size = MIB };
	unsigned int stacks = provider->nr_stacks;

	provider->nr_stacks = provider->nr_classes;
	EXPECT_EQ(&idler, in_thread(rent_and_return, &idler));
	EXPECT_EQ(0, rented_of(self->pool));
	provider->nr_stacks = stacks;
	EXPECT_EQ(&idler, in_thread(rent_and_return, &idler));
	EXPECT_LT(0, rented_of(self->pool));
}

TEST_F(library, threads_beyond_the_caches_keep_nothing)
{
	struct idler idler = { .pool = self->pool, .size = MIB };
	unsigned int caches = self->pool->caches.nr;

	self->pool->caches.nr = BUFPOOL_CACHES_MAX;
	EXPECT_EQ(&idler, in_thread(rent_and_return, &idler));
	self->pool->caches.nr = caches;
	EXPECT_EQ(0, rented_of(self->pool));
	EXPECT_EQ(&idler, in_thread(rent_and_return, &idler));
	EXPECT_LT(0, rented_of(self->pool));
}

/* Write over what a thread keeps, all of it. Return: how much that was */
static unsigned int write_over(__u32 entry)
{
	struct bufpool_stack *stack = bufpool_mine->stack;
	unsigned int count = bufpool_stack_count(stack), i;

	for (i = 0; i < count; i++)
		*bufpool_stack_at(stack, bufpool_stack_bottom(stack) + i) = entry;
	return count;
}

/* What no block has as its number, and what a block has that is not rented */
TEST_F(library, what_is_written_into_stacks_harms_nobody)
{
	static const __u32 entries[] = { ~0U, 1, 1000 * MIB / BUFPOOL_STACK_UNIT };
	void *block;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		block = bufpool_rent(self->pool, MIB, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_LT(0, write_over(entries[i]));
		/* which has the pool take all that is kept */
		EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
		block = bufpool_rent(self->pool, 2 * MIB, 0);
		ASSERT_NE(NULL, block);
		memset(block, 1, 2 * MIB);
		EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	}
}

TEST_HARNESS_MAIN
