// SPDX-License-Identifier: MIT
/*
 * libbufpool: signal handlers that use a pool are served or refused, whatever they
 * interrupt.
 */
#include "library_test.h"

#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

static struct bufpool *handlers_pool;
static unsigned int handlers_flags[2], handled, refused, wrong;

static unsigned int flags_for_io(const struct bufpool_info *info)
{
	return info->max_rent_io ? BUFPOOL_RENT_IO : 0;
}

/* To come in the middle of calls, some of them in that of a longer one */
#define SIGNALS	native(500)

/* Each call either works or is refused, whatever it interrupts. */
static void rent_in_handler(int signal)
{
	int saved = errno;
	void *block;

	(void)signal;
	handled++;
	block = bufpool_rent(handlers_pool, 1, BUFPOOL_RENT_NONBLOCK |
						handlers_flags[handled % 2]);
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
	unsigned int i, rounds = 0, failures = 0;

	handlers_pool = self->pool;
	handlers_flags[1] = flags_for_io(&self->info);
	ASSERT_NE(SIG_ERR, signal(SIGALRM, rent_in_handler));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	while (word_get(&handled) < SIGNALS) {
		for (i = 0; i < 100; i++)
			blocks[i] = bufpool_rent(self->pool, 1, handlers_flags[i % 2]);
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
	struct bufpool_magazine *mine;	/* the thread's that is interrupted */
	void *block;			/* that it has rented */
	unsigned int there, revoked, left;
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
	} else if (errno == EDEADLK && !middle.there &&
		   bufpool_cache_is_entered(middle.mine)) {
		word_set(&middle.there, 1);
		middle.early = !BECOMES(cache_is_shared(middle.mine->cache));
		sleep_ms(20);
		middle.early |= word_get(&middle.revoked);
		word_set(&middle.left, 1);
	}
	errno = saved;
}

static void *revoke_meanwhile(void *unused)
{
	sigset_t alarms;

	(void)unused;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	if (!word_reaches(&middle.there, 1))
		return "no call was interrupted";
	if (bufpool_return(middle.pool, middle.block, BUFPOOL_RETURN_REVOKE))
		return "return failed";
	word_set(&middle.revoked, 1);
	return NULL;
}

/* More pairs than are made until a signal comes in the middle of one */
#define INTERRUPTIBLE	100000000

/* An interrupted call may be just about to return that block. */
TEST_F(library, a_revoker_waits_for_an_interrupted_call)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	pthread_t thread;
	void *block, *said;
	unsigned int i;

	memset(&middle, 0, sizeof(middle));
	middle.pool = self->pool;
	middle.block = bufpool_rent(self->pool, 1, 0);
	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	middle.mine = bufpool_mine;
	ASSERT_EQ(0, pthread_create(&thread, NULL, revoke_meanwhile, NULL));
	ASSERT_NE(SIG_ERR, signal(SIGALRM, stay_in_the_middle));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; !word_get(&middle.left) && i < INTERRUPTIBLE; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(0, pthread_join(thread, &said));
	EXPECT_EQ(NULL, said);
	EXPECT_TRUE(middle.left);
	EXPECT_FALSE(middle.early);
}

/* Signals at every instruction of a call -------------------------------------- */

#ifdef __x86_64__

#define SMALL	4096
#define LARGE	(16 * SMALL)
#define STEPS	64		/* instructions of a call */
#define EARLY	12		/* of these, before it has begun with what it does */
#define EARLY_IO 30		/* so too, of a rent of a block for I/O */
#define STRIDE	(SANITIZED ? 9 : 3)	/* that many are dear to a virtual machine */
#define PAIRS	4		/* blocks of each size */

/* Two handlers: one rents and returns, the other rents, at these instructions. */
static struct steps {
	struct bufpool *pool, *passing;
	size_t passing_size, size;
	unsigned int flags, early;	/* of small blocks; EARLY */
	unsigned int done, first, second;
	void *block;
} steps;

static void step(int signal, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
	int saved = errno;
	void *block;

	(void)signal;
	(void)info;
	steps.done++;
	if (steps.done == steps.second)
		*flags &= ~0x100;
	if (steps.done == steps.first) {
		block = bufpool_rent(steps.passing, steps.passing_size, steps.flags);
		if (block)
			bufpool_return(steps.passing, block, 0);
	}
	if (steps.done == steps.second)
		steps.block = bufpool_rent(steps.pool, steps.size, steps.flags);
	errno = saved;
}

