// SPDX-License-Identifier: MIT
/*
 * libbufpool: threads share a pool, and pass each other its blocks.
 */
#include "library_test.h"

/* Threads -------------------------------------------------------------------- */

#define THREADS		4
#define SLOTS		16

struct race {
	struct bufpool *pool;
	void *slots[SLOTS];
	void *block;
	pthread_barrier_t barrier;
	int most;		/* rounds of all threads */
	int over;
	int results[3];		/* how many: 0, -ESTALE, anything else */
	int rounds;
	int failures;
};

/* Put what was rented where any thread may find it, and return what was there. */
static void *exchange(void *argument)
{
	struct race *race = argument;
	__u64 *block, *other;
	__u64 seed = (uintptr_t)&seed;

	while (__atomic_add_fetch(&race->rounds, 1, __ATOMIC_RELAXED) <= race->most) {
		block = bufpool_rent(race->pool, 4096ULL << next_random(&seed) % 3,
				     BUFPOOL_RENT_ZERO);
		if (!block) {
			__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
			continue;
		}
		if (*block)
			__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
		*block = (uintptr_t)block;
		other = __atomic_exchange_n(&race->slots[next_random(&seed) % SLOTS],
					    block, __ATOMIC_ACQ_REL);
		if (other && (*other != (uintptr_t)other ||
			      bufpool_return(race->pool, other, 0)))
			__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(library, threads_return_what_others_rented)
{
	struct race race = { .pool = self->pool, .most = native(20000) };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, exchange, &race));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, race.failures);
	for (i = 0; i < SLOTS; i++)
		if (race.slots[i])
			EXPECT_EQ(0, bufpool_return(self->pool, race.slots[i], 0));
	EXPECT_EQ(0, held(self->pool));
}

/* One thread's part between two barriers. */
static void race_begin(struct race *race)
{
	void *other = bufpool_rent(race->pool, 1, 0);

	memset(race->results, 0, sizeof(race->results));
	race->block = bufpool_rent(race->pool, 1, 0);
	/* Had two returns of the last round freed it, it would be here twice. */
	if (!other || other == race->block ||
	    bufpool_return(race->pool, other, 0))
		race->failures++;
	race->over = ++race->rounds == race->most;
}

static void *return_together(void *argument)
{
	struct race *race = argument;
	int ret, result;

	do {
		ret = pthread_barrier_wait(&race->barrier);
		if (ret == PTHREAD_BARRIER_SERIAL_THREAD)
			race_begin(race);
		pthread_barrier_wait(&race->barrier);
		ret = bufpool_return(race->pool, race->block, 0);
		result = ret == 0 ? 0 : ret == -ESTALE ? 1 : 2;
		__atomic_add_fetch(&race->results[result], 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&race->barrier);
		if (race->results[0] != 1 || race->results[2])
			__atomic_store_n(&race->failures, 1, __ATOMIC_RELAXED);
	} while (!race->over);
	return NULL;
}

TEST_F(library, of_many_returns_at_once_one_frees)
{
	struct race race = { .pool = self->pool, .most = 1000 };
	pthread_t threads[THREADS];
	int i;

	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, THREADS));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, return_together,
					    &race));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, race.failures);
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(library, another_threads_second_return_is_estale)
{
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, return_elsewhere(self->pool, block));

	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, return_elsewhere(self->pool, block));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(library, another_thread_is_refused_what_is_no_block)
{
	char *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(-EINVAL, return_elsewhere(self->pool, NULL));
	EXPECT_EQ(-EINVAL, return_elsewhere(self->pool, block + 1));
	EXPECT_EQ(-ENOENT, return_elsewhere(self->pool, self));
	EXPECT_EQ(-ENOENT, return_elsewhere(self->pool,
					    block + 4000 * self->info.page_size));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

/* Returns a block that another thread rented, and says when that is done. */
static void *revoke_elsewhere(void *argument)
{
	struct race *race = argument;

	race->failures = bufpool_return(race->pool, race->block,
					BUFPOOL_RETURN_REVOKE);
	__atomic_store_n(&race->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* This thread may be about to return it, too: the revoker has to wait. */
TEST_F(library, a_revoker_waits_for_a_thread_in_its_cache)
{
	struct race race = { .pool = self->pool };
	struct bufpool_magazine *mine;
	pthread_t thread;

	race.block = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, race.block);
	mine = bufpool_mine;
	ASSERT_TRUE(bufpool_cache_enter(mine, self->pool));
	ASSERT_EQ(0, pthread_create(&thread, NULL, revoke_elsewhere, &race));
	ASSERT_TRUE(BECOMES(cache_is_shared(mine->cache)));
	sleep_ms(20);
	EXPECT_EQ(0, __atomic_load_n(&race.over, __ATOMIC_ACQUIRE));
	bufpool_cache_leave(mine, self->pool);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, race.over);
	EXPECT_EQ(0, race.failures);
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, race.block, 0));
	EXPECT_EQ(0, held(self->pool));
}

/*
 * A thread whose block another one has returned goes the longer way with its own, until
 * it has been alone for a while.
 */
