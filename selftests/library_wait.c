// SPDX-License-Identifier: MIT
/*
 * libbufpool: how long a rent waits, and what ends that
 */
#include "library_test.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>

/* Whatever hangs here hangs for ever. */
#define SECONDS	60

/* A thread that rents, and what came of it */
struct renter {
	struct bufpool *pool;
	size_t size;
	int64_t timeout_ns;
	void *block;
	int error;
	pid_t tid;
	pthread_t thread;
};

static void *rent_in_thread(void *argument)
{
	struct renter *renter = argument;

	__atomic_store_n(&renter->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	renter->block = bufpool_rent_timed(renter->pool, renter->size, 0,
					   renter->timeout_ns);
	renter->error = renter->block ? 0 : errno;
	return NULL;
}

static uint64_t waiting_in(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.waiting;
}

/* As the @nr-th that waits */
static bool let_wait(struct renter *renter, unsigned int nr)
{
	return !pthread_create(&renter->thread, NULL, rent_in_thread, renter) &&
	       BECOMES(waiting_in(renter->pool) == nr) &&
	       task_sleeps(getpid(), __atomic_load_n(&renter->tid, __ATOMIC_ACQUIRE));
}

static struct renter patient_renter(struct bufpool *pool, size_t size)
{
	return (struct renter){ .pool = pool, .size = size, .timeout_ns = BUFPOOL_FOREVER };
}

/* Where the status says who waits for blocks of @size */
static unsigned int waiting_of(struct bufpool *pool, size_t size)
{
	unsigned int nr = bufpool_classes_for(&pool->classes, BUFPOOL_BACKING_SLAB, size);

	return __atomic_load_n(&pool->provider.status->waiting_of[nr], __ATOMIC_RELAXED);
}

/* Without a call it is known who waits; a block of the next two sizes is as good. */
TEST_F_TIMEOUT(exhausted, status_tells_for_which_size, SECONDS)
{
	struct renter renter = patient_renter(self->pool, 2 * PAGE);

	ASSERT_TRUE(let_wait(&renter, 1));
	EXPECT_EQ(1, __atomic_load_n(&self->pool->provider.status->waiting, __ATOMIC_RELAXED));
	EXPECT_EQ(0, waiting_of(self->pool, PAGE));
	EXPECT_EQ(1, waiting_of(self->pool, 2 * PAGE));
	EXPECT_EQ(1, waiting_of(self->pool, 4 * PAGE));
	EXPECT_EQ(1, waiting_of(self->pool, 8 * PAGE));
	EXPECT_EQ(0, waiting_of(self->pool, 16 * PAGE));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_EQ(0, __atomic_load_n(&self->pool->provider.status->waiting, __ATOMIC_RELAXED));
	EXPECT_EQ(0, waiting_of(self->pool, 2 * PAGE));
	EXPECT_EQ(0, waiting_of(self->pool, 8 * PAGE));
}

TEST_F_TIMEOUT(exhausted, without_time_it_does_not_wait, SECONDS)
{
	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, 0, 0));
	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, 0, 1));
	EXPECT_EQ(-EAGAIN, timed_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK, 0));
	EXPECT_EQ(-EAGAIN, timed_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK,
				       BUFPOOL_FOREVER));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	EXPECT_EQ(0, timed_error(self->pool, self->size, 0, 0));
}

TEST_F_TIMEOUT(exhausted, for_ever_it_does, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);

	ASSERT_TRUE(let_wait(&renter, 1));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_NE(NULL, renter.block);
}

static unsigned int handled;

static void count_signal(int signal)
{
	(void)signal;
	__atomic_add_fetch(&handled, 1, __ATOMIC_RELEASE);
}

static bool handle_signals(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	return !sigaction(SIGUSR1, &action, NULL);
}

