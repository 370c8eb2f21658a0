// SPDX-License-Identifier: MIT
/*
 * How long a waiter waits, and what its giving up does to the others: nothing.
 */
#include "waiting.h"

TEST_F(line, timeouts_out_of_range)
{
	static const __s64 bad[] = { -1, -2, INT64_MIN, INT64_MIN + 1 };
	size_t i;

	/* Whether there is something, and where there is nothing. */
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, rent_with(self->fd, BLOCK, 0, bad[i],
					     &self->rent));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, rent_with(self->fd, BLOCK, 0, bad[i],
					     &self->rent));
		EXPECT_EQ(-EINVAL, rent_with(self->fd, BLOCK,
					     BUFPOOL_RENT_NONBLOCK, bad[i],
					     &self->rent));
	}
	EXPECT_EQ(0, stats_of(self->fd).waits - self->before.waits);
}

TEST_F(line, shortest_timeouts)
{
	static const __s64 timeouts[] = { 1, 2, 999, 1000, 1000000 };
	size_t i;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < ARRAY_SIZE(timeouts); i++)
		EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, BLOCK, 0, timeouts[i],
						&self->rent));
	EXPECT_EQ(ARRAY_SIZE(timeouts),
		  stats_of(self->fd).waits - self->before.waits);
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

TEST_F(line, not_before_the_time)
{
	__u64 start;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	start = now_ms();
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, BLOCK, 0, 100 * NSEC_PER_MSEC,
					&self->rent));
	EXPECT_LE(100, now_ms() - start);
	/* Without waiting, whatever the timeout says. */
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, BLOCK, BUFPOOL_RENT_NONBLOCK,
				     INT64_MAX, &self->rent));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, BLOCK, 0, INT64_MAX,
				     &self->rent));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, BLOCK, 0, 0, &self->rent));
}

FIXTURE(patience)
{
	int fd;
	struct line *line;
	struct bufpool_block blocks[ALL];
};

FIXTURE_VARIANT(patience)
{
	__s64 timeout_ns;
};

FIXTURE_VARIANT_ADD(patience, for_ever) { .timeout_ns = 0 };
FIXTURE_VARIANT_ADD(patience, longest) { .timeout_ns = INT64_MAX };
FIXTURE_VARIANT_ADD(patience, almost_longest) { .timeout_ns = INT64_MAX - 1 };
FIXTURE_VARIANT_ADD(patience, an_hour) {
	.timeout_ns = 3600 * 1000 * NSEC_PER_MSEC,
};

FIXTURE_SETUP(patience)
{
	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
}

FIXTURE_TEARDOWN(patience)
{
	line_end(self->fd);
}

static pid_t enqueue_patient(struct line *line, __s64 timeout_ns)
{
	struct waiter waiter = {
		.line = line,
		.size = BLOCK,
		.timeout_ns = timeout_ns,
	};

	return enqueue_as(&waiter);
}

