// SPDX-License-Identifier: MIT
/*
 * libbufpool: what a child of fork(2) may do with its parent's pool.
 */
#include "library_test.h"

/* fork ------------------------------------------------------------------------ */

struct forked {
	struct bufpool *pool;
	char *block;
	size_t page;
};

static int child_is_refused(void *argument)
{
	struct forked *forked = argument;
	void *block = forked->block;
	struct bufpool *pool = forked->pool;
	uint64_t value;

	CHECK(rent_error(pool, 1, 0) == -ECHILD);
	CHECK(timed_error(pool, 1, 0, 1) == -ECHILD);
	CHECK(bufpool_rent_many(pool, 1, 0, &block, 1) == -ECHILD);
	CHECK(bufpool_return(pool, block, 0) == -ECHILD);
	CHECK(bufpool_return_many(pool, &block, 1, 0) == -ECHILD);
	CHECK(size_error(pool, block) == -ECHILD);
	CHECK(bufpool_handle(pool, block, &value) == -ECHILD);
	CHECK(bufpool_offset(pool, block, &value) == -ECHILD);
	CHECK(adopt_error(pool, 0, 0) == -ECHILD);
	CHECK(bufpool_fd(pool) == -ECHILD);
	return 0;
}

/* What is at the block's address in the child is the child's own. */
static int child_closes(void *argument)
{
	struct forked *forked = argument;
	char *own = mmap(forked->block, forked->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(own == forked->block);
	memset(own, 0x77, forked->page);
	CHECK(bufpool_close(forked->pool) == 0);
	CHECK(filled(own, 0x77, forked->page));
	return 0;
}

static int child_opens_its_own(void *argument)
{
	struct forked *forked = argument;
	struct bufpool *pool = bufpool_open(NULL, 0);
	char *block;

	CHECK(pool);
	block = bufpool_rent(pool, 1, 0);
	CHECK(block);
	*block = 1;
	CHECK(bufpool_close(forked->pool) == 0);
	CHECK(*block == 1);
	CHECK(bufpool_return(pool, block, 0) == 0);
	CHECK(bufpool_close(pool) == 0);
	return 0;
}

/* Of the fast paths too, which look at what is erased in a child */
static int no_pool_is_refused(void *argument)
{
	struct forked *forked = argument;

	CHECK(rent_error(NULL, 1, 0) == -EINVAL);
	CHECK(rent_error(NULL, forked->page, BUFPOOL_RENT_NONBLOCK) == -EINVAL);
	CHECK(rent_error(NULL, 1, BUFPOOL_RENT_IO) == -EINVAL);
	CHECK(bufpool_return(NULL, forked->block, 0) == -EINVAL);
	return 0;
}

/* Whether there is anything at this address */
static bool is_mapped(const void *address)
{
	return !msync((void *)((uintptr_t)address & -PAGE), PAGE, MS_ASYNC);
}

static int child_has_none_of_it(void *argument)
{
	struct forked *forked = argument;
	const struct bufpool *pool = forked->pool;

	CHECK(!is_mapped(pool->window.base));
	CHECK(!is_mapped(pool->rentals.table));
	CHECK(!pool->provider.nr_stacks || !is_mapped(pool->provider.stacks));
	return 0;
}

/* In the parent so many pools were opened when it had allocated @before bytes. */
struct inherited {
	struct bufpool *pools[MANY_TIMES];
	size_t before;
};

static int child_closes_all(void *argument)
{
	struct inherited *inherited = argument;
	long caches = inherited->pools[0]->caches.all ?
		      MANY_TIMES * sizeof(struct bufpool_cache) / 1024 : 0;
	long before = status_kib("VmSize:");
	int i;

	for (i = 0; i < MANY_TIMES; i++)
		CHECK(bufpool_close(inherited->pools[i]) == 0);
	CHECK(!has_lost(inherited->before, allocated()));
	/* what the parent's thread kept there, too, which is erased */
	CHECK(status_kib("VmSize:") + caches <= before);
	return 0;
}

static int grandchild_is_refused(void *argument)
{
	return in_child(child_is_refused, argument);
}

FIXTURE(forked)
{
	struct forked forked;
	struct bufpool_stats before;
};

FIXTURE_SETUP(forked)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	char *block;

	ASSERT_NE(NULL, pool);
	block = bufpool_rent(pool, 1, 0);
	ASSERT_NE(NULL, block);
	*block = 0x5a;
	self->forked = (struct forked){
		.pool = pool,
		.block = block,
		.page = bufpool_block_size(pool, block),
	};
	ASSERT_EQ(0, trimmed_stats(pool, &self->before));
}