TEST_F_TIMEOUT(exhausted, a_handler_without_restart_interrupts, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);

	ASSERT_TRUE(handle_signals(0));
	ASSERT_TRUE(let_wait(&renter, 1));
	ASSERT_EQ(0, pthread_kill(renter.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_EQ(NULL, renter.block);
	EXPECT_EQ(EINTR, renter.error);
	EXPECT_EQ(1, handled);
	EXPECT_EQ(0, waiting_in(self->pool));
}

TEST_F_TIMEOUT(exhausted, a_handler_with_restart_does_not, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);

	ASSERT_TRUE(handle_signals(SA_RESTART));
	ASSERT_TRUE(let_wait(&renter, 1));
	ASSERT_EQ(0, pthread_kill(renter.thread, SIGUSR1));
	ASSERT_TRUE(BECOMES(word_get(&handled) == 1));
	EXPECT_TRUE(task_sleeps(getpid(), renter.tid));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_NE(NULL, renter.block);
}

/* Faults are a thread's own, and come in no wait: what handles them does not count. */
TEST_F_TIMEOUT(exhausted, a_handler_of_faults_does_not, SECONDS)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	struct renter renter = patient_renter(self->pool, self->size);
	struct sigaction action = { .sa_handler = count_signal }, saved[ARRAY_SIZE(faults)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		ASSERT_EQ(0, sigaction(faults[i], &action, &saved[i]));
	ASSERT_TRUE(handle_signals(SA_RESTART));
	ASSERT_TRUE(let_wait(&renter, 1));
	ASSERT_EQ(0, pthread_kill(renter.thread, SIGUSR1));
	ASSERT_TRUE(BECOMES(word_get(&handled) == 1));
	EXPECT_TRUE(task_sleeps(getpid(), renter.tid));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_NE(NULL, renter.block);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		ASSERT_EQ(0, sigaction(faults[i], &saved[i], NULL));
}

/* To a moment just behind the next full second of the clock that it is counted by. */
TEST_F_TIMEOUT(exhausted, a_time_limit_goes_beyond_a_second, SECONDS)
{
	struct timespec now;

	ASSERT_EQ(0, clock_gettime(CLOCK_MONOTONIC, &now));
	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, 0,
					  1001 * NSEC_PER_MSEC - now.tv_nsec));
}

/* Cancelling -------------------------------------------------------------------- */

#define RENTERS	4

TEST_F_TIMEOUT(exhausted, cancel_ends_every_wait, SECONDS)
{
	struct renter renters[RENTERS];
	int i;

	for (i = 0; i < RENTERS; i++) {
		renters[i] = patient_renter(self->pool, self->size);
		ASSERT_TRUE(let_wait(&renters[i], i + 1));
	}
	EXPECT_EQ(0, bufpool_cancel(self->pool, 1));
	for (i = 0; i < RENTERS; i++) {
		ASSERT_EQ(0, pthread_join(renters[i].thread, NULL));
		EXPECT_EQ(NULL, renters[i].block);
		EXPECT_EQ(ECANCELED, renters[i].error);
	}
	EXPECT_EQ(-ECANCELED, rent_error(self->pool, self->size, 0));
	EXPECT_EQ(-ECANCELED, timed_error(self->pool, self->size, 0, 1));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, waiting_in(self->pool));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	EXPECT_EQ(0, rent_error(self->pool, self->size, 0));
}

TEST_F_TIMEOUT(exhausted, cancelling_can_be_taken_back, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);

	EXPECT_EQ(0, bufpool_cancel(self->pool, 1));
	EXPECT_EQ(0, bufpool_cancel(self->pool, 0));
	ASSERT_TRUE(let_wait(&renter, 1));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_NE(NULL, renter.block);
}

static struct bufpool *handlers_pool;
static int handlers_answer = 1;

/* Whatever it interrupts, it works. */
static void cancel_in_handler(int signal)
{
	int ret = bufpool_cancel(handlers_pool, 1);

	(void)signal;
	if (handlers_answer > 0 || ret)
		handlers_answer = ret;
	handled++;
}

