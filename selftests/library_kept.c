// SPDX-License-Identifier: MIT
/*
 * libbufpool: what it keeps for the next rent.
 */
#include "library_test.h"
#include "seccomp.h"

#include <kept.h>

#define PAIRS		1000

/* More than a thread and the depot may keep of the smallest blocks. */
#define MANY		4000
#define KEPT_MOST	(128 + 256)

/* Bytes in the largest block that it keeps at all. */
#define KEPT_BLOCK_MOST	(1024UL * 1024)

/* The provider's counters, with what is kept */
static __u64 rents_of(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.client_rents;
}

/* A block that this pool's provider gave, and the library did not ask for */
static void *adopt_direct(struct bufpool *pool)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got;

	if (provider->ops->rent_many(provider, 1, BUFPOOL_RENT_NONBLOCK, 0, &got, 1) != 1)
		return NULL;
	return bufpool_adopt(pool, got.handle, got.offset);
}

static void *rent_and_return(void *argument)
{
	struct bufpool *pool = argument;
	void *block = bufpool_rent(pool, 1, 0);

	return block && !bufpool_return(pool, block, 0) ? block : NULL;
}

TEST_F(library, a_pair_makes_no_call)
{
	size_t size;
	void *block;
	__u64 rents;
	int i;

	for (size = 1; size <= KEPT_BLOCK_MOST; size *= 2) {
		block = bufpool_rent(self->pool, size, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		rents = rents_of(self->pool);
		for (i = 0; i < PAIRS; i++) {
			ASSERT_EQ(block, bufpool_rent(self->pool, size, 0));
			ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		}
		EXPECT_EQ(rents, rents_of(self->pool));
	}
}

/* Return a block by the fast path. Return: whether that did */
static bool return_fast(struct bufpool *pool, void *block)
{
	struct bufpool_magazine *magazine = bufpool_mine;
	bool ret;

	if (!bufpool_cache_enter(magazine, pool))
		return false;
	ret = bufpool_kept_return(magazine, block);
	bufpool_cache_leave(magazine, pool);
	return ret;
}

/* From the first pair of a size on */
TEST_F(library, a_return_takes_the_fast_path)
{
	size_t size;
	void *block;

	for (size = PAGE; size <= KEPT_BLOCK_MOST; size *= 2) {
		block = bufpool_rent(self->pool, size, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		block = bufpool_rent(self->pool, size, 0);
		EXPECT_TRUE(return_fast(self->pool, block)) {
			TH_LOG("%zu bytes", size);
		}
	}
}

/* Of whichever pool the last call was, others were used before it. */
TEST_F(library, a_pool_that_is_used_again_has_the_fast_path)
{
	struct bufpool *pools[] = { self->pool, bufpool_open(NULL, 0) };
	void *block;
	int i;

	ASSERT_NE(NULL, pools[1]);
	for (i = 0; i < 6; i++) {
		block = bufpool_rent(pools[i % 2], 1, 0);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(0, bufpool_return(pools[i % 2], block, 0));
		block = bufpool_rent(pools[i % 2], 1, 0);
		EXPECT_TRUE(return_fast(pools[i % 2], block));
	}
	EXPECT_EQ(0, bufpool_close(pools[1]));
}

/* That would cost too much. */
TEST_F(library, zeroes_are_not_rented_in_advance)
{
	int i;

	for (i = 1; i < 5; i++) {
		ASSERT_EQ(0, rent_error(self->pool, 1, BUFPOOL_RENT_ZERO));
		EXPECT_EQ(i, rented_of(self->pool));
	}
}

TEST_F(library, kept_block_is_zeroed_on_demand)
{
	char *block = bufpool_rent(self->pool, PAGE + 1, 0);

	ASSERT_NE(NULL, block);
	memset(block, 1, 2 * PAGE);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(block, bufpool_rent(self->pool, PAGE + 1, BUFPOOL_RENT_ZERO));
	EXPECT_TRUE(filled(block, 0, 2 * PAGE));
}

TEST_F(library, oversize_block_is_not_kept)
{
	void *block = bufpool_rent(self->pool, KEPT_BLOCK_MOST + 1, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, rented_of(self->pool));
}

/* What one thread has too many of serves another; the rest goes back. */
TEST_F(library, kept_blocks_are_bounded)
{
	static void *blocks[MANY];
	int i;

	for (i = 0; i < MANY; i++) {
		blocks[i] = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, blocks[i]);
	}
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, bufpool_return(self->pool, blocks[i], 0));
	EXPECT_GE(KEPT_MOST, rented_of(self->pool));
	EXPECT_LT(0, rented_of(self->pool));
}