/* Whatever the child did, the parent has what it had. */
FIXTURE_TEARDOWN(forked)
{
	struct forked *forked = &self->forked;

	EXPECT_TRUE(untouched(forked->pool, &self->before));
	EXPECT_EQ(0x5a, *forked->block);
	EXPECT_EQ(0, bufpool_return(forked->pool, forked->block, 0));
	EXPECT_EQ(0, bufpool_close(forked->pool));
}

TEST_F(forked, every_call_in_the_child_is_echild)
{
	EXPECT_EQ(0, in_child(child_is_refused, &self->forked));
	EXPECT_EQ(0, in_child(grandchild_is_refused, &self->forked));
}

TEST_F(forked, close_in_the_child_touches_nothing)
{
	EXPECT_EQ(0, in_child(child_closes, &self->forked));
}

TEST_F(forked, the_child_may_open_its_own)
{
	EXPECT_EQ(0, in_child(child_opens_its_own, &self->forked));
}

TEST_F(forked, without_a_pool_it_is_einval_still)
{
	/* the last call was of a pool that the child has not */
	EXPECT_EQ(0, in_child(no_pool_is_refused, &self->forked));
}

TEST_F(forked, the_child_has_none_of_its_memory)
{
	ASSERT_TRUE(is_mapped(self->forked.pool->window.base));
	EXPECT_EQ(0, in_child(child_has_none_of_it, &self->forked));
}

static bool open_all(struct inherited *inherited)
{
	int i;

	inherited->before = allocated();
	for (i = 0; i < MANY_TIMES; i++) {
		inherited->pools[i] = bufpool_open(NULL, 0);
		if (!bufpool_rent(inherited->pools[i], 1, 0))
			return false;
	}
	return true;
}

TEST(a_child_that_closes_pools_frees_what_they_had)
{
	static struct inherited inherited;
	int i;

	if (SANITIZED)
		SKIP(return, "it allocates in another way");
	if (sizeof(long) == 4)
		SKIP(return, "there are no addresses for so many");
	if (private_chosen())
		ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "4M", 1));
	/* once for the heap's shape */
	ASSERT_TRUE(open_all(&inherited));
	for (i = 0; i < MANY_TIMES; i++)
		ASSERT_EQ(0, bufpool_close(inherited.pools[i]));
	ASSERT_TRUE(open_all(&inherited));
	EXPECT_EQ(0, in_child(child_closes_all, &inherited));
	for (i = 0; i < MANY_TIMES; i++)
		EXPECT_EQ(0, bufpool_close(inherited.pools[i]));
}

/* Threads of the parent hold any lock there is when it forks. */

struct busy {
	struct bufpool *pool;
	int over;
};

static void *rent_and_return(void *argument)
{
	struct busy *busy = argument;
	void *block;

	while (!__atomic_load_n(&busy->over, __ATOMIC_RELAXED)) {
		block = bufpool_rent(busy->pool, 1, 0);
		if (!block || bufpool_return(busy->pool, block, BUFPOOL_RETURN_CLEAR))
			return busy;
	}
	return NULL;
}

static int child_leaves_quickly(void *argument)
{
	struct busy *busy = argument;

	CHECK(rent_error(busy->pool, 1, 0) == -ECHILD);
	CHECK(bufpool_close(busy->pool) == 0);
	return 0;
}

TEST_F(forked, the_child_closes_whatever_threads_did)
{
	struct busy busy = { .pool = self->forked.pool };
	struct bufpool_stats *before = &self->before;
	pthread_t threads[2];
	void *result;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, rent_and_return,
					    &busy));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, in_child(child_leaves_quickly, &busy));
	__atomic_store_n(&busy.over, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &result));
		EXPECT_EQ(NULL, result);
	}
	ASSERT_EQ(0, trimmed_stats(busy.pool, before));
	EXPECT_EQ(1, (int)before->client_blocks);
}

TEST_HARNESS_MAIN