TEST_F_TIMEOUT(exhausted, a_handler_cancels, SECONDS)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct renter renter = patient_renter(self->pool, self->size);
	sigset_t alarms, before;

	handlers_pool = self->pool;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	/* not in the renter, which it would interrupt */
	pthread_sigmask(SIG_BLOCK, &alarms, &before);
	ASSERT_TRUE(let_wait(&renter, 1));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ASSERT_NE(SIG_ERR, signal(SIGALRM, cancel_in_handler));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	while (word_get(&handled) < native(20))
		rent_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_EQ(ECANCELED, renter.error);
	EXPECT_EQ(0, handlers_answer);
}

TEST_F(library, cancel_refusals)
{
	EXPECT_EQ(-EINVAL, bufpool_cancel(NULL, 1));
	EXPECT_EQ(-EINVAL, bufpool_poller(NULL, 1));
	EXPECT_EQ(-EINVAL, bufpool_poller(self->pool, 0));
	EXPECT_EQ(-EMSGSIZE, bufpool_poller(self->pool, self->info.max_rent + 1));
	EXPECT_EQ(-EMSGSIZE, bufpool_poller(self->pool, SIZE_MAX));
}

/* Polling ----------------------------------------------------------------------- */

TEST_F_TIMEOUT(exhausted, a_poller_tells_of_its_size, SECONDS)
{
	int large = bufpool_poller(self->pool, self->size);
	int small = bufpool_poller(self->pool, self->size / 4);
	void *quarter;

	ASSERT_LE(0, large);
	ASSERT_LE(0, small);
	EXPECT_EQ(0, poll_now(large, POLLIN));
	EXPECT_EQ(0, poll_now(small, POLLIN));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(POLLIN, poll_now(large, POLLIN));
	EXPECT_EQ(POLLIN, poll_now(small, POLLIN));
	quarter = bufpool_rent(self->pool, self->size / 4, 0);
	ASSERT_NE(NULL, quarter);
	EXPECT_EQ(0, poll_now(large, POLLIN));
	EXPECT_EQ(POLLIN, poll_now(small, POLLIN));
	ASSERT_EQ(0, bufpool_return(self->pool, quarter, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(POLLIN, poll_now(large, POLLIN));
	EXPECT_EQ(0, rent_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, poll_now(large, POLLIN));
	close(large);
	close(small);
}

static void *poll_in_thread(void *argument)
{
	struct renter *renter = argument;
	struct pollfd pollfd = {
		.fd = bufpool_poller(renter->pool, renter->size),
		.events = POLLIN,
	};

	__atomic_store_n(&renter->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	renter->error = poll(&pollfd, 1, -1);
	close(pollfd.fd);
	return NULL;
}

static void *return_when_cancelled(void *argument)
{
	struct renter *renter = argument;

	pthread_cancel(pthread_self());
	renter->error = bufpool_return(renter->pool, renter->block, BUFPOOL_RETURN_REVOKE);
	pthread_testcancel();
	return NULL;
}

/* Telling a poller is no cancellation point. */
TEST_F_TIMEOUT(exhausted, a_cancelled_thread_tells_a_poller, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);
	int poller = bufpool_poller(self->pool, self->size);
	void *result;

	ASSERT_LE(0, poller);
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	renter.block = self->block;
	ASSERT_EQ(0, pthread_create(&renter.thread, NULL, return_when_cancelled, &renter));
	ASSERT_EQ(0, pthread_join(renter.thread, &result));
	EXPECT_EQ(PTHREAD_CANCELED, result);
	EXPECT_EQ(0, renter.error);
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	EXPECT_EQ(0, rent_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK));
	close(poller);
}

TEST_F_TIMEOUT(exhausted, a_poller_wakes_up, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);

	ASSERT_EQ(0, pthread_create(&renter.thread, NULL, poll_in_thread, &renter));
	ASSERT_TRUE(BECOMES(__atomic_load_n(&renter.tid, __ATOMIC_ACQUIRE)));
	ASSERT_TRUE(task_sleeps(getpid(), renter.tid));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_EQ(1, renter.error);
}