struct jobs {
	struct bufpool *pool;
	void *blocks[MANY];
};

static void *return_each(void *argument)
{
	struct jobs *jobs = argument;
	intptr_t failures = 0;
	int i;

	for (i = 0; i < MANY; i++)
		failures += !!bufpool_return(jobs->pool, jobs->blocks[i], 0);
	/* before it ends, and its blocks go to the depot */
	return failures ? jobs : (void *)(intptr_t)(rented_of(jobs->pool) <= KEPT_MOST ? 0 : 1);
}

/* Nor does a thread keep more of what others rented, by far more than a stack has room for. */
TEST_F(library, what_others_rented_is_bounded)
{
	static struct jobs jobs;
	int i;

	jobs.pool = self->pool;
	for (i = 0; i < MANY; i++) {
		jobs.blocks[i] = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, jobs.blocks[i]);
	}
	/* what was rented in advance */
	ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(NULL, in_thread(return_each, &jobs));
	EXPECT_EQ(0, held(self->pool));
}

#define FILLING	1000

/* Have more than a thread and the depot keep, and end. */
static void *fill_and_end(void *argument)
{
	struct bufpool *pool = argument;
	static void *blocks[FILLING];
	int i;

	for (i = 0; i < FILLING; i++)
		blocks[i] = bufpool_rent(pool, 1, 0);
	for (i = 0; i < FILLING; i++)
		if (!blocks[i] || bufpool_return(pool, blocks[i], 0))
			return NULL;
	return pool;
}

/* What the depot has no room for stays where it is, for the thread that comes next. */
TEST_F(library, an_ended_thread_loses_nothing)
{
	int kept;

	EXPECT_EQ(self->pool, in_thread(fill_and_end, self->pool));
	kept = rented_of(self->pool);
	EXPECT_LT(KEPT_MOST - 64, kept);
	EXPECT_EQ(0, held(self->pool));
}

/* Whoever had it before may have left it so. */
TEST_F(library, what_a_stack_had_before_is_nobodys)
{
	void *large = bufpool_rent(self->pool, 2 * PAGE, 0), *mine, *block;
	struct bufpool_place place;
	struct bufpool_stack *stack;
	unsigned int set;
	int i;

	ASSERT_NE(NULL, large);
	set = bufpool_mine->cache->set;
	ASSERT_NE(0, set);
	/* the first of a set, which this thread has not used yet */
	stack = bufpool_provider_stack(&self->pool->provider,
				       set * self->pool->provider.nr_classes);
	ASSERT_EQ(0, self->pool->classes.of[0].nr);
	mine = adopt_direct(self->pool);
	ASSERT_NE(NULL, mine);
	place = bufpool_window_place(&self->pool->window, mine);
	bufpool_stack_push(stack, stack->top + 1,
			   bufpool_window_unit(&self->pool->window, &place));
	for (i = 0; i < 20; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		ASSERT_NE(mine, block);
	}
	EXPECT_EQ(0, bufpool_return(self->pool, mine, 0));
}

TEST_F(library, trim_keeps_smaller_blocks)
{
	void *small = bufpool_rent(self->pool, 1, 0);
	int kept = rented_of(self->pool);
	void *large = bufpool_rent(self->pool, MIB, 0);
	int both = rented_of(self->pool);

	ASSERT_NE(NULL, small);
	ASSERT_NE(NULL, large);
	ASSERT_EQ(0, bufpool_return(self->pool, small, 0));
	ASSERT_EQ(0, bufpool_return(self->pool, large, 0));
	EXPECT_EQ(both, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_trim(self->pool, MIB, NULL));
	EXPECT_EQ(kept, rented_of(self->pool));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, small, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, large, 0));
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(0, rented_of(self->pool));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, small, 0));
}

/* Blocks that come with others in one call, and that were not asked for yet */
TEST_F(library, block_never_handed_out_is_enoent)
{
	char *blocks[4], *next;
	int i;

	for (i = 0; i < 4; i++) {
		blocks[i] = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, blocks[i]);
	}
	ASSERT_LT(4, rented_of(self->pool));
	next = blocks[3];
	for (i = 0; i < 3; i++)
		if (blocks[i] > next)
			next = blocks[i];
	EXPECT_EQ(-ENOENT, bufpool_return(self->pool, next + PAGE, 0));
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(-ENOENT, bufpool_return(self->pool, next + PAGE, 0));
}

