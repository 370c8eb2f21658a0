// SPDX-License-Identifier: MIT
/*
 * libbufpool: what it keeps for the next rent, and whom it gives that to.
 */
#include "library_test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/time.h>

#define PAIRS		1000

/* More than magazines, depot and inboxes may keep of the smallest blocks. */
#define MANY		4000
#define KEPT_MOST	(2 * 128 + 512)

/* The provider's counters, with what is kept */
static __u64 rents_of(struct bufpool *pool)
{
	struct bufpool_stats stats;

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.client_rents;
}

static int rented_of(struct bufpool *pool)
{
	struct bufpool_stats stats;

	return bufpool_stats(pool, &stats) ? -1 : (int)stats.client_blocks;
}

static void *rent_and_return(void *argument)
{
	struct bufpool *pool = argument;
	void *block = bufpool_rent(pool, 1, 0);

	return block && !bufpool_return(pool, block, 0) ? block : NULL;
}

static void *return_it(void *argument)
{
	void **job = argument;

	return (void *)(intptr_t)bufpool_return(job[0], job[1], 0);
}

static void *in_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	void *result = NULL;

	if (!pthread_create(&thread, NULL, body, argument))
		pthread_join(thread, &result);
	return result;
}

TEST_F(library, a_pair_asks_nobody)
{
	size_t size;
	void *block;
	__u64 rents;
	int i;

	for (size = 1; size <= self->info.max_pooled; size *= 2) {
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

TEST_F(library, zeroes_are_had_from_what_is_kept)
{
	char *block = bufpool_rent(self->pool, 5000, 0);

	ASSERT_NE(NULL, block);
	memset(block, 1, 8192);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(block, bufpool_rent(self->pool, 5000, BUFPOOL_RENT_ZERO));
	EXPECT_TRUE(filled(block, 0, 8192));
}

TEST_F(library, what_is_too_large_to_be_kept_is_not)
{
	void *block = bufpool_rent(self->pool, self->info.max_pooled + 1, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, rented_of(self->pool));
}

/* What one thread has too many of serves another; the rest goes back. */
TEST_F(library, what_is_kept_is_bounded)
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

TEST_F(library, trim_keeps_what_is_smaller)
{
	void *small = bufpool_rent(self->pool, 4096, 0);
	int kept = rented_of(self->pool);
	void *large = bufpool_rent(self->pool, MIB, 0);

	ASSERT_NE(NULL, small);
	ASSERT_NE(NULL, large);
	ASSERT_EQ(0, bufpool_return(self->pool, small, 0));
	ASSERT_EQ(0, bufpool_return(self->pool, large, 0));
	EXPECT_EQ(kept + 1, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_trim(self->pool, MIB, NULL));
	EXPECT_EQ(kept, rented_of(self->pool));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, small, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, large, 0));
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(0, rented_of(self->pool));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, small, 0));
}

/* Blocks that come with others in one call, and that nobody has asked for yet */
TEST_F(library, what_was_never_handed_out_is_enoent)
{
	char *blocks[4], *next;
	int i;

	for (i = 0; i < 4; i++) {
		blocks[i] = bufpool_rent(self->pool, 4096, 0);
		ASSERT_NE(NULL, blocks[i]);
	}
	ASSERT_LT(4, rented_of(self->pool));
	next = blocks[3];
	for (i = 0; i < 3; i++)
		if (blocks[i] > next)
			next = blocks[i];
	EXPECT_EQ(-ENOENT, bufpool_return(self->pool, next + 4096, 0));
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(-ENOENT, bufpool_return(self->pool, next + 4096, 0));
}

/* Of two that were returned, one comes again with the other. */
TEST_F(library, what_was_handed_out_once_stays_estale)
{
	void *a = bufpool_rent(self->pool, 4096, 0);
	void *b = bufpool_rent(self->pool, 4096, 0);
	void *again;

	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	ASSERT_EQ(0, bufpool_return(self->pool, a, 0));
	ASSERT_EQ(0, bufpool_return(self->pool, b, 0));
	ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	again = bufpool_rent(self->pool, 4096, 0);
	ASSERT_NE(NULL, again);
	if (again != a)
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, a, 0));
	if (again != b)
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, b, 0));
}