/* Also of a block that a thread would keep. */
TEST_F_TIMEOUT(library, a_poller_tells_of_what_is_kept, SECONDS)
{
	void *blocks[64];
	unsigned int count = 0;
	struct bufpool *pool;
	int poller;

	ASSERT_EQ(0, bufpool_close(self->pool));
	ASSERT_EQ(0, small_limit());
	pool = bufpool_open(NULL, 0);
	self->pool = pool;
	ASSERT_NE(NULL, pool);
	while (count < 64 && (blocks[count] = bufpool_rent(pool, MIB, BUFPOOL_RENT_NONBLOCK)))
		count++;
	ASSERT_EQ(EAGAIN, errno);
	poller = bufpool_poller(pool, MIB);
	ASSERT_LE(0, poller);
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	ASSERT_EQ(0, bufpool_return(pool, blocks[0], 0));
	EXPECT_TRUE(BECOMES(poll_now(poller, POLLIN) == POLLIN));
	EXPECT_EQ(0, rent_error(pool, MIB, BUFPOOL_RENT_NONBLOCK));
	close(poller);
	if (!private_chosen())
		limit_restore();
}

/* What was kept when it was made, and is rented from there, is not there any more. */
TEST_F_TIMEOUT(exhausted, a_poller_sees_what_was_kept_go, SECONDS)
{
	void *blocks[4];
	int poller;

	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	ASSERT_EQ(4, bufpool_rent_many(self->pool, self->size / 4, 0, blocks, 4));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
	poller = bufpool_poller(self->pool, self->size / 4);
	ASSERT_LE(0, poller);
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	EXPECT_EQ(0, rent_error(self->pool, self->size / 4, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	close(poller);
}

/* A rent that is not to wait goes behind those that do. */
TEST_F_TIMEOUT(exhausted, a_poller_is_not_told_of_waiters_room, SECONDS)
{
	struct renter renter = patient_renter(self->pool, self->size);
	int poller = bufpool_poller(self->pool, self->size / 4);

	ASSERT_LE(0, poller);
	if (!private_chosen())
		SKIP(return, "the kernel has rules of its own for this");
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	ASSERT_EQ(0, rent_error(self->pool, self->size / 2, 0));
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	ASSERT_TRUE(let_wait(&renter, 1));
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size / 4, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, bufpool_cancel(self->pool, 1));
	ASSERT_EQ(0, pthread_join(renter.thread, NULL));
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	close(poller);
}

/* Whoever reads what is in it, which is not meant, hangs nobody. */
TEST_F_TIMEOUT(exhausted, a_poller_may_be_read, SECONDS)
{
	int poller = bufpool_poller(self->pool, self->size);
	char byte;

	ASSERT_LE(0, poller);
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	EXPECT_EQ(private_chosen() ? 1 : -1, read(poller, &byte, 1));
	EXPECT_EQ(0, rent_error(self->pool, self->size, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-1, private_chosen() ? read(poller, &byte, 1) : -1);
	close(poller);
}

/* errno ------------------------------------------------------------------------- */

TEST_F(library, errno_survives_what_succeeds)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };
	void *blocks[300];
	unsigned int i;

	errno = 77;
	for (i = 0; i < 300; i++)
		ASSERT_NE(NULL, (blocks[i] = bufpool_rent(self->pool, 1, 0)));
	for (i = 0; i < 300; i++)
		ASSERT_EQ(0, bufpool_return(self->pool, blocks[i], i % 4));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	EXPECT_EQ(0, bufpool_stats(self->pool, &stats));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, bufpool_close(self->pool));
	self->pool = NULL;
	EXPECT_EQ(77, errno);
}

/* Where there is less of it than a pool would have, it takes what there is. */
TEST(errno_survives_an_open_with_little_address_space)
{
	struct rlimit space;
	struct bufpool *pool;

	if (SANITIZED || in_valgrind())
		SKIP(return, "what this runs in takes address space itself");
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &space));
	space.rlim_cur = (rlim_t)status_kib("VmSize:") * 1024 + 1024 * MIB;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &space));
	errno = 77;
	pool = bufpool_open(NULL, 0);
	EXPECT_NE(NULL, pool);
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_HARNESS_MAIN