TEST_F(library, a_cache_is_shared_while_others_return_its_blocks)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	struct bufpool_cache *mine = bufpool_mine->cache;
	int i;

	ASSERT_NE(NULL, block);
	EXPECT_FALSE(cache_is_shared(mine));
	ASSERT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_TRUE(cache_is_shared(mine));
	for (i = 0; i < 2 * BUFPOOL_RETURNS_ALONE; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	}
	EXPECT_FALSE(cache_is_shared(mine));
	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* As long as others return some of its blocks now and then, that is the longer way. */
TEST_F(library, a_cache_stays_shared_while_others_help)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	struct bufpool_cache *mine = bufpool_mine->cache;
	int i, ret;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, return_elsewhere(self->pool, block));
	for (i = 1; i <= 4 * BUFPOOL_RETURNS_ALONE; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		if (i % (BUFPOOL_RETURNS_ALONE / 2))
			ret = bufpool_return(self->pool, block, 0);
		else
			ret = return_elsewhere(self->pool, block);
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(cache_is_shared(mine));
	}
	EXPECT_EQ(0, held(self->pool));
}

/* Threads that come and go --------------------------------------------------- */

/* Each is dear to a kernel that checks every step, and to a sanitizer. */
#define MANY_THREADS	often(SANITIZED ? 1000 : 10000)

static void *rent_two_leave_one(void *argument)
{
	struct race *race = argument;
	void *kept = bufpool_rent(race->pool, 1, 0);
	void *left = bufpool_rent(race->pool, 1, 0);

	if (kept && bufpool_return(race->pool, kept, 0))
		return NULL;
	return left;
}

TEST_F(library, thousands_of_threads_leave_nothing_behind)
{
	struct race race = { .pool = self->pool };
	int count = MANY_THREADS, maps = 0, i;
	pthread_t thread;
	void *left;

	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, rent_two_leave_one,
					    &race));
		ASSERT_EQ(0, pthread_join(thread, &left));
		ASSERT_NE(NULL, left);
		ASSERT_EQ(0, bufpool_return(self->pool, left, 0));
		if (i == 100)
			maps = count_maps();
	}
	EXPECT_EQ(0, held(self->pool));
	EXPECT_GE(maps + 20, count_maps());
}

/* Leaves a block where others find it, and ends at once. */
static void *rent_and_end(void *argument)
{
	struct race *race = argument;
	void *block = bufpool_rent(race->pool, 1, 0);

	__atomic_store_n(&race->block, block ? block : race, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(library, a_block_is_returned_while_its_renter_ends)
{
	struct race race = { .pool = self->pool };
	pthread_t thread;
	void *block;
	int i;

	for (i = 0; i < 500; i++) {
		race.block = NULL;
		ASSERT_EQ(0, pthread_create(&thread, NULL, rent_and_end, &race));
		while (!(block = __atomic_load_n(&race.block, __ATOMIC_ACQUIRE)))
			;
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	}
	EXPECT_EQ(0, held(self->pool));
}

/* Use the pool, and go on living until after the second barrier. */
static void *use_and_linger(void *argument)
{
	struct race *race = argument;
	void *block = bufpool_rent(race->pool, 1, 0);

	if (!block || bufpool_return(race->pool, block, 0))
		__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
	pthread_barrier_wait(&race->barrier);
	pthread_barrier_wait(&race->barrier);
	return NULL;
}

TEST_F(library, close_does_not_wait_for_threads_that_used_it)
{
	struct race race = { .pool = bufpool_open(NULL, 0) };
	pthread_t threads[THREADS];
	int i;

	ASSERT_NE(NULL, race.pool);
	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, THREADS + 1));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, use_and_linger,
					    &race));
	pthread_barrier_wait(&race.barrier);
	EXPECT_EQ(0, bufpool_close(race.pool));
	/* They end after it, and another pool has taken its place. */
	race.pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, race.pool);
	ASSERT_NE(NULL, bufpool_rent(race.pool, 1, 0));
	pthread_barrier_wait(&race.barrier);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, race.failures);
	EXPECT_EQ(1, held(race.pool));
	EXPECT_EQ(0, bufpool_close(race.pool));
}

static void *use_and_end(void *pool)
{
	void *block = bufpool_rent(pool, 1, 0);

	return block && !bufpool_return(pool, block, 0) ? pool : NULL;
}

/* As often as that changes nothing any more */
#define POOLS	often(SANITIZED ? 20 : 100)

/* In KiB: what the heap may take meanwhile, and much less than so many caches */
#define SLACK	64

/*
 * What a thread has of a pool that is closed serves it in the next one, also where that has
 * something of another thread's for it.
 */
TEST_F(library, a_thread_outlives_pools_without_growing)
{
	struct bufpool *used, *left;
	long space = 0;
	int i, count = POOLS;

	for (i = 0; i < count; i++) {
		used = bufpool_open(NULL, 0);
		left = bufpool_open(NULL, 0);
		ASSERT_NE(NULL, left);
		ASSERT_EQ(left, in_thread(use_and_end, left));
		ASSERT_EQ(used, use_and_end(used));
		ASSERT_EQ(0, bufpool_close(used));
		ASSERT_EQ(left, use_and_end(left));
		ASSERT_EQ(0, bufpool_close(left));
		if (i == count / 2)
			space = space_kib();
	}
	EXPECT_GT(space + SLACK, space_kib());
}

