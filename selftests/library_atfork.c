// SPDX-License-Identifier: MIT
/*
 * libbufpool: what a program may do where it forks: in its pthread_atfork() handlers, which
 * were registered before it opened its first pool, and in signal handlers.
 */
#include "library_test.h"

#include <sys/time.h>

/* Where the child hangs it is ended. */
#define SECONDS_IN_CHILD	20

static struct bufpool *pool;

static bool pair(struct bufpool *of, unsigned int flags)
{
	void *block = bufpool_rent(of, 100, 0);

	return block && !bufpool_return(of, block, flags);
}

/* Fork, and run @body in the child: 0 if it said so. */
static int forked(int (*body)(void))
{
	pid_t pid = fork();

	if (!pid)
		_exit(body ? body() : 0);
	return pid < 0 ? -errno : reap(pid);
}

/* Closed before, and opened again on both sides */

static void close_pool(void)
{
	bufpool_close(pool);
}

static void open_pool(void)
{
	pool = bufpool_open(NULL, 0);
}

static int new_pool_works(void)
{
	CHECK(pool && pair(pool, 0) && pair(pool, BUFPOOL_RETURN_CLEAR));
	CHECK(held(pool) == 0);
	CHECK(bufpool_close(pool) == 0);
	return 0;
}

TEST(pools_are_closed_and_opened_again)
{
	int i;

	ASSERT_EQ(0, pthread_atfork(close_pool, open_pool, open_pool));
	open_pool();
	for (i = 0; i < 10; i++) {
		ASSERT_NE(NULL, pool);
		ASSERT_TRUE(pair(pool, 0));
		EXPECT_EQ(0, forked(new_pool_works));
	}
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Threads that end before, and are started again in the parent */

static unsigned int stop;
static pthread_t worker;

static void *work(void *failed)
{
	while (!word_get(&stop))
		if (!pair(pool, 0))
			return &stop;
	return failed;
}

static void join_worker(void)
{
	word_set(&stop, 1);
	pthread_join(worker, NULL);
}

static void start_worker(void)
{
	word_set(&stop, 0);
	pthread_create(&worker, NULL, work, NULL);
}

TEST(threads_are_joined)
{
	int i;

	ASSERT_EQ(0, pthread_atfork(join_worker, start_worker, NULL));
	open_pool();
	ASSERT_NE(NULL, pool);
	start_worker();
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, forked(NULL));
	join_worker();
	EXPECT_EQ(0, bufpool_close(pool));
}

/* A lock that is held over open and close in one place, and over fork in the other */

static pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;

static void lock_mine(void)
{
	pthread_mutex_lock(&mine);
}

static void unlock_mine(void)
{
	pthread_mutex_unlock(&mine);
}

static void *open_and_close(void *failed)
{
	struct bufpool *own;
	bool is_fine = true;

	while (!word_get(&stop) && is_fine) {
		lock_mine();
		own = bufpool_open(NULL, 0);
		is_fine = own && pair(own, 0) && !bufpool_close(own);
		unlock_mine();
		sched_yield();
	}
	return is_fine ? failed : &stop;
}

TEST(a_lock_is_held_over_close_and_over_fork)
{
	pthread_t thread;
	void *said;
	unsigned int i;

	ASSERT_EQ(0, pthread_atfork(lock_mine, unlock_mine, unlock_mine));
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_and_close, NULL));
	for (i = 0; i < native(10); i++)
		EXPECT_EQ(0, forked(NULL));
	word_set(&stop, 1);
	ASSERT_EQ(0, pthread_join(thread, &said));
	EXPECT_EQ(NULL, said);
}

/*
 * Whatever other threads were in the middle of, the child has a library that works; and
 * memory, but with a sanitizer's allocator.
 */
#if !SANITIZED

static int open_own(void)
{
	alarm(SECONDS_IN_CHILD);
	open_pool();
	return new_pool_works();
}

TEST(a_child_opens_a_pool_while_threads_open_and_close)
{
	pthread_t thread;
	unsigned int i;
	void *said;

	ASSERT_EQ(0, pthread_create(&thread, NULL, open_and_close, NULL));
	for (i = 0; i < native(10); i++)
		EXPECT_EQ(0, forked(open_own));
	word_set(&stop, 1);
	ASSERT_EQ(0, pthread_join(thread, &said));
	EXPECT_EQ(NULL, said);
}

#endif

/* Signal handlers that fork */

static unsigned int children, failures;

static int is_refused_or_served(void)
{
	/* ECHILD, or EDEADLK where it interrupted a call */
	return bufpool_trim(pool, 0, NULL) ? 0 : 1;
}

/* After so much work: a handler that takes longer does not keep the process from it. */
static void next_signal(suseconds_t usec)
{
	struct itimerval once = { .it_value.tv_usec = usec };

	setitimer(ITIMER_PROF, &once, NULL);
}

static void fork_in_handler(int signal)
{
	int saved = errno;

	(void)signal;
	if (forked(is_refused_or_served))
		failures++;
	children++;
	next_signal(1700);
	errno = saved;
}

static bool begin_signals(void)
{
	struct sigaction action = { .sa_handler = fork_in_handler, .sa_flags = SA_RESTART };

	if (sigaction(SIGPROF, &action, NULL))
		return false;
	next_signal(1700);
	return true;
}

static void end_signals(void)
{
	signal(SIGPROF, SIG_IGN);
}

TEST(a_handler_forks_in_open_and_close)
{
	open_pool();
	ASSERT_NE(NULL, pool);
	ASSERT_TRUE(begin_signals());
	while (word_get(&children) < native(5)) {
		struct bufpool *own = bufpool_open(NULL, 0);

		ASSERT_NE(NULL, own);
		ASSERT_TRUE(pair(own, 0));
		ASSERT_EQ(0, bufpool_close(own));
	}
	end_signals();
	EXPECT_EQ(0, failures);
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST(a_handler_forks_in_rent_and_return)
{
	open_pool();
	ASSERT_NE(NULL, pool);
	ASSERT_TRUE(begin_signals());
	while (word_get(&children) < native(5)) {
		ASSERT_TRUE(pair(pool, 0));
		ASSERT_TRUE(pair(pool, BUFPOOL_RETURN_REVOKE));
	}
	end_signals();
	EXPECT_EQ(0, failures);
	EXPECT_EQ(0, held(pool));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* What the child has of a pool goes when it closes that, with what threads had. */

#define THREADS	8

static pthread_barrier_t barrier;

static void *pair_and_stay(void *failed)
{
	bool is_fine = pair(pool, 0);

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return is_fine ? NULL : failed;
}

static int close_frees_all(void)
{
	long before = status_kib("VmSize:"), caches = pool->caches.nr;

	CHECK(caches >= THREADS);
	CHECK(bufpool_close(pool) == 0);
	CHECK(status_kib("VmSize:") <=
	      before - caches * (long)(sizeof(struct bufpool_cache) / KIB));
	return 0;
}

TEST(close_in_the_child_frees_what_threads_had)
{
	pthread_t threads[THREADS];
	int i;

	open_pool();
	ASSERT_NE(NULL, pool);
	ASSERT_TRUE(pair(pool, 0));
	if (!pool->caches.all)
		SKIP(return, "nothing is kept here");
	ASSERT_EQ(0, pthread_barrier_init(&barrier, NULL, THREADS + 1));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, pair_and_stay, &barrier));
	pthread_barrier_wait(&barrier);
	EXPECT_EQ(0, forked(close_frees_all));
	pthread_barrier_wait(&barrier);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(pair(pool, 0));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_HARNESS_MAIN