/* What is on its way between threads is not counted, either. */
TEST_F(library, trim_counts_only_what_is_as_large)
{
	void *block = bufpool_rent(self->pool, 4096, 0);
	__u64 trimmed = 1;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(NULL, in_thread(return_it, (void *[]){ self->pool, block }));
	EXPECT_EQ(0, bufpool_trim(self->pool, MIB, &trimmed));
	EXPECT_EQ(0, trimmed);
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
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

/* Kept, on its way, or never handed out: it is the pool's to rent. */
TEST_F(library, what_is_kept_is_not_adopted)
{
	char *kept = bufpool_rent(self->pool, 4096, 0);
	char *sent = bufpool_rent(self->pool, 4096, 0);
	char *last = bufpool_rent(self->pool, 4096, 0);
	__u64 kept_handle = handle_of(self->pool, kept);
	__u64 sent_handle = handle_of(self->pool, sent);
	__u64 kept_offset = offset_of(self->pool, kept);
	__u64 sent_offset = offset_of(self->pool, sent);
	struct bufpool_rental *rental;
	struct bufpool_place fresh;

	ASSERT_NE(NULL, last);
	ASSERT_LT(3, rented_of(self->pool));
	fresh = bufpool_window_place(&self->pool->window, last);
	do {
		fresh.index++;
		rental = bufpool_rentals_at(&self->pool->rentals, &fresh);
	} while (bufpool_state_kind(rental->state) != BUFPOOL_FRESH);

	ASSERT_EQ(0, bufpool_return(self->pool, kept, 0));
	ASSERT_EQ(NULL, in_thread(return_it, (void *[]){ self->pool, sent }));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, kept_handle, kept_offset));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, kept_handle + 1, kept_offset));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, sent_handle, sent_offset));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, sent_handle + 1, sent_offset));
	EXPECT_EQ(-ESTALE,
		  adopt_error(self->pool,
			      bufpool_window_handle(&self->pool->window, &fresh,
						    rental->generation),
			      bufpool_window_offset(&self->pool->window, &fresh)));
	EXPECT_EQ(0, bufpool_return(self->pool, last, 0));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(library, what_an_ended_thread_kept_serves_others)
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

TEST_F(library, blocks_flow_back_to_who_rents_them)
{
	struct flow flow = { .pool = self->pool };
	pthread_t thread;
	unsigned int i;
	void *block;

	ASSERT_EQ(0, pthread_create(&thread, NULL, return_what_comes, &flow));
	for (i = 0; i < FLOW; i++) {
		block = bufpool_rent(self->pool, 4096, 0);
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

/* Who waits ------------------------------------------------------------------- */

struct idler {
	struct bufpool *pool;
	size_t size;
	void *block;
	pthread_barrier_t barrier;
};

/* Return a block, and use the library no more. */
static void *return_and_idle(void *argument)
{
	struct idler *idler = argument;
	int ret = bufpool_return(idler->pool, idler->block, 0);

	pthread_barrier_wait(&idler->barrier);
	pthread_barrier_wait(&idler->barrier);
	return (void *)(intptr_t)ret;
}

TEST(a_rent_gets_what_an_idle_thread_keeps)
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
TEST_F(shortage, a_return_gives_what_an_idle_thread_keeps)
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
TEST_F(shortage, what_another_thread_rented_is_given_at_once)
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

TEST_F(shortage, every_return_looks_who_waits)
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

TEST_F(library, without_membarrier_nothing_is_kept_any_more)
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
	EXPECT_EQ(1, rented_of(self->pool));
	EXPECT_EQ(NULL, in_thread(return_it, (void *[]){ self->pool, mine }));
	EXPECT_EQ(0, rented_of(self->pool));
}

/* Signals --------------------------------------------------------------------- */

static struct bufpool *handlers_pool;
static unsigned int handled, refused, wrong;

/* Each call either works or is refused, whatever it interrupts. */
static void rent_in_handler(int signal)
{
	int saved = errno;
	void *block;

	(void)signal;
	handled++;
	block = bufpool_rent(handlers_pool, 1, BUFPOOL_RENT_NONBLOCK);
	if (!block)
		errno == EDEADLK ? refused++ : wrong++;
	else if (bufpool_return(handlers_pool, block, 0))
		wrong++;
	errno = saved;
}

TEST_F(library, a_signal_handler_is_served_or_refused)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	void *blocks[100];
	__u64 end = now_ms() + RACE_MS;
	unsigned int i, rounds = 0, failures = 0;

	handlers_pool = self->pool;
	ASSERT_NE(SIG_ERR, signal(SIGALRM, rent_in_handler));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	while (now_ms() < end) {
		for (i = 0; i < 100; i++)
			blocks[i] = bufpool_rent(self->pool, 1, 0);
		for (i = 0; i < 100; i++)
			if (!blocks[i] || bufpool_return(self->pool, blocks[i], 0))
				failures++;
		if (++rounds % 1000 == 0 && bufpool_trim(self->pool, 0, NULL))
			failures++;
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	TH_LOG("%u signals, %u refused", handled, refused);
	EXPECT_EQ(0, failures);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, held(self->pool));
}

static struct middle {
	struct bufpool *pool;
	unsigned int there, trimmed, left;
	bool early;
} middle;

/* Once it has interrupted its thread in the middle of a call, it stays a while. */
static void stay_in_the_middle(int signal)
{
	int saved = errno;
	void *block;

	(void)signal;
	block = bufpool_rent(middle.pool, 1, 0);
	if (block) {
		bufpool_return(middle.pool, block, 0);
	} else if (errno == EDEADLK && !middle.there) {
		word_set(&middle.there, 1);
		sleep_ms(50);
		middle.early = word_get(&middle.trimmed);
		word_set(&middle.left, 1);
	}
	errno = saved;
}