TEST_F(patience, is_served)
{
	pid_t pid = enqueue_patient(self->line, variant->timeout_ns);

	ASSERT_LT(0, pid);
	EXPECT_TRUE(only_served(self->line, 0));
	ASSERT_EQ(0, give(self->fd, self->blocks[2].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(self->blocks[2].offset, self->line->places[0].offset);
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

TEST_F(patience, is_interrupted)
{
	pid_t pid = enqueue_patient(self->line, variant->timeout_ns);

	ASSERT_LT(0, pid);
	kill(pid, SIGUSR1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-EINTR, self->line->places[0].answer);
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

/* Signals that are restarted after, stops, and debuggers: no reason to give up. */
TEST_F(line, disturbed_again_and_again)
{
	struct waiter waiter = {
		.line = self->line,
		.size = BLOCK,
		.sa_flags = SA_RESTART,
	};
	pid_t pid;
	int i;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue_as(&waiter);
	ASSERT_LT(0, pid);
	for (i = 0; i < 20; i++) {
		kill(pid, SIGUSR1);
		sleep_ms(i % 3);
		kill(pid, SIGSTOP);
		sleep_ms(i % 2);
		kill(pid, SIGCONT);
	}
	ASSERT_TRUE(waiting_becomes(self->fd, 1));
	EXPECT_TRUE(only_served(self->line, 0));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

/* A wait in vain is charged to no account. */
TEST_F(line, giving_up_costs_nothing)
{
	struct bufpool_stats full, after;
	int waiter = pool_open(), i;

	ASSERT_LE(0, waiter);
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	ASSERT_EQ(0, set_ceiling(waiter, BLOCK));
	ASSERT_EQ(0, pool_stats(waiter, &full));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(-ETIMEDOUT, rent_with(waiter, BLOCK, 0, 1,
						&self->rent));
	after = stats_of(waiter);
	EXPECT_TRUE(unchanged(waiter, &full));
	EXPECT_EQ(full.user_held, after.user_held);
	EXPECT_EQ(full.waits + 20, after.waits);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(0, rent(waiter, BLOCK, &self->rent));
	close(waiter);
}

/* Giving up -------------------------------------------------------------------------- */

enum giving_up {
	BY_TIMEOUT,
	BY_SIGNAL,
	BY_KILL,
};

FIXTURE(quitter)
{
	int fd;
	struct line *line;
	__s64 timeout_ns;
	struct bufpool_block blocks[ALL];
};

FIXTURE_VARIANT(quitter)
{
	enum giving_up by;
	unsigned int number;
};

FIXTURE_VARIANT_ADD(quitter, first_by_timeout) { BY_TIMEOUT, 0 };
FIXTURE_VARIANT_ADD(quitter, first_by_signal) { BY_SIGNAL, 0 };
FIXTURE_VARIANT_ADD(quitter, first_by_kill) { BY_KILL, 0 };
FIXTURE_VARIANT_ADD(quitter, middle_by_timeout) { BY_TIMEOUT, 2 };
FIXTURE_VARIANT_ADD(quitter, middle_by_signal) { BY_SIGNAL, 2 };
FIXTURE_VARIANT_ADD(quitter, middle_by_kill) { BY_KILL, 2 };
FIXTURE_VARIANT_ADD(quitter, last_by_timeout) { BY_TIMEOUT, 4 };
FIXTURE_VARIANT_ADD(quitter, last_by_signal) { BY_SIGNAL, 4 };
FIXTURE_VARIANT_ADD(quitter, last_by_kill) { BY_KILL, 4 };

#define QUITTERS	5

FIXTURE_SETUP(quitter)
{
	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	if (variant->by == BY_TIMEOUT)
		self->timeout_ns = time_to_queue_up(self->line, QUITTERS);
	ASSERT_EQ(variant->by == BY_TIMEOUT, self->timeout_ns > 0);
}

FIXTURE_TEARDOWN(quitter)
{
	line_end(self->fd);
}

/* The others are served, in their order, as if it had never been there. */
TEST_F(quitter, leaves_no_hole)
{
	unsigned int i, next = 0, quits = variant->number;
	pid_t pids[QUITTERS];

	for (i = 0; i < QUITTERS; i++) {
		struct waiter waiter = {
			.line = self->line,
			.number = i,
			.size = BLOCK,
		};

		if (i == quits && variant->by == BY_TIMEOUT)
			waiter.timeout_ns = self->timeout_ns;
		pids[i] = enqueue_as(&waiter);
		ASSERT_LT(0, pids[i]);
	}
	if (variant->by != BY_TIMEOUT)
		EXPECT_EQ(QUITTERS, stats_of(self->fd).waiting);
	if (variant->by == BY_SIGNAL)
		kill(pids[quits], SIGUSR1);
	if (variant->by == BY_KILL)
		kill(pids[quits], SIGKILL);
	EXPECT_EQ(variant->by == BY_KILL ? -SIGKILL : 0, reap(pids[quits]));
	EXPECT_EQ(variant->by == BY_TIMEOUT ? -ETIMEDOUT :
		  variant->by == BY_SIGNAL ? -EINTR : 1,
		  self->line->places[quits].answer);
	EXPECT_EQ(QUITTERS - 1, stats_of(self->fd).waiting);
	for (i = 0; i < ALL; i++, next++) {
		next += next == quits;
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		ASSERT_TRUE(word_reaches(&self->line->served, i + 1));
		EXPECT_EQ(next, self->line->order[i]);
	}
	for (i = 0; i < QUITTERS; i++) {
		if (i != quits)
			EXPECT_EQ(0, dismiss(self->line, i, pids[i]));
	}
	EXPECT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
}

/* Killed with a block on its way that it cannot have seen: it is the next one's. */
TEST_F(line, killed_with_a_block_on_its_way)
{
	unsigned int round;
	int ret;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	for (round = 0; round < 4; round++) {
		memset(self->line, 0, sizeof(*self->line));
		self->pids[0] = enqueue(self->line, 0, BLOCK);
		ASSERT_LT(0, self->pids[0]);
		self->pids[1] = enqueue(self->line, 1, BLOCK);
		ASSERT_LT(0, self->pids[1]);
		ASSERT_TRUE(pin(self->pids[0], 0));
		ASSERT_TRUE(be_alone(true));
		if (round & 1)
			kill(self->pids[0], SIGKILL);
		ret = give_with(self->fd, self->blocks[0].handle, round % 4);
		kill(self->pids[0], SIGKILL);
		ASSERT_TRUE(be_alone(false));
		ASSERT_EQ(0, ret);
		EXPECT_EQ(-SIGKILL, reap(self->pids[0]));
		ASSERT_TRUE(word_reaches(&self->line->served, 1));
		EXPECT_EQ(1, self->line->order[0]);
		EXPECT_EQ(0, dismiss(self->line, 1, self->pids[1]));
		ASSERT_EQ(0, rent_with(self->fd, BLOCK, 0,
				       0, &self->rent));
		self->blocks[0].handle = self->rent.handle;
	}
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	EXPECT_EQ(LIMIT, stats_of(self->fd).in_use);
}

TEST_HARNESS_MAIN