static void set_stepping(bool on)
{
	if (on)
		__asm__ volatile("pushf; orq $0x100, (%%rsp); popf" : : : "memory", "cc");
	else
		__asm__ volatile("pushf; andq $~0x100, (%%rsp); popf" : : : "memory", "cc");
}

/* How many of so many blocks are there twice */
static unsigned int count_twice(void *const *blocks, unsigned int count)
{
	unsigned int twice = 0, i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < i; j++)
			twice += blocks[i] && blocks[i] == blocks[j];
	return twice;
}

/*
 * A call that both handlers come in the middle of: it rents a small block, or returns a
 * large one. Then all blocks are rented. Return: how many of them were had by two
 */
static unsigned int step_through(bool is_return)
{
	void *all[6 * PAIRS + 2], *large[PAIRS], *mine = NULL;
	unsigned int i, count = 0;

	for (i = 0; i < PAIRS; i++)
		large[i] = bufpool_rent(steps.pool, LARGE, 0);
	for (i = 1; i < PAIRS; i++)
		bufpool_return(steps.pool, large[i], 0);
	bufpool_return(steps.pool, bufpool_rent(steps.pool, SMALL, steps.flags), 0);
	steps.done = 0;
	steps.block = NULL;
	set_stepping(true);
	if (is_return)
		bufpool_return(steps.pool, large[0], 0);
	else
		mine = bufpool_rent(steps.pool, SMALL, steps.flags);
	set_stepping(false);
	if (!is_return)
		all[count++] = large[0];
	all[count++] = mine;
	all[count++] = steps.block;
	for (i = 0; i < 2 * PAIRS; i++) {
		all[count++] = bufpool_rent(steps.pool, LARGE, 0);
		all[count++] = bufpool_rent(steps.pool, SMALL, steps.flags);
	}
	i = count_twice(all, count);
	while (count)
		if (all[--count])
			i += !!bufpool_return(steps.pool, all[count], 0);
	return i;
}

/*
 * After each of the early instructions of a call comes the first handler, and after a
 * later one the other.
 */
static unsigned int step_through_all(bool is_return)
{
	unsigned int wrong = 0;

	for (steps.first = 1; steps.first < steps.early; steps.first++)
		for (steps.second = steps.first + 1 + steps.first % STRIDE;
		     steps.second < STEPS; steps.second += STRIDE)
			wrong += step_through(is_return);
	return wrong;
}

TEST_F(library, signals_at_every_instruction_are_served_or_refused)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
	struct bufpool *other = bufpool_open(NULL, 0);

	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	bufpool_return(other, bufpool_rent(other, SMALL, 0), 0);
	steps = (struct steps){ self->pool, self->pool, LARGE, LARGE, 0, EARLY };
	EXPECT_EQ(0, step_through_all(true));
	EXPECT_EQ(0, step_through_all(false));
	steps.passing = other;
	steps.passing_size = SMALL;
	steps.size = SMALL;
	EXPECT_EQ(0, step_through_all(true));
	EXPECT_EQ(0, step_through_all(false));
	EXPECT_EQ(0, held(self->pool));
	EXPECT_EQ(0, bufpool_close(other));
}

/* What rents them finds its magazine in another way. */
TEST_F(library, so_are_those_that_interrupt_rents_for_io)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
	unsigned int flags = flags_for_io(&self->info);

	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	steps = (struct steps){ self->pool, self->pool, SMALL, SMALL, flags, EARLY_IO };
	EXPECT_EQ(0, step_through_all(false));
	EXPECT_EQ(0, held(self->pool));
}

/* That sanitizer has locks of its own, which these handlers find taken. */
#ifndef __SANITIZE_THREAD__

/* In the middle of a call for one pool: two others are closed, and another is used. */
static struct closing {
	struct bufpool *used[2], *next;
	unsigned int done, at, failures;
} closing;

static struct bufpool *open_and_use(void)
{
	struct bufpool *pool = bufpool_open(NULL, 0);

	bufpool_return(pool, bufpool_rent(pool, SMALL, 0), 0);
	return pool;
}

static void close_in_the_middle(int signal, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)signal;
	(void)info;
	if (++closing.done != closing.at)
		return;
	*flags &= ~0x100;
	closing.failures += !!bufpool_close(closing.used[0]);
	closing.failures += !!bufpool_close(closing.used[1]);
	bufpool_return(closing.next, bufpool_rent(closing.next, SMALL, 0), 0);
}

