// SPDX-License-Identifier: MIT
/*
 * libbufpool: what it keeps for the next rent.
 */
#include "library_test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#define PAIRS		1000

/* More than a thread and the depot may keep of the smallest blocks. */
#define MANY		4000
#define KEPT_MOST	(128 + 256)

/* Bytes in the largest block that it keeps at all. */
#define KEPT_BLOCK_MOST	(1024UL * 1024)

/* The provider's counters, with what is kept */
static __u64 rents_of(struct bufpool *pool)
{
	struct bufpool_stats stats;

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.client_rents;
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
	__u64 handle = 0;

	bufpool_handle(pool, block, &handle);
	return handle;
}

static __u64 offset_of(struct bufpool *pool, const void *block)
{
	__u64 offset = 0;

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
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
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

/* Strictness ------------------------------------------------------------------ */

FIXTURE(strict)
{
	struct bufpool *pool;
};

FIXTURE_SETUP(strict)
{
	ASSERT_EQ(0, setenv("BUFPOOL_STRICT", "1", 1));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(strict)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
	unsetenv("BUFPOOL_STRICT");
}

TEST_F(strict, a_use_after_return_faults)
{
	unsigned char byte;
	void *block;
	size_t size;

	for (size = PAGE; size <= MIB; size *= 4) {
		block = bufpool_rent(self->pool, size, 0);
		ASSERT_NE(NULL, block);
		memset(block, 1, size);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		EXPECT_EQ(gone_signal(), peek(block, &byte));
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	}
}

TEST_F(strict, a_use_after_return_many_faults)
{
	void *blocks[3];
	unsigned char byte;
	int i;

	ASSERT_EQ(3, bufpool_rent_many(self->pool, 1, 0, blocks, 3));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, poke(blocks[i], 1));
	ASSERT_EQ(3, bufpool_return_many(self->pool, blocks, 3, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(gone_signal(), peek(blocks[i], &byte));
}

TEST_F(strict, nothing_is_kept)
{
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, rented_of(self->pool));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, rented_of(self->pool));
}

TEST_HARNESS_MAIN