static void *trim_meanwhile(void *unused)
{
	sigset_t alarms;

	(void)unused;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	if (!word_reaches(&middle.there, 1))
		return "nobody was in the middle of a call";
	if (bufpool_trim(middle.pool, 0, NULL))
		return "trim failed";
	word_set(&middle.trimmed, 1);
	return NULL;
}

/* Whoever empties all caches waits until a thread has done with its own. */
TEST_F(library, who_is_in_the_middle_is_waited_for)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	__u64 end = now_ms() + SOON_MS;
	pthread_t thread;
	void *block, *said;

	memset(&middle, 0, sizeof(middle));
	middle.pool = self->pool;
	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, trim_meanwhile, NULL));
	ASSERT_NE(SIG_ERR, signal(SIGALRM, stay_in_the_middle));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	while (!word_get(&middle.left) && now_ms() < end) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(0, pthread_join(thread, &said));
	EXPECT_EQ(NULL, said);
	EXPECT_TRUE(middle.left);
	EXPECT_FALSE(middle.early);
}

/* Operations of a pool's provider that a signal comes in the middle of */
static const struct bufpool_provider_ops *true_ops;
static struct bufpool_provider_ops interrupted_ops;

static int interrupted_return(struct bufpool_provider *provider,
			      const __u64 *handles, unsigned int count,
			      unsigned int flags)
{
	raise(SIGUSR1);
	return true_ops->return_many(provider, handles, count, flags);
}

static int interrupted_stats(struct bufpool_provider *provider,
			     struct bufpool_stats *stats)
{
	raise(SIGUSR1);
	return true_ops->stats(provider, stats);
}

static void interrupted_close(struct bufpool_provider *provider)
{
	raise(SIGUSR1);
	true_ops->close(provider);
}

static void interrupt(struct bufpool *pool)
{
	true_ops = pool->provider.ops;
	interrupted_ops = *true_ops;
	interrupted_ops.return_many = interrupted_return;
	interrupted_ops.stats = interrupted_stats;
	interrupted_ops.close = interrupted_close;
	pool->provider.ops = &interrupted_ops;
	refused = 0;
	wrong = 0;
}

/* In the middle of what has locks, each call is refused. */
static void be_refused(int signal)
{
	struct bufpool_stats stats;
	void *block;

	(void)signal;
	if (rent_error(handlers_pool, MIB, BUFPOOL_RENT_NONBLOCK) == -EDEADLK &&
	    bufpool_rent_many(handlers_pool, MIB, BUFPOOL_RENT_NONBLOCK, &block,
			      1) == -EDEADLK &&
	    bufpool_trim(handlers_pool, 0, NULL) == -EDEADLK &&
	    bufpool_stats(handlers_pool, &stats) == -EDEADLK &&
	    bufpool_close(handlers_pool) == -EDEADLK)
		refused++;
	else
		wrong++;
}

TEST(a_signal_handler_is_refused_in_stats_and_close)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	struct bufpool *other = bufpool_open(NULL, 0);
	struct bufpool_stats stats;

	ASSERT_NE(NULL, pool);
	ASSERT_NE(NULL, other);
	ASSERT_NE(SIG_ERR, signal(SIGUSR1, be_refused));
	handlers_pool = other;
	interrupt(pool);
	EXPECT_EQ(0, bufpool_stats(pool, &stats));
	EXPECT_EQ(1, refused);
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_EQ(2, refused);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, bufpool_close(other));
}

/* Fill the magazine between two barriers, and end. */
static void *keep_and_end(void *argument)
{
	struct idler *idler = argument;
	void *blocks[2];
	intptr_t ret;

	ret = bufpool_rent_many(idler->pool, idler->size, 0, blocks, 2);
	pthread_barrier_wait(&idler->barrier);
	pthread_barrier_wait(&idler->barrier);
	ret -= bufpool_return_many(idler->pool, blocks, 2, 0);
	return (void *)ret;
}

/* The depot is full, so the thread gives what it has kept to the provider. */
TEST_F(library, a_signal_handler_is_refused_when_its_thread_ends)
{
	struct idler idler = { .pool = self->pool, .size = MIB };
	void *blocks[8], *result;
	pthread_t thread;

	ASSERT_NE(SIG_ERR, signal(SIGUSR1, be_refused));
	ASSERT_EQ(0, pthread_barrier_init(&idler.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_and_end, &idler));
	pthread_barrier_wait(&idler.barrier);
	ASSERT_EQ(8, bufpool_rent_many(self->pool, MIB, 0, blocks, 8));
	ASSERT_EQ(8, bufpool_return_many(self->pool, blocks, 8, 0));
	handlers_pool = self->pool;
	interrupt(self->pool);
	pthread_barrier_wait(&idler.barrier);
	ASSERT_EQ(0, pthread_join(thread, &result));
	self->pool->provider.ops = true_ops;
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(1, refused);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, held(self->pool));
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

	for (size = 4096; size <= MIB; size *= 4) {
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
