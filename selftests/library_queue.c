// SPDX-License-Identifier: MIT
/*
 * Waiting for blocks of a private pool: who is next, for which size, what a waiter leaves
 * that times out or is cancelled, and what a poller tells.
 */
#include "library_moving.h"
#include "library_private.h"

#include <kept.h>

#define WAITERS	4

struct turn {
	struct bufpool *pool;
	size_t size;
	int64_t timeout_ns;
	unsigned int *order;	/* in which waiters were served */
	unsigned int mine;	/* which was this one; 0 is none */
	int error;
	void *block;
	pthread_t thread;
};

static void *wait_turn(void *argument)
{
	struct turn *turn = argument;

	turn->block = bufpool_rent_timed(turn->pool, turn->size, 0,
					 turn->timeout_ns ?: BUFPOOL_FOREVER);
	if (turn->block)
		turn->mine = __atomic_add_fetch(turn->order, 1, __ATOMIC_ACQ_REL);
	else
		turn->error = errno;
	return NULL;
}

static void *do_nothing(void *argument)
{
	return argument;
}

/* Much longer than a thread takes to come to its wait, however slow that is now. */
static int64_t patient_ns(void)
{
	__u64 start = now_ms();

	in_thread(do_nothing, NULL);
	return (now_ms() - start + 10) * 20 * NSEC_PER_MSEC;
}

static bool waiting_is(struct bufpool *pool, unsigned int count)
{
	return __atomic_load_n(&pool->provider.status->waiting,
			       __ATOMIC_RELAXED) == count;
}

static bool waiting_becomes(struct bufpool *pool, unsigned int count)
{
	return BECOMES(waiting_is(pool, count));
}

/* The thread waits when this returns, behind those that do already. */
static bool start_waiting(struct turn *turn, unsigned int count)
{
	return !pthread_create(&turn->thread, NULL, wait_turn, turn) &&
	       waiting_becomes(turn->pool, count);
}

TEST_F(exhausted, waiters_are_served_in_order)
{
	struct turn turns[WAITERS];
	unsigned int order = 0, i;
	void *block = self->block;

	for (i = 0; i < WAITERS; i++) {
		turns[i] = (struct turn){
			.pool = self->pool, .size = self->size, .order = &order,
		};
		ASSERT_TRUE(start_waiting(&turns[i], i + 1));
	}
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, SMALL, BUFPOOL_RENT_NONBLOCK));
	for (i = 0; i < WAITERS; i++) {
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_EQ(0, pthread_join(turns[i].thread, NULL));
		EXPECT_EQ(i + 1, turns[i].mine);
		EXPECT_TRUE(waiting_becomes(self->pool, WAITERS - 1 - i));
		block = turns[i].block;
		ASSERT_NE(NULL, block);
	}
}

/* Also where waiters are in front of it, and it would never be its turn. */
TEST_F(exhausted, more_than_the_limit_is_edquot_behind_waiters)
{
	struct turn turn = { .pool = self->pool, .size = self->size };
	unsigned int order = 0;

	turn.order = &order;
	ASSERT_TRUE(start_waiting(&turn, 1));
	EXPECT_EQ(-EDQUOT, rent_error(self->pool, 2 * SMALL_LIMIT, BUFPOOL_RENT_IO));
	EXPECT_EQ(-EDQUOT, rent_error(self->pool, 2 * SMALL_LIMIT,
				      BUFPOOL_RENT_IO | BUFPOOL_RENT_NONBLOCK));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(turn.thread, NULL));
}

/* A warm block is of no use to a waiter for a larger size. */
TEST_F(private, what_no_waiter_wants_is_rented)
{
	struct turn large = { .pool = self->pool, .size = 4 * MIB };
	unsigned int order = 0;
	void *blocks[3];
	uint64_t handle;
	int i;

	large.order = &order;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rent_error(self->pool, 4 * MIB, 0));
	ASSERT_EQ(2, bufpool_rent_many(self->pool, MIB, 0, blocks, 2));
	ASSERT_EQ(0, bufpool_handle(self->pool, blocks[1], &handle));
	ASSERT_EQ(1, return_handle(self->pool, handle));
	ASSERT_TRUE(start_waiting(&large, 1));
	EXPECT_EQ(0, rent_error(self->pool, MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, bufpool_cancel(self->pool, 1));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
}

