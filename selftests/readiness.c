// SPDX-License-Identifier: MIT
/*
 * Readiness, as edge-triggered and as many pollers see it.
 */
#include "bufpool_test.h"

#include <poll.h>
#include <sys/epoll.h>

#define BLOCK		(1 * MIB)
#define ALL		4			/* blocks within the limit */
#define POLLERS		12
#define EDGES		50

FIXTURE(readiness)
{
	int fd;
	int hold;
	int set;
	struct bufpool_block blocks[ALL];
	struct bufpool_rent rent;
	struct epoll_event event;
	unsigned int *words;
	pid_t pids[POLLERS];
};

/* Another client holds everything. */
FIXTURE_SETUP(readiness)
{
	self->fd = pool_open();
	self->hold = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->hold);
	ASSERT_EQ(0, limit_write(ALL * BLOCK));
	self->words = shared_alloc(2 * sizeof(*self->words));
	ASSERT_NE(NULL, self->words);
	self->set = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->set);
	self->event.events = EPOLLIN | EPOLLET;
	ASSERT_EQ(ALL, drain(self->hold, BLOCK, self->blocks, ALL));
}

FIXTURE_TEARDOWN(readiness)
{
	close(self->fd);
	close(self->hold);
	close(self->set);
	parameters_restore();
}

static int edges(int set)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0);
}

/* As a server does it: take until EAGAIN, and then wait for the next edge. */
TEST_F(readiness, comes_anew_after_eagain)
{
	int i;

	ASSERT_EQ(0, epoll_ctl(self->set, EPOLL_CTL_ADD, self->fd,
			       &self->event));
	EXPECT_EQ(0, edges(self->set));
	for (i = 0; i < EDGES; i++) {
		ASSERT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
		ASSERT_EQ(0, edges(self->set));
		ASSERT_EQ(0, give_with(self->hold, self->blocks[0].handle,
				       i % 2 ? BUFPOOL_RETURN_REVOKE : 0));
		ASSERT_TRUE(BECOMES(edges(self->set) == 1));
		ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
		ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
		ASSERT_EQ(1, rent_many(self->hold, BLOCK, 1, self->blocks));
		/* What came of that return is no news. */
		edges(self->set);
	}
}

/* Room, and not a block: a higher limit is an edge as well. */
TEST_F(readiness, comes_anew_with_a_higher_limit)
{
	int i;

	ASSERT_EQ(0, epoll_ctl(self->set, EPOLL_CTL_ADD, self->fd,
			       &self->event));
	EXPECT_EQ(0, edges(self->set));
	for (i = 1; i < 4; i++) {
		ASSERT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
		ASSERT_EQ(0, limit_write((ALL + i) * BLOCK));
		ASSERT_TRUE(BECOMES(edges(self->set) == 1));
		ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	}
}

static void say_woken(unsigned int *words)
{
	__atomic_fetch_add(words + 1, 1, __ATOMIC_ACQ_REL);
}

static int poll_once(void *arg)
{
	struct pollfd pollfd = { .fd = pool_open(), .events = POLLIN };
	unsigned int *words = arg;

	CHECK(pollfd.fd >= 0);
	__atomic_fetch_add(words, 1, __ATOMIC_ACQ_REL);
	CHECK(poll(&pollfd, 1, -1) == 1 && pollfd.revents == POLLIN);
	say_woken(words);
	return 0;
}

static int epoll_once(unsigned int *words, __u32 events)
{
	struct epoll_event event = { .events = events };
	int fd = pool_open(), set = epoll_create1(EPOLL_CLOEXEC);

	CHECK(fd >= 0 && set >= 0);
	CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	__atomic_fetch_add(words, 1, __ATOMIC_ACQ_REL);
	CHECK(epoll_wait(set, &event, 1, -1) == 1);
	say_woken(words);
	return 0;
}

static int epoll_level(void *arg)
{
	return epoll_once(arg, EPOLLIN);
}

static int epoll_edge(void *arg)
{
	return epoll_once(arg, EPOLLIN | EPOLLET);
}

/* A block that comes back and stays is for all to see. */
TEST_F(readiness, wakes_everybody)
{
	static int (*const ways[])(void *arg) = {
		poll_once, epoll_level, epoll_edge,
	};
	int i;

	for (i = 0; i < POLLERS; i++)
		self->pids[i] = spawn(ways[i % ARRAY_SIZE(ways)], self->words);
	ASSERT_TRUE(word_reaches(self->words, POLLERS));
	for (i = 0; i < POLLERS; i++)
		ASSERT_TRUE(task_sleeps(self->pids[i], self->pids[i]));
	EXPECT_EQ(0, word_get(self->words + 1));
	ASSERT_EQ(0, give(self->hold, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(self->words + 1, POLLERS));
	for (i = 0; i < POLLERS; i++)
		EXPECT_EQ(0, reap(self->pids[i]));
}

TEST_HARNESS_MAIN
