// SPDX-License-Identifier: MIT
/*
 * Cancelling: no rent of a client waits, until that is taken back.
 */
#include "waiting.h"

/* A renter that is a process of its own, of the client that it is given */
struct renter {
	int fd;
	int answer;	/* what its rent said */
};

static int rent_and_tell(void *arg)
{
	struct renter *renter = arg;
	struct bufpool_rent rented;

	renter->answer = rent_with(renter->fd, BLOCK, 0, 0, &rented);
	return 0;
}

static pid_t let_wait(struct renter *renter, int fd)
{
	pid_t pid;

	renter->fd = fd;
	renter->answer = 1;
	pid = spawn(rent_and_tell, renter);
	return task_sleeps(pid, pid) ? pid : -1;
}

/* A client that all is rented to, and another that waits */
FIXTURE(cancelled)
{
	int fd;
	int other;
	struct line *line;
	struct bufpool_block blocks[ALL];
	struct bufpool_rent rent;
	struct renter *renters;
	pid_t pids[PLACES];
};

FIXTURE_SETUP(cancelled)
{
	ASSERT_TRUE(line_begin(&self->other, &self->line));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(ALL, drain(self->other, BLOCK, self->blocks, ALL));
	self->renters = shared_alloc(PLACES * sizeof(*self->renters));
	ASSERT_NE(NULL, self->renters);
}

FIXTURE_TEARDOWN(cancelled)
{
	close(self->fd);
	line_end(self->other);
}

TEST_F(cancelled, rents_that_wait_fail)
{
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		self->pids[i] = let_wait(&self->renters[i], self->fd);
		ASSERT_LT(0, self->pids[i]);
	}
	EXPECT_EQ(PLACES, stats_of(self->fd).waiting);
	EXPECT_EQ(0, cancel(self->fd, 0));
	for (i = 0; i < PLACES; i++) {
		EXPECT_EQ(0, reap(self->pids[i]));
		EXPECT_EQ(-ECANCELED, self->renters[i].answer);
	}
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	EXPECT_EQ(0, stats_of(self->fd).client_blocks);
}

TEST_F(cancelled, rents_that_would_wait_fail)
{
	EXPECT_EQ(0, cancel(self->fd, 0));
	EXPECT_EQ(-ECANCELED, rent_with(self->fd, BLOCK, 0, 0, &self->rent));
	EXPECT_EQ(-ECANCELED, rent_with(self->fd, BLOCK, 0, NSEC_PER_MSEC, &self->rent));
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

TEST_F(cancelled, rents_that_need_not_wait_go_on)
{
	EXPECT_EQ(0, cancel(self->fd, 0));
	ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
	EXPECT_EQ(0, rent_with(self->fd, BLOCK, 0, 0, &self->rent));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
}

TEST_F(cancelled, another_client_waits_on)
{
	pid_t pid = let_wait(self->renters, self->other);

	ASSERT_LT(0, pid);
	EXPECT_EQ(0, cancel(self->fd, 0));
	EXPECT_TRUE(task_sleeps(pid, pid));
	EXPECT_EQ(1, stats_of(self->fd).waiting);
	ASSERT_EQ(0, give(self->other, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->renters->answer);
}

TEST_F(cancelled, it_can_be_taken_back)
{
	pid_t pid;

	EXPECT_EQ(0, cancel(self->fd, 0));
	EXPECT_EQ(0, cancel(self->fd, BUFPOOL_CANCEL_OFF));
	pid = let_wait(self->renters, self->fd);
	ASSERT_LT(0, pid);
	EXPECT_EQ(1, stats_of(self->fd).waiting);
	ASSERT_EQ(0, give(self->other, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->renters->answer);
}

/* Also where they get no processor before that is taken back */
TEST_F(cancelled, who_waited_then_does_not_wait_on)
{
	unsigned int round;
	pid_t pid;

	for (round = 0; round < 50; round++) {
		pid = let_wait(self->renters, self->fd);
		ASSERT_LT(0, pid);
		EXPECT_EQ(0, cancel(self->fd, 0));
		EXPECT_EQ(0, cancel(self->fd, BUFPOOL_CANCEL_OFF));
		EXPECT_EQ(0, reap(pid));
		EXPECT_EQ(-ECANCELED, self->renters->answer);
	}
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

/* The next in line is served as if the cancelled one had timed out. */
TEST_F(cancelled, the_line_moves_up)
{
	pid_t first = let_wait(self->renters, self->fd), second;

	ASSERT_LT(0, first);
	second = let_wait(self->renters + 1, self->other);
	ASSERT_LT(0, second);
	EXPECT_EQ(0, cancel(self->fd, 0));
	EXPECT_EQ(0, reap(first));
	ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
	EXPECT_EQ(0, reap(second));
	EXPECT_EQ(-ECANCELED, self->renters[0].answer);
	EXPECT_EQ(0, self->renters[1].answer);
}

TEST_HARNESS_MAIN
