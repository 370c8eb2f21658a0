// SPDX-License-Identifier: MIT
/*
 * Memory pressure, as pollers see it: POLLPRI when the system asks for memory.
 */
#include "bufpool_test.h"

#include <poll.h>
#include <sys/epoll.h>

#define BLOCK		(64 * KIB)
#define DROP_CACHES	"/proc/sys/vm/drop_caches"
#define POLLERS		8
#define TRIES		200

static void __attribute__((constructor)) need_shrinkers(void)
{
	if (access(DROP_CACHES, W_OK))
		skip_all("this kernel asks no shrinker on demand: there is no "
			 DROP_CACHES);
}

/* Processes that poll. */
struct pollers {
	unsigned int ready;
	unsigned int woken;
	unsigned int seen;
};

FIXTURE(pressure)
{
	int fd;
	struct pollers *pollers;
	pid_t pids[POLLERS];
};

FIXTURE_SETUP(pressure)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->pollers = shared_alloc(sizeof(*self->pollers));
	ASSERT_NE(NULL, self->pollers);
}

FIXTURE_TEARDOWN(pressure)
{
	int i;

	for (i = 0; i < POLLERS && self->pids[i] > 0; i++) {
		kill(self->pids[i], SIGKILL);
		reap(self->pids[i]);
	}
	close(self->fd);
	parameters_restore();
}

/* What memory reclaim does: ask every shrinker. */
static bool ask_shrinkers(void)
{
	return !write_text(DROP_CACHES, "2");
}

static bool is_urgent(int fd)
{
	return poll_now(fd, POLLPRI) == POLLPRI;
}

static void say_seen(struct pollers *pollers, bool seen)
{
	if (seen)
		__atomic_fetch_add(&pollers->seen, 1, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&pollers->woken, 1, __ATOMIC_ACQ_REL);
}

static int poll_for_ever(void *arg)
{
	struct pollfd pollfd = { .events = POLLPRI };
	struct pollers *pollers = arg;

	pollfd.fd = pool_open();
	CHECK(pollfd.fd >= 0);
	__atomic_fetch_add(&pollers->ready, 1, __ATOMIC_ACQ_REL);
	CHECK(poll(&pollfd, 1, -1) == 1);
	say_seen(pollers, pollfd.revents == POLLPRI);
	return 0;
}

static int epoll_for_ever(void *arg)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET };
	int fd = pool_open(), set = epoll_create1(EPOLL_CLOEXEC);
	struct pollers *pollers = arg;

	CHECK(fd >= 0 && set >= 0);
	CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	__atomic_fetch_add(&pollers->ready, 1, __ATOMIC_ACQ_REL);
	CHECK(epoll_wait(set, &event, 1, -1) == 1);
	say_seen(pollers, event.events == EPOLLPRI);
	return 0;
}

/* However they poll, and whatever the pool has to give: nothing, here. */
TEST_F(pressure, wakes_every_poller)
{
	int i;

	for (i = 0; i < POLLERS; i++)
		self->pids[i] = spawn(i % 2 ? poll_for_ever : epoll_for_ever,
				      self->pollers);
	ASSERT_TRUE(word_reaches(&self->pollers->ready, POLLERS));
	for (i = 0; i < POLLERS; i++)
		ASSERT_TRUE(task_sleeps(self->pids[i], self->pids[i]));
	EXPECT_EQ(0, word_get(&self->pollers->woken));
	ASSERT_TRUE(ask_shrinkers());
	EXPECT_TRUE(word_reaches(&self->pollers->woken, POLLERS));
	EXPECT_EQ(POLLERS, word_get(&self->pollers->seen));
}

/*
 * It stays until the client has trimmed, or it is about a second old; so on a
 * machine that does not get to look within a second it is worth another try.
 */
TEST_F(pressure, stays_until_a_trim)
{
	bool stayed = false;
	int i;

	EXPECT_FALSE(is_urgent(self->fd));
	for (i = 0; i < TRIES && !stayed; i++) {
		ASSERT_TRUE(ask_shrinkers());
		stayed = is_urgent(self->fd) && is_urgent(self->fd) &&
			 is_urgent(self->fd);
	}
	EXPECT_TRUE(stayed);
	EXPECT_LE(0, trim(self->fd, 0));
	EXPECT_FALSE(is_urgent(self->fd));
}

/* What one client has trimmed says nothing of another. */
TEST_F(pressure, stays_for_other_clients)
{
	int other = pool_open(), i;
	bool stayed = false;

	ASSERT_LE(0, other);
	for (i = 0; i < TRIES && !stayed; i++) {
		ASSERT_TRUE(ask_shrinkers());
		ASSERT_LE(0, trim(self->fd, 0));
		stayed = is_urgent(other) && !is_urgent(self->fd);
	}
	EXPECT_TRUE(stayed);
	close(other);
}

/* About a second later it is nobody's event any more, seen or not. */
TEST_F(pressure, is_over_after_a_while)
{
	ASSERT_TRUE(ask_shrinkers());
	EXPECT_TRUE(BECOMES(!is_urgent(self->fd)));
}

/* After a trim the next shortage is an edge again. */
TEST_F(pressure, is_told_again)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET };
	int set = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_LE(0, set);
	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, self->fd, &event));
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(ask_shrinkers());
		ASSERT_TRUE(BECOMES(epoll_wait(set, &event, 1, 0) == 1));
		EXPECT_EQ(EPOLLPRI, event.events);
		ASSERT_LE(0, trim(self->fd, 0));
		EXPECT_EQ(0, epoll_wait(set, &event, 1, 0));
	}
	close(set);
}

TEST_HARNESS_MAIN
