// SPDX-License-Identifier: MIT
/*
 * libbufpool: what a thread keeps is no longer its own where others need it.
 */
#include "library_test.h"

static void *return_and_idle(void *argument)
{
	struct idler *idler = argument;
	int ret = bufpool_return(idler->pool, idler->block, 0);

	pthread_barrier_wait(&idler->barrier);
	pthread_barrier_wait(&idler->barrier);
	return (void *)(intptr_t)ret;
}

/* Exhaust a pool, and have a thread return one block and idle. */
static void begin(struct __test_metadata *_metadata, struct idler *idler,
		  pthread_t *thread)
{
	void *last = NULL, *block;

	idler->size = MIB;
	ASSERT_EQ(0, small_limit());
	idler->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, idler->pool);
	while ((block = bufpool_rent(idler->pool, idler->size,
				     BUFPOOL_RENT_NONBLOCK))) {
		idler->block = last;
		last = block;
	}
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_NE(NULL, idler->block);
	ASSERT_EQ(0, pthread_barrier_init(&idler->barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(thread, NULL, return_and_idle, idler));
	pthread_barrier_wait(&idler->barrier);
}

static void end(struct __test_metadata *_metadata, struct idler *idler,
		pthread_t thread)
{
	void *result;

	pthread_barrier_wait(&idler->barrier);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, bufpool_close(idler->pool));
	if (!private_chosen())
		limit_restore();
}