/* Of two that were returned, one comes again with the other. */
TEST_F(library, block_handed_out_once_stays_estale)
{
	void *a = bufpool_rent(self->pool, 1, 0);
	void *b = bufpool_rent(self->pool, 1, 0);
	void *again;

	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	ASSERT_EQ(0, bufpool_return(self->pool, a, 0));
	ASSERT_EQ(0, bufpool_return(self->pool, b, 0));
	ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	again = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, again);
	if (again != a)
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, a, 0));
	if (again != b)
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, b, 0));
}

static __u64 handle_of(struct bufpool *pool, const void *block)
{
	uint64_t handle = 0;

	bufpool_handle(pool, block, &handle);
	return handle;
}

static __u64 offset_of(struct bufpool *pool, const void *block)
{
	uint64_t offset = 0;

	bufpool_offset(pool, block, &offset);
	return offset;
}

/* Kept, or never handed out: it is the pool's to rent. */
TEST_F(library, kept_block_is_not_adopted)
{
	char *kept = bufpool_rent(self->pool, 1, 0);
	char *last = bufpool_rent(self->pool, 1, 0);
	__u64 handle = handle_of(self->pool, kept);
	__u64 offset = offset_of(self->pool, kept);
	struct bufpool_rental *rental;
	struct bufpool_place fresh;

	ASSERT_NE(NULL, last);
	ASSERT_LT(2, rented_of(self->pool));
	fresh = bufpool_window_place(&self->pool->window, last);
	for (fresh.index = 0;; fresh.index++) {
		ASSERT_LT(fresh.index, bufpool_rentals_ready(&self->pool->rentals, 0));
		rental = bufpool_rentals_at(&self->pool->rentals, &fresh);
		if (bufpool_state_kind(rental->state) == BUFPOOL_FRESH)
			break;
	}

	ASSERT_EQ(0, bufpool_return(self->pool, kept, 0));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, handle, offset));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, handle + 1, offset));
	EXPECT_EQ(-ESTALE,
		  adopt_error(self->pool,
			      bufpool_window_handle(&self->pool->window, &fresh,
						    rental->generation),
			      bufpool_window_offset(&self->pool->window, &fresh)));
	EXPECT_EQ(0, bufpool_return(self->pool, last, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* Taken from where it was kept, and rented anew, by others who have this client */
TEST_F(library, taken_block_is_adopted)
{
	struct bufpool_provider *provider = &self->pool->provider;
	void *block = bufpool_rent(self->pool, MIB, 0);
	__u64 handle = handle_of(self->pool, block);
	struct bufpool_block got;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	do {
		ASSERT_EQ(1, provider->ops->rent_many(provider, MIB,
						      BUFPOOL_RENT_NONBLOCK, 0,
						      &got, 1));
	} while (got.handle >> 32 != handle >> 32);
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, handle, got.offset));
	EXPECT_EQ(block, bufpool_adopt(self->pool, got.handle, got.offset));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

/* Its client may be others' too, and the block theirs next. */
TEST_F(library, adopted_block_is_not_kept)
{
	void *own = bufpool_rent(self->pool, 1, 0), *adopted;
	int rented;

	ASSERT_NE(NULL, own);
	ASSERT_EQ(0, bufpool_return(self->pool, own, 0));
	adopted = adopt_direct(self->pool);
	ASSERT_NE(NULL, adopted);
	rented = rented_of(self->pool);
	EXPECT_EQ(0, bufpool_return(self->pool, adopted, 0));
	EXPECT_EQ(rented - 1, rented_of(self->pool));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, adopted, 0));
}

static void *rent_and_return_noting(void *argument)
{
	__u64 *noted = argument;
	struct bufpool *pool = (struct bufpool *)(uintptr_t)noted[0];
	void *block = bufpool_rent(pool, 1, 0);

	noted[1] = handle_of(pool, block);
	noted[2] = offset_of(pool, block);
	return bufpool_return(pool, block, 0) ? NULL : block;
}

/* Nor what no thread keeps, but all. */
TEST_F(library, block_of_an_ended_thread_is_not_adopted)
{
	__u64 noted[] = { (uintptr_t)self->pool, 0, 0 };

	ASSERT_NE(NULL, in_thread(rent_and_return_noting, noted));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, noted[1], noted[2]));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, noted[1] + 1, noted[2]));
}