/* Though it takes several calls of the provider, it waits for the first block only. */
TEST(rent_many_does_not_wait_for_the_rest)
{
	static void *blocks[600];
	struct bufpool *pool;
	__u64 most = 2 * MIB / PAGE;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "2M", 1));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ((int)most, bufpool_rent_many(pool, 1, 0, blocks, 600));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_F(exhausted, timed_out_waiter_leaves_no_hole)
{
	struct turn first = {
		.pool = self->pool, .size = self->size,
		.timeout_ns = patient_ns(),
	};
	struct turn second = { .pool = self->pool, .size = self->size };
	unsigned int order = 0;

	first.order = &order;
	second.order = &order;
	ASSERT_TRUE(start_waiting(&first, 1));
	ASSERT_EQ(0, pthread_create(&second.thread, NULL, wait_turn, &second));
	ASSERT_EQ(0, pthread_join(first.thread, NULL));
	EXPECT_EQ(ETIMEDOUT, first.error);
	ASSERT_TRUE(waiting_becomes(self->pool, 1));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(second.thread, NULL));
	EXPECT_EQ(1, second.mine);
}

/* Room for a small block is there, but not before the large waiter gives up. */
TEST_F(exhausted, timed_out_waiter_lets_the_next_one_go_on)
{
	struct turn large = {
		.pool = self->pool, .size = self->size,
		.timeout_ns = patient_ns(),
	};
	struct turn small = { .pool = self->pool, .size = SMALL };
	unsigned int order = 0;
	void *half;

	large.order = &order;
	small.order = &order;
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	half = bufpool_rent(self->pool, self->size / 2, BUFPOOL_RENT_NONBLOCK);
	ASSERT_NE(NULL, half);
	ASSERT_TRUE(start_waiting(&large, 1));
	ASSERT_EQ(0, pthread_create(&small.thread, NULL, wait_turn, &small));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
	EXPECT_EQ(ETIMEDOUT, large.error);
	ASSERT_EQ(0, pthread_join(small.thread, NULL));
	EXPECT_EQ(0, small.error);
	EXPECT_NE(NULL, small.block);
}

TEST_F(exhausted, a_waiter_is_not_cancelled)
{
	struct turn turn = { .pool = self->pool, .size = self->size };
	unsigned int order = 0;

	turn.order = &order;
	ASSERT_TRUE(start_waiting(&turn, 1));
	ASSERT_EQ(0, pthread_cancel(turn.thread));
	sleep_ms(20);
	EXPECT_TRUE(waiting_becomes(self->pool, 1));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(turn.thread, NULL));
	EXPECT_EQ(1, turn.mine);
}

/* They are out of the queue when the call returns, whenever they run. */
TEST_F(exhausted, cancel_takes_waiters_out_at_once)
{
	struct turn turns[WAITERS];
	unsigned int order = 0, i;

	for (i = 0; i < WAITERS; i++) {
		turns[i] = (struct turn){
			.pool = self->pool, .size = self->size, .order = &order,
		};
		ASSERT_TRUE(start_waiting(&turns[i], i + 1));
	}
	EXPECT_EQ(0, bufpool_cancel(self->pool, 1));
	EXPECT_TRUE(waiting_is(self->pool, 0));
	for (i = 0; i < WAITERS; i++) {
		ASSERT_EQ(0, pthread_join(turns[i].thread, NULL));
		EXPECT_EQ(ECANCELED, turns[i].error);
	}
}

/*
 * Small blocks come back one by one, and each time a waiter wants just that
 * size; a large one needs the room of four.
 */
TEST_F(private, a_large_block_comes_among_small_ones)
{
	unsigned int order = 0, last = 0, i;
	struct turn large = {
		.pool = self->pool, .size = 4 * MIB, .order = &order,
	};
	struct turn small[100];
	void *blocks[16];

	ASSERT_EQ(16, bufpool_rent_many(self->pool, MIB, 0, blocks, 16));
	ASSERT_TRUE(start_waiting(&large, 1));
	for (i = 0; i < 100; i++) {
		last = i;
		small[i] = (struct turn){
			.pool = self->pool, .size = MIB, .order = &order,
		};
		ASSERT_TRUE(start_waiting(&small[i], 2));
		ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
		if (!waiting_is(self->pool, 1))
			break;
		ASSERT_EQ(0, pthread_join(small[i].thread, NULL));
		blocks[0] = small[i].block;
	}
	ASSERT_GT(99, last);
	EXPECT_LT(0, last);
	EXPECT_EQ(3, bufpool_return_many(self->pool, blocks + 1, 3, 0));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
	EXPECT_EQ(last + 1, large.mine);
	EXPECT_EQ(0, bufpool_return(self->pool, blocks[4], 0));
	ASSERT_EQ(0, pthread_join(small[last].thread, NULL));
	EXPECT_EQ(last + 2, small[last].mine);
}

#define PAIRS	10000