static void *open_use_and_close(void *argument)
{
	struct bufpool *pool = bufpool_open(NULL, 0);

	return use_and_end(pool) && !bufpool_close(pool) ? argument : NULL;
}

/* And it takes that with it at its end. */
TEST_F(library, threads_that_close_pools_leave_nothing_behind)
{
	int i, count = POOLS;
	long space = 0;

	for (i = 0; i < count; i++) {
		ASSERT_EQ(self, in_thread(open_use_and_close, self));
		if (i == count / 2)
			space = space_kib();
	}
	EXPECT_GT(space + SLACK, space_kib());
}

/* Where there are no stacks any more, threads go without. */
TEST_F(library, threads_beyond_the_stacks_keep_nothing)
{
	struct bufpool_provider *provider = &self->pool->provider;
	unsigned int nr_stacks = provider->nr_stacks;
	int rented;

	if (!nr_stacks)
		SKIP(return, "nothing is kept here");
	ASSERT_EQ(self->pool, use_and_end(self->pool));
	rented = rented_of(self->pool);
	ASSERT_LT(0, rented);
	/* those of nobody, of the depot and of this thread */
	provider->nr_stacks = 3 * provider->nr_classes;
	EXPECT_EQ(self->pool, in_thread(use_and_end, self->pool));
	EXPECT_EQ(rented, rented_of(self->pool));
	EXPECT_EQ(1, self->pool->caches.nr);
	provider->nr_stacks = nr_stacks;
}

/* Use the pool, and return a block of what has become of it after two barriers. */
static void *use_and_return(void *argument)
{
	struct race *race = argument;

	use_and_linger(race);
	return (void *)(intptr_t)bufpool_return(race->pool, race->block, 0);
}

/* Have the allocator give what is freed next to the next malloc(). */
static void fill_free_list(size_t size)
{
	void *blocks[16];
	int i;

	for (i = 0; i < 16; i++)
		blocks[i] = malloc(size);
	for (i = 0; i < 16; i++)
		free(blocks[i]);
}

/* A pool where another one was, unless memory is not used again so soon */
static struct bufpool *open_at(const struct bufpool *place)
{
	struct bufpool *pools[8], *pool = bufpool_open(NULL, 0);
	int count = 0;

	while (pool && pool != place && count < 8) {
		pools[count++] = pool;
		pool = bufpool_open(NULL, 0);
	}
	while (count)
		bufpool_close(pools[--count]);
	return pool;
}

/* What a thread's cache has of a pool that was closed is not looked at again. */
TEST_F(library, a_pool_may_take_the_place_of_another)
{
	const struct bufpool_status *status;
	struct race race = { .pool = bufpool_open(NULL, 0) };
	pthread_t thread;
	void *page, *result;

	ASSERT_NE(NULL, race.pool);
	page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	status = race.pool->provider.status;
	race.pool->provider.status = page;
	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, use_and_return, &race));
	pthread_barrier_wait(&race.barrier);
	race.pool->provider.status = status;
	fill_free_list(sizeof(*race.pool));
	ASSERT_EQ(0, bufpool_close(race.pool));
	ASSERT_EQ(0, munmap(page, PAGE));

	race.pool = open_at(race.pool);
	ASSERT_NE(NULL, race.pool);
	race.block = bufpool_rent(race.pool, 1, 0);
	ASSERT_NE(NULL, race.block);
	pthread_barrier_wait(&race.barrier);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, race.failures);
	EXPECT_EQ(0, held(race.pool));
	EXPECT_EQ(0, bufpool_close(race.pool));
}

/*
 * Destructors of thread data that use the pool whenever they are called, to the last time;
 * by then the sanitizer of threads has forgotten the thread.
 */
#ifndef __SANITIZE_THREAD__

static struct bufpool *destructors_pool;
static pthread_key_t destructors_key;
static unsigned int destroyed;

static void pair_again(void *value)
{
	void *block = bufpool_rent(destructors_pool, 100, 0);

	if (block && !bufpool_return(destructors_pool, block, 0))
		destroyed++;
	pthread_setspecific(destructors_key, value);
}

static void *leave_data(void *value)
{
	pthread_setspecific(destructors_key, value);
	return bufpool_rent(destructors_pool, 100, 0);
}

TEST_F(library, destructors_use_the_pool_to_the_last)
{
	unsigned int i, threads = native(10), nr;
	void *block;

	destructors_pool = self->pool;
	/* after the library's own: called later, each time */
	ASSERT_EQ(0, pthread_key_create(&destructors_key, pair_again));
	for (i = 0; i < threads; i++) {
		block = in_thread(leave_data, self);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	EXPECT_LE(threads * PTHREAD_DESTRUCTOR_ITERATIONS, destroyed);
	nr = self->pool->caches.nr;
	EXPECT_GE(2, nr);
	EXPECT_EQ(0, held(self->pool));
}

#endif

TEST_HARNESS_MAIN