/* A thread is just returning it. */
TEST_F(library, claimed_block_is_not_adopted)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	__u64 handle = handle_of(self->pool, block), offset = offset_of(self->pool, block);
	struct bufpool_rental *rental;
	struct bufpool_place place;
	__u32 state;

	ASSERT_NE(NULL, block);
	place = bufpool_window_place(&self->pool->window, block);
	rental = bufpool_rentals_at(&self->pool->rentals, &place);
	state = bufpool_rental_state(rental);
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_CLAIMED, 0));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, handle + 1, offset));
	bufpool_rental_set(rental, state);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

/* Close of a client that lives on ---------------------------------------------- */

static const struct bufpool_provider_ops *real_ops;
static unsigned int given;

static int count_given(struct bufpool_provider *provider, const __u64 *handles,
		       unsigned int count, unsigned int flags)
{
	int ret = real_ops->return_many(provider, handles, count, flags);

	given += ret > 0 ? ret : 0;
	return ret;
}

/* Whatever the program has had, and what it has not; one is held. */
TEST_F(library, close_gives_all_back_where_others_use_the_client)
{
	void *held_one = bufpool_rent(self->pool, 1, 0);
	void *returned = bufpool_rent(self->pool, MIB, 0);
	struct bufpool_provider_ops ops = *self->pool->provider.ops;
	int rented;

	ASSERT_NE(NULL, held_one);
	ASSERT_EQ(0, bufpool_return(self->pool, returned, 0));
	rented = rented_of(self->pool);
	ASSERT_LT(2, rented);
	real_ops = self->pool->provider.ops;
	ops.return_many = count_given;
	self->pool->provider.ops = &ops;
	self->pool->provider.shared = true;
	EXPECT_EQ(0, bufpool_close(self->pool));
	self->pool = NULL;
	EXPECT_EQ(rented, (int)given);
}

TEST_F(library, blocks_of_an_ended_thread_serve_others)
{
	void *block = in_thread(rent_and_return, self->pool);
	__u64 rents = rents_of(self->pool);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(block, bufpool_rent(self->pool, 1, 0));
	EXPECT_EQ(rents, rents_of(self->pool));
}

/* A ring between one that rents and one that returns */
struct flow {
	struct bufpool *pool;
	void *ring[64];
	unsigned int sent;
	unsigned int failures;
};

#define FLOW	20000

static void *return_what_comes(void *argument)
{
	struct flow *flow = argument;
	unsigned int i;
	void *block;

	for (i = 0; i < FLOW; i++) {
		while (!(block = __atomic_exchange_n(&flow->ring[i % 64], NULL,
						     __ATOMIC_ACQ_REL)))
			sched_yield();
		if (bufpool_return(flow->pool, block, 0))
			flow->failures++;
	}
	return NULL;
}

TEST_F(library, blocks_flow_back_to_the_renter)
{
	struct flow flow = { .pool = self->pool };
	pthread_t thread;
	unsigned int i;
	void *block;

	ASSERT_EQ(0, pthread_create(&thread, NULL, return_what_comes, &flow));
	for (i = 0; i < FLOW; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		while (__atomic_load_n(&flow.ring[i % 64], __ATOMIC_ACQUIRE))
			sched_yield();
		__atomic_store_n(&flow.ring[i % 64], block, __ATOMIC_RELEASE);
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, flow.failures);
	/* and not from the provider, again and again */
	EXPECT_GE(64 + KEPT_MOST, rented_of(self->pool));
	EXPECT_EQ(0, held(self->pool));
}

/* A sandbox ------------------------------------------------------------------- */

/* As a program does it that restricts itself after it has opened its pools */
static int forbid_membarrier(void)
{
	return forbid_call(__NR_membarrier, EPERM);
}

TEST_F(library, a_program_may_forbid_itself_membarrier)
{
	void *mine = bufpool_rent(self->pool, 1, 0);
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, mine);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(0, forbid_membarrier());
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(1, rented_of(self->pool));
	EXPECT_NE(NULL, in_thread(rent_and_return, self->pool));
	EXPECT_NE(NULL, rent_and_return(self->pool));
	EXPECT_EQ(0, return_elsewhere(self->pool, mine));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, mine, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* Before it opens the pool */
TEST(nothing_is_kept_without_membarrier)
{
	struct bufpool *pool;
	void *block;

	ASSERT_EQ(0, forbid_membarrier());
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	block = bufpool_rent(pool, 1, 0);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, return_elsewhere(pool, block));
	EXPECT_EQ(0, rented_of(pool));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_HARNESS_MAIN