/* Blocks of another size stay with the threads that use them; without a call. */
TEST_F(private, a_large_waiter_takes_nothing_in_vain)
{
	unsigned int order = 0, i;
	struct turn large = {
		.pool = self->pool, .size = 4 * MIB, .order = &order,
	};
	struct bufpool_stats before = { .size = sizeof(before) }, after = before;
	void *blocks[13], *block = bufpool_rent(self->pool, SMALL, 0);

	ASSERT_EQ(13, bufpool_rent_many(self->pool, MIB, 0, blocks, 13));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_TRUE(start_waiting(&large, 1));
	ASSERT_EQ(0, bufpool_stats(self->pool, &before));
	for (i = 0; i < PAIRS; i++) {
		if (i % (PAIRS / 10) == 0)
			sleep_ms(20);
		block = bufpool_rent(self->pool, SMALL, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	ASSERT_EQ(0, bufpool_stats(self->pool, &after));
	EXPECT_EQ(before.client_rents, after.client_rents);
	EXPECT_EQ(before.client_returns, after.client_returns);
	/* What it gets is what makes room: these are kept first, of a size like any other. */
	EXPECT_EQ(2, bufpool_return_many(self->pool, blocks, 2, 0));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
	EXPECT_NE(NULL, large.block);
}

/* The first poller, made while a thread moves blocks ------------------------------ */

#define BLOCKS	((int)(SMALL_LIMIT / MIB))	/* all that there are */
#define MOVED	4				/* what goes to the depot at once */

static struct first_poller {
	struct bufpool *pool;
	pthread_t thread;
	unsigned int tid, is_made;
	int fd;
} first_poller;

static void *make_first_poller(void *unused)
{
	word_set(&first_poller.tid, syscall(SYS_gettid));
	first_poller.fd = bufpool_poller(first_poller.pool, MIB);
	word_set(&first_poller.is_made, 1);
	return unused;
}

static void make_it_elsewhere(void)
{
	in_thread(make_first_poller, NULL);
}

/* It tells of a block. */
static bool first_poller_tells(void)
{
	bool ret = first_poller.fd >= 0 && poll_now(first_poller.fd, POLLIN) == POLLIN;

	close(first_poller.fd);
	return ret;
}

/* As bufpool_return() does it, which has seen that nobody waits. */
TEST_F(private, a_poller_tells_of_what_is_just_being_returned)
{
	struct bufpool_magazine *magazine;
	void *blocks[BLOCKS];

	first_poller.pool = self->pool;
	ASSERT_EQ(BLOCKS, bufpool_rent_many(self->pool, MIB, 0, blocks, BLOCKS));
	/* a magazine with room */
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
	ASSERT_EQ(blocks[0], bufpool_rent(self->pool, MIB, 0));
	magazine = bufpool_mine;
	ASSERT_TRUE(bufpool_cache_enter(magazine, self->pool));
	ASSERT_FALSE(bufpool_cache_is_bound(magazine));
	ASSERT_EQ(0, pthread_create(&first_poller.thread, NULL, make_first_poller, NULL));
	ASSERT_TRUE(BECOMES(word_get(&first_poller.is_made) ||
			    (bufpool_cache_is_bound(magazine) &&
			     task_state(getpid(), word_get(&first_poller.tid)) == 'S')));
	EXPECT_TRUE(bufpool_kept_push(magazine, blocks[0]));
	bufpool_cache_leave(magazine, self->pool);
	ASSERT_EQ(0, pthread_join(first_poller.thread, NULL));
	EXPECT_TRUE(first_poller_tells());
	EXPECT_EQ(BLOCKS - 1, held(self->pool));
}

static void *rent_and_return(void *argument)
{
	void *blocks[MOVED];

	if (bufpool_rent_many(first_poller.pool, MIB, 0, blocks, MOVED) == MOVED)
		bufpool_return_many(first_poller.pool, blocks, MOVED, 0);
	/* and when the thread ends they go to the depot */
	while_moving = argument;
	return NULL;
}

TEST_F(private, a_poller_tells_of_what_an_ended_thread_has_kept)
{
	void *blocks[BLOCKS - MOVED];

	first_poller.pool = self->pool;
	ASSERT_EQ(BLOCKS - MOVED,
		  bufpool_rent_many(self->pool, MIB, 0, blocks, BLOCKS - MOVED));
	in_thread(rent_and_return, make_it_elsewhere);
	ASSERT_TRUE(first_poller.is_made);
	EXPECT_TRUE(first_poller_tells());
}

TEST_F(private, a_poller_tells_of_what_comes_from_the_depot)
{
	void *blocks[BLOCKS - MOVED];

	first_poller.pool = self->pool;
	ASSERT_EQ(BLOCKS - MOVED,
		  bufpool_rent_many(self->pool, MIB, 0, blocks, BLOCKS - MOVED));
	in_thread(rent_and_return, NULL);
	while_moving = make_it_elsewhere;
	ASSERT_EQ(0, rent_error(self->pool, MIB, BUFPOOL_RENT_NONBLOCK));
	ASSERT_TRUE(first_poller.is_made);
	EXPECT_TRUE(first_poller_tells());
}

TEST_HARNESS_MAIN