TEST(a_rent_gets_blocks_of_an_idle_thread)
{
	struct idler idler = { 0 };
	pthread_t thread;

	begin(_metadata, &idler, &thread);
	EXPECT_NE(NULL, bufpool_rent(idler.pool, idler.size, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(EAGAIN, -rent_error(idler.pool, idler.size, BUFPOOL_RENT_NONBLOCK));
	end(_metadata, &idler, thread);
}

/* Of another size, that its block is too large for */
TEST(a_rent_gets_the_memory_of_an_idle_thread)
{
	struct idler idler = { 0 };
	pthread_t thread;

	begin(_metadata, &idler, &thread);
	EXPECT_NE(NULL, bufpool_rent_timed(idler.pool, MIB / 16, 0, 10000 * NSEC_PER_MSEC));
	EXPECT_NE(NULL, bufpool_rent_timed(idler.pool, MIB / 16, 0, 10000 * NSEC_PER_MSEC));
	end(_metadata, &idler, thread);
}

static void *rent_waiting(void *argument)
{
	struct idler *idler = argument;

	return bufpool_rent(idler->pool, idler->size, 0);
}

/* However it comes about that the owner kept it: it did not see the waiter. */
TEST(a_waiter_gets_what_is_kept_later)
{
	struct idler idler = { 0 };
	struct bufpool_status none = { 0 };
	const struct bufpool_status *status;
	pthread_t thread, waiter;
	struct bufpool_stats stats = { .size = sizeof(stats) };
	void *block, *result;

	begin(_metadata, &idler, &thread);
	block = bufpool_rent(idler.pool, idler.size, BUFPOOL_RENT_NONBLOCK);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, pthread_create(&waiter, NULL, rent_waiting, &idler));
	ASSERT_TRUE(BECOMES(!bufpool_stats(idler.pool, &stats) && stats.waiting));
	status = idler.pool->provider.status;
	idler.pool->provider.status = &none;
	bufpool_mine->waiting = &none.waiting;
	EXPECT_EQ(0, bufpool_return(idler.pool, block, 0));
	idler.pool->provider.status = status;
	bufpool_mine->waiting = waiting_for(idler.pool, bufpool_mine);
	ASSERT_EQ(0, pthread_join(waiter, &result));
	EXPECT_EQ(block, result);
	end(_metadata, &idler, thread);
}

#define OWNERS	3
#define HELD	4
#define MORE	256		/* than there are */
#define SIZE	(256 * KIB)

struct tug {
	struct bufpool *pool;
	unsigned int rounds, pulls, stop, failures;
};

static void stamp(__u64 *block, __u64 value)
{
	__atomic_store_n(block, value, __ATOMIC_RELAXED);
	__atomic_store_n(block + SIZE / sizeof(*block) - 1, value, __ATOMIC_RELAXED);
}

static bool is_stamped(const __u64 *block, __u64 value)
{
	return __atomic_load_n(block, __ATOMIC_RELAXED) == value &&
	       __atomic_load_n(block + SIZE / sizeof(*block) - 1,
			       __ATOMIC_RELAXED) == value;
}

static void fail_unless(struct tug *tug, bool ok)
{
	if (!ok)
		__atomic_add_fetch(&tug->failures, 1, __ATOMIC_RELAXED);
}

/* Rent a few blocks, with nothing but what was kept most of the time, and return them. */
static void *use(void *argument)
{
	struct tug *tug = argument;
	void *blocks[HELD];
	__u64 round;
	int i, count;

	for (round = 0; !word_get(&tug->stop); round++) {
		for (count = 0; count < HELD; count++) {
			blocks[count] = bufpool_rent(tug->pool, SIZE,
						     BUFPOOL_RENT_NONBLOCK);
			if (!blocks[count])
				break;
			stamp(blocks[count], (uintptr_t)blocks ^ round);
		}
		for (i = 0; i < count; i++) {
			fail_unless(tug, is_stamped(blocks[i], (uintptr_t)blocks ^ round));
			fail_unless(tug, !bufpool_return(tug->pool, blocks[i], 0));
		}
		__atomic_add_fetch(&tug->rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Rent whatever there is, which takes back what the others keep, and give it all back. */
static void *pull(void *argument)
{
	struct tug *tug = argument;
	void *blocks[MORE];
	int i, count;

	while (!word_get(&tug->stop)) {
		for (count = 0; count < MORE; count++) {
			blocks[count] = bufpool_rent(tug->pool, SIZE,
						     BUFPOOL_RENT_NONBLOCK);
			if (!blocks[count])
				break;
			stamp(blocks[count], (uintptr_t)&blocks[count]);
		}
		for (i = 0; i < count; i++)
			fail_unless(tug, is_stamped(blocks[i], (uintptr_t)&blocks[i]));
		i = count ? bufpool_return_many(tug->pool, blocks, count,
						BUFPOOL_RETURN_REVOKE) : 0;
		fail_unless(tug, i == count);
		__atomic_add_fetch(&tug->pulls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* No block is taken from a thread that has it, nor has one block two owners. */
TEST(blocks_have_one_owner_while_they_are_taken_back)
{
	pthread_t threads[OWNERS + 1];
	struct tug tug = { 0 };
	int i;

	ASSERT_EQ(0, small_limit());
	tug.pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, tug.pool);
	for (i = 0; i <= OWNERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i ? use : pull, &tug));
	while (word_get(&tug.pulls) < native(100) ||
	       word_get(&tug.rounds) < native(100))
		sleep_ms(1);
	word_set(&tug.stop, 1);
	for (i = 0; i <= OWNERS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, tug.failures);
	EXPECT_EQ(0, held(tug.pool));
	EXPECT_EQ(0, bufpool_close(tug.pool));
	if (!private_chosen())
		limit_restore();
}

/* A block that came from elsewhere */
static void *adopt_one(struct bufpool *pool)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got;

	if (provider->ops->rent_many(provider, MIB, BUFPOOL_RENT_NONBLOCK, 0, &got,
				     1) != 1)
		return NULL;
	return bufpool_adopt(pool, got.handle, got.offset);
}

/* As if a renter waited for blocks of the size that was rented last. */
static void have_one_wait(struct bufpool *pool, struct bufpool_status *status)
{
	unsigned int class = bufpool_mine - bufpool_mine->cache->magazines;

	*status = (struct bufpool_status){ .waiting = 1 };
	status->waiting_of[pool->classes.of[class].nr] = 1;
	pool->provider.status = status;
	bufpool_mine->waiting = waiting_for(pool, bufpool_mine);
}

static void have_none_wait(struct bufpool *pool, const struct bufpool_status *status)
{
	pool->provider.status = status;
	bufpool_mine->waiting = waiting_for(pool, bufpool_mine);
}

/* Renters wait: whatever comes back goes to them at once. */
TEST_F(library, nothing_is_kept_while_renters_wait)
{
	struct bufpool_status waiting;
	const struct bufpool_status *status = self->pool->provider.status;
	void *own = bufpool_rent(self->pool, MIB, 0);
	void *other = bufpool_rent(self->pool, MIB, 0);
	void *adopted = adopt_one(self->pool);
	int kept = rented_of(self->pool) - 3;

	ASSERT_NE(NULL, other);
	ASSERT_NE(NULL, adopted);
	have_one_wait(self->pool, &waiting);
	EXPECT_EQ(0, bufpool_return(self->pool, own, 0));
	EXPECT_EQ(kept + 2, rented_of(self->pool));
	EXPECT_EQ(0, return_elsewhere(self->pool, other));
	EXPECT_EQ(kept + 1, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_return(self->pool, adopted, 0));
	EXPECT_EQ(kept, rented_of(self->pool));
	/* nor is more asked for than is needed */
	waiting.waiting_of[0] = 1;
	EXPECT_NE(NULL, bufpool_rent(self->pool, 1, 0));
	EXPECT_EQ(kept + 1, rented_of(self->pool));
	have_none_wait(self->pool, status);
}

/* Of another size than renters wait for it is kept, and asked for in advance. */
TEST_F(library, what_nobody_waits_for_is_kept)
{
	const struct bufpool_status *status = self->pool->provider.status;
	struct bufpool_status waiting;
	void *large = bufpool_rent(self->pool, MIB, 0), *small, *other;
	int rented;

	ASSERT_NE(NULL, large);
	have_one_wait(self->pool, &waiting);
	rented = rented_of(self->pool);
	small = bufpool_rent(self->pool, PAGE, 0);
	ASSERT_NE(NULL, small);
	EXPECT_LT(rented + 1, rented_of(self->pool));
	other = bufpool_rent(self->pool, PAGE, 0);
	ASSERT_NE(NULL, other);
	rented = rented_of(self->pool);
	EXPECT_EQ(0, bufpool_return(self->pool, small, 0));
	EXPECT_EQ(0, return_elsewhere(self->pool, other));
	EXPECT_EQ(rented, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_return(self->pool, large, 0));
	EXPECT_EQ(rented - 1, rented_of(self->pool));
	have_none_wait(self->pool, status);
}

static void *rent_and_return(void *pool)
{
	void *block = bufpool_rent(pool, PAGE, 0);

	return block && !bufpool_return(pool, block, 0) ? pool : NULL;
}

/* A kernel that tells only how many wait at all */
TEST_F(library, nothing_is_kept_where_it_is_not_told_for_what_renters_wait)
{
	const struct bufpool_status *status = self->pool->provider.status;
	struct bufpool_status waiting = { .waiting = 1 };
	int rented = rented_of(self->pool);

	self->pool->provider.status = &waiting;
	self->pool->provider.waiting_by_class = false;
	/* which makes a cache of its own */
	EXPECT_EQ(self->pool, in_thread(rent_and_return, self->pool));
	EXPECT_EQ(rented, rented_of(self->pool));
	waiting.waiting = 0;
	EXPECT_EQ(self->pool, in_thread(rent_and_return, self->pool));
	EXPECT_LT(rented, rented_of(self->pool));
	self->pool->provider.waiting_by_class = true;
	self->pool->provider.status = status;
}

TEST_HARNESS_MAIN
