// SPDX-License-Identifier: MIT
/*
 * libbufpool: a return gives what is kept to the waiters of other processes and to
 * a system that is short of memory.
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

TEST(a_rent_gets_blocks_of_an_idle_thread)
{
	struct idler idler = { .size = MIB };
	void *last = NULL, *block, *result;
	pthread_t thread;

	ASSERT_EQ(0, small_limit());
	idler.pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, idler.pool);
	while ((block = bufpool_rent(idler.pool, idler.size,
				     BUFPOOL_RENT_NONBLOCK))) {
		idler.block = last;
		last = block;
	}
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_NE(NULL, idler.block);
	ASSERT_EQ(0, pthread_barrier_init(&idler.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, return_and_idle, &idler));
	pthread_barrier_wait(&idler.barrier);

	EXPECT_NE(NULL, bufpool_rent(idler.pool, idler.size,
				     BUFPOOL_RENT_NONBLOCK));
	pthread_barrier_wait(&idler.barrier);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, bufpool_close(idler.pool));
	if (!private_chosen())
		limit_restore();
}

/*
 * A pool whose status the test writes: another process waits when it says so. For
 * threads that use the pool from now on.
 */
FIXTURE(shortage)
{
	struct bufpool *pool;
	const struct bufpool_status *true_status;
	struct bufpool_status status __attribute__((aligned(8)));
	struct idler idler;
	pthread_t thread;
};

/* Each time: let a thread return a block that it rented itself, or was given. */
static void *return_when_told(void *argument)
{
	struct idler *idler = argument;
	void *block;

	for (;;) {
		pthread_barrier_wait(&idler->barrier);
		if (!idler->pool)
			return NULL;
		block = idler->block ? idler->block :
				       bufpool_rent(idler->pool, idler->size, 0);
		if (!block || bufpool_return(idler->pool, block, 0))
			idler->size = 0;
		pthread_barrier_wait(&idler->barrier);
	}
}

FIXTURE_SETUP(shortage)
{
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->true_status = self->pool->provider.status;
	self->pool->provider.status = &self->status;
	self->idler = (struct idler){ .pool = self->pool, .size = MIB };
	ASSERT_EQ(0, pthread_barrier_init(&self->idler.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, return_when_told,
				    &self->idler));
}

FIXTURE_TEARDOWN(shortage)
{
	EXPECT_EQ(MIB, self->idler.size);
	self->idler.pool = NULL;
	pthread_barrier_wait(&self->idler.barrier);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	self->pool->provider.status = self->true_status;
	EXPECT_EQ(0, bufpool_close(self->pool));
}

static void let_return(struct idler *idler, void *block)
{
	idler->block = block;
	pthread_barrier_wait(&idler->barrier);
	pthread_barrier_wait(&idler->barrier);
}

static void set_waiting(struct bufpool_status *status, unsigned int count)
{
	__atomic_store_n(&status->waiting, count, __ATOMIC_RELAXED);
}

#define SHORTAGES	50

/* However soon after the last time */
TEST_F(shortage, a_return_gives_blocks_of_an_idle_thread)
{
	void *block;
	int i;

	for (i = 0; i < SHORTAGES; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		let_return(&self->idler, NULL);
		ASSERT_LT(1, rented_of(self->pool));
		set_waiting(&self->status, 1);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_EQ(0, rented_of(self->pool));
		set_waiting(&self->status, 0);
	}
}

/* Though all threads have just been searched, in vain */
TEST_F(shortage, block_of_another_thread_is_given_at_once)
{
	void *block, *own;
	int i;

	set_waiting(&self->status, 1);
	for (i = 0; i < SHORTAGES; i++) {
		block = bufpool_rent(self->pool, MIB, 0);
		own = bufpool_rent(self->pool, MIB, 0);
		ASSERT_NE(NULL, block);
		ASSERT_NE(NULL, own);
		ASSERT_EQ(0, bufpool_return(self->pool, own, 0));
		let_return(&self->idler, block);
		ASSERT_EQ(0, rented_of(self->pool));
	}
}

/* A block that came from elsewhere */
static void *adopt_one(struct bufpool *pool)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got;

	if (provider->ops->rent_many(provider, 1, BUFPOOL_RENT_NONBLOCK, 0, &got,
				     1) != 1)
		return NULL;
	return bufpool_adopt(pool, got.handle, got.offset);
}

/* What is kept goes with a block that is not. */
static void return_with_kept(struct __test_metadata *_metadata,
			     struct bufpool *pool, struct bufpool_status *status,
			     void *block, unsigned int flags)
{
	void *kept = bufpool_rent(pool, MIB, 0);

	ASSERT_NE(NULL, kept);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(pool, kept, 0));
	set_waiting(status, 1);
	ASSERT_EQ(0, bufpool_return(pool, block, flags));
	EXPECT_EQ(0, rented_of(pool));
	set_waiting(status, 0);
}

TEST_F(shortage, every_return_looks_for_waiters)
{
	struct bufpool *pool = self->pool;

	return_with_kept(_metadata, pool, &self->status,
			 bufpool_rent(pool, 1, 0), BUFPOOL_RETURN_CLEAR);
	return_with_kept(_metadata, pool, &self->status,
			 bufpool_rent(pool, 1, 0), BUFPOOL_RETURN_REVOKE);
	return_with_kept(_metadata, pool, &self->status,
			 bufpool_rent(pool, 2 * MIB, 0), 0);
	return_with_kept(_metadata, pool, &self->status, adopt_one(pool), 0);
}

/* Of memory, and not again before it is short once more */
TEST_F(shortage, pressure_is_answered_once)
{
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	let_return(&self->idler, NULL);
	self->status.pressure++;
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, rented_of(self->pool));
	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_LT(0, rented_of(self->pool));
	let_return(&self->idler, NULL);
	self->status.pressure++;
	ASSERT_EQ(0, bufpool_return(self->pool, bufpool_rent(self->pool, 1, 0), 0));
	EXPECT_EQ(0, rented_of(self->pool));
}

TEST_HARNESS_MAIN