/* The call may have begun to look at what the thread has of the closed one. */
TEST_F(library, a_pool_closed_in_the_middle_of_a_call_does_no_harm)
{
	struct sigaction action = {
		.sa_sigaction = close_in_the_middle, .sa_flags = SA_SIGINFO
	};
	void *block;

	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	for (closing.at = 1; closing.at < EARLY; closing.at++) {
		closing.done = 0;
		closing.next = bufpool_open(NULL, 0);
		/* Had it been unmapped, the next would lie where the first was. */
		closing.used[0] = open_and_use();
		closing.used[1] = open_and_use();
		set_stepping(true);
		block = bufpool_rent(self->pool, SMALL, 0);
		set_stepping(false);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
		EXPECT_LE(closing.at, closing.done);
		EXPECT_EQ(0, bufpool_close(closing.next));
	}
	EXPECT_EQ(0, closing.failures);
	EXPECT_EQ(0, held(self->pool));
}

/* The thread that rented a block is alone with its cache again, and may return it. */
static struct alone {
	struct bufpool_magazine *magazine;
	struct bufpool *pool;
	struct bufpool_rental *rental;
	__u32 unit, claimed;
	bool returns, is_alone;
} alone;

static void be_alone(void)
{
	struct bufpool_stack *stack = alone.magazine->stack;

	alone.magazine->waiting = waiting_for(alone.pool, alone.magazine);
	alone.magazine->cache->sharings++;
	alone.is_alone = true;
	if (!alone.returns)
		return;
	bufpool_rental_set(alone.rental, bufpool_state(BUFPOOL_FREE, 0));
	bufpool_stack_push(stack, stack->top + 1, alone.unit);
}

/* Once this thread has claimed the block, which the other had seen to be its own before */
static void be_alone_once_claimed(int signal, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)signal;
	(void)info;
	if (bufpool_rental_state(alone.rental) != alone.claimed)
		return;
	*flags &= ~0x100;
	be_alone();
}

/* Rents two blocks, and stays until both are returned. */
static void *rent_two_and_stay(void *argument)
{
	void **blocks = argument;

	blocks[0] = bufpool_rent(alone.pool, SMALL, 0);
	blocks[1] = bufpool_rent(alone.pool, SMALL, 0);
	alone.magazine = bufpool_mine;
	pthread_barrier_wait(blocks[2]);
	pthread_barrier_wait(blocks[2]);
	return NULL;
}

/*
 * Return a block of another thread, which is alone with its cache once this one has
 * claimed the block. Return: what that said, or 1
 */
static int return_while_alone(struct bufpool *pool, bool returns)
{
	struct sigaction action = {
		.sa_sigaction = be_alone_once_claimed, .sa_flags = SA_SIGINFO
	};
	pthread_barrier_t barrier;
	void *blocks[3] = { [2] = &barrier };
	pthread_t thread;
	int ret;

	alone = (struct alone){ .pool = pool, .returns = returns };
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, rent_two_and_stay, blocks))
		return 1;
	pthread_barrier_wait(&barrier);
	/* A magazine with room, and nothing that takes a call any more */
	bufpool_return(pool, bufpool_rent(pool, SMALL, 0), 0);
	bufpool_return(pool, blocks[0], 0);
	alone.unit = bufpool_magazine_unit(alone.magazine, blocks[1]);
	alone.rental = &alone.magazine->rentals[alone.unit];
	alone.claimed = bufpool_state(BUFPOOL_CLAIMED, bufpool_mine->cache->nr);
	sigaction(SIGTRAP, &action, NULL);
	set_stepping(true);
	ret = bufpool_return(pool, blocks[1], 0);
	set_stepping(false);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return alone.is_alone ? ret : 1;
}

/* Between two looks at whether the cache is shared */
TEST_F(library, a_claim_is_good_only_while_the_renter_is_not_alone)
{
	EXPECT_EQ(-ESTALE, return_while_alone(self->pool, true));
	EXPECT_EQ(0, held(self->pool));
	EXPECT_EQ(0, return_while_alone(self->pool, false));
	EXPECT_EQ(0, held(self->pool));
}

#endif /* __SANITIZE_THREAD__ */
#endif /* __x86_64__ */

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
	struct bufpool_stats stats = { .size = sizeof(stats) };
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
	struct bufpool_stats stats = { .size = sizeof(stats) };

	ASSERT_NE(NULL, pool);
	ASSERT_NE(NULL, other);
	ASSERT_NE(SIG_ERR, signal(SIGUSR1, be_refused));
	handlers_pool = other;
	interrupt(pool);
	EXPECT_EQ(0, bufpool_stats(pool, &stats));
	EXPECT_EQ(1, refused);
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_LE(2, refused);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, bufpool_close(other));
}

TEST_HARNESS_MAIN
