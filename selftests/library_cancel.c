// SPDX-License-Identifier: MIT
/*
 * Threads that are cancelled in calls of a private pool, or jump out of one.
 */
#include "library_private.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

struct doomed {
	struct bufpool *pool;
	void *block;
	int result;
	bool survived;
};

/* This thread has been cancelled already. */
static void *return_doomed(void *argument)
{
	struct doomed *doomed = argument;

	pthread_cancel(pthread_self());
	doomed->result = bufpool_return(doomed->pool, doomed->block,
					BUFPOOL_RETURN_REVOKE);
	doomed->survived = true;
	pthread_testcancel();
	return NULL;
}

/* To open a file is what threads are cancelled at. */
static void *open_doomed(void *argument)
{
	struct doomed *doomed = argument;

	pthread_cancel(pthread_self());
	doomed->result = open_error("/dev/null", 0) + ENOTTY;
	doomed->survived = true;
	pthread_testcancel();
	return NULL;
}

static void *close_doomed(void *argument)
{
	struct doomed *doomed = argument;

	pthread_cancel(pthread_self());
	doomed->result = bufpool_close(doomed->pool);
	doomed->survived = true;
	pthread_testcancel();
	return NULL;
}

/* Whether it got through its call, and was cancelled only then. */
static bool outlives(void *(*body)(void *), struct doomed *doomed)
{
	pthread_t thread;
	void *result;

	return !pthread_create(&thread, NULL, body, doomed) &&
	       !pthread_join(thread, &result) && doomed->survived &&
	       !doomed->result && result == PTHREAD_CANCELED;
}

TEST_F(private, a_return_is_not_cancelled)
{
	struct doomed doomed = { .pool = self->pool };

	doomed.block = bufpool_rent(self->pool, SMALL, 0);
	ASSERT_NE(NULL, doomed.block);
	ASSERT_TRUE(outlives(return_doomed, &doomed));
	EXPECT_EQ(0, held(self->pool));
}

TEST(open_is_not_cancelled)
{
	struct doomed doomed = { 0 };
	int fd = next_fd();

	EXPECT_TRUE(outlives(open_doomed, &doomed));
	EXPECT_EQ(fd, next_fd());
}

TEST(close_is_not_cancelled)
{
	struct doomed doomed = { .pool = bufpool_open(NULL, 0) };

	ASSERT_NE(NULL, doomed.pool);
	EXPECT_TRUE(outlives(close_doomed, &doomed));
	EXPECT_EQ(-1, memory_kib());
}

/* What must not be done: a handler jumps out of the call that it interrupted. */

static sigjmp_buf before_call;
static unsigned int jumped, may_go;

static void jump(int signal)
{
	(void)signal;
	if (!word_get(&jumped))
		siglongjmp(before_call, 1);
}

static void *jump_out_of_calls(void *argument)
{
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };
	struct bufpool *pool = argument;
	/* not where a jump would undo what is written to them */
	static void *said;
	static int tries;
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	/* until one was in the middle of a call */
	while (tries++ < 10000 && !(said && errno == EDEADLK)) {
		if (!sigsetjmp(before_call, 1))
			for (;;)
				bufpool_trim(pool, 0, NULL);
		errno = 0;
		said = bufpool_rent(pool, 1, BUFPOOL_RENT_NONBLOCK) ? NULL : pool;
	}
	word_set(&jumped, 1);
	setitimer(ITIMER_REAL, &never, NULL);
	if (bufpool_close(pool) != -EDEADLK)
		said = NULL;
	word_set(&may_go, 1);
	BECOMES(word_get(&may_go) == 2);
	return said;
}

TEST(close_ends_after_a_jump_out_of_a_call)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	sigset_t alarms;
	pthread_t thread;
	void *said;

	ASSERT_NE(NULL, pool);
	ASSERT_NE(SIG_ERR, signal(SIGALRM, jump));
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	ASSERT_EQ(0, pthread_create(&thread, NULL, jump_out_of_calls, pool));
	ASSERT_TRUE(BECOMES(word_get(&may_go) == 1));
	EXPECT_EQ(0, bufpool_close(pool));
	word_set(&may_go, 2);
	ASSERT_EQ(0, pthread_join(thread, &said));
	EXPECT_EQ(pool, said);
}

TEST_HARNESS_MAIN
