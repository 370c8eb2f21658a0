// SPDX-License-Identifier: MIT
/*
 * Polling: POLLIN is room, POLLPRI is a waiter, and a poller that sleeps until then is
 * woken up.
 */
#include "line.h"

#include <poll.h>
#include <sys/epoll.h>

FIXTURE(polling)
{
	int fd;
	struct bufpool_block *blocks;
	struct bufpool_rent rent;
	struct line *line;
};

FIXTURE_SETUP(polling)
{
	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
}

FIXTURE_TEARDOWN(polling)
{
	line_end(self->fd);
}

#define EVENTS	(POLLIN | POLLPRI)

static int poll_soon(int fd, int events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, -1) < 0 ? -errno : pollfd.revents;
}

TEST_F(polling, pollin_is_room)
{
	int poller = pool_open();

	ASSERT_LE(0, poller);
	EXPECT_EQ(POLLIN, poll_now(poller, EVENTS));
	EXPECT_EQ(POLLIN, poll_now(self->fd, EVENTS));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	EXPECT_EQ(0, poll_now(poller, EVENTS));
	EXPECT_EQ(0, poll_now(self->fd, EVENTS));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(POLLIN, poll_now(poller, EVENTS));
	ASSERT_EQ(0, rent(poller, BLOCK, &self->rent));
	EXPECT_EQ(0, poll_now(poller, EVENTS));
	ASSERT_EQ(0, give_up(poller, self->rent.handle));
	EXPECT_EQ(POLLIN, poll_now(poller, EVENTS));
	ASSERT_EQ(0, limit_write(BLOCK));
	EXPECT_EQ(0, poll_now(poller, EVENTS));
	ASSERT_EQ(0, limit_write(LIMIT));
	EXPECT_EQ(POLLIN, poll_now(poller, EVENTS));
	close(poller);
}

/* Without a call, and for any client. */
TEST_F(polling, status_counts_waiters)
{
	struct bufpool_status *status = map_status(self->fd);
	pid_t pids[3];
	unsigned int i;

	ASSERT_NE(NULL, status);
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	EXPECT_EQ(0, word_get(&status->waiting));
	for (i = 0; i < 3; i++) {
		pids[i] = enqueue(self->line, i, BLOCK);
		ASSERT_LT(0, pids[i]);
		EXPECT_EQ(i + 1, word_get(&status->waiting));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		ASSERT_TRUE(word_reaches(&self->line->served, i + 1));
		EXPECT_EQ(2 - i, word_get(&status->waiting));
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, dismiss(self->line, i, pids[i]));
	munmap(status, sysconf(_SC_PAGESIZE));
}

/* And for which size, and up to two larger ones */
TEST_F(polling, status_tells_for_which_class)
{
	struct bufpool_status *status = map_status(self->fd);
	unsigned int nr = __builtin_ctzll(SMALL / PAGE);
	const __u32 *of;
	pid_t pid;

	ASSERT_NE(NULL, status);
	ASSERT_LE(1, nr);
	of = status->waiting_of + nr;
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->line, 0, SMALL);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, word_get(&of[-1]));
	EXPECT_EQ(1, word_get(&of[0]));
	EXPECT_EQ(1, word_get(&of[1]));
	EXPECT_EQ(1, word_get(&of[2]));
	EXPECT_EQ(0, word_get(&of[3]));
	ASSERT_EQ(0, give_up(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, word_get(&of[0]));
	EXPECT_EQ(0, word_get(&of[2]));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
	munmap(status, sysconf(_SC_PAGESIZE));
}

TEST_F(polling, pollpri_is_a_waiter)
{
	pid_t pid;

	EXPECT_EQ(POLLIN, poll_now(self->fd, EVENTS));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	EXPECT_EQ(0, poll_now(self->fd, EVENTS));
	pid = enqueue(self->line, 0, BLOCK);
	ASSERT_LT(0, pid);
	EXPECT_EQ(POLLPRI, poll_now(self->fd, EVENTS));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, poll_now(self->fd, EVENTS));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
	EXPECT_EQ(POLLIN, poll_soon(self->fd, POLLIN | POLLPRI));
}

/* What makes a sleeping poller wake up. */
enum waking {
	WAKE_RETURN,
	WAKE_REVOKE,
	WAKE_CLOSE,
	WAKE_LIMIT,
	WAKE_WAITER,
};

FIXTURE(poller)
{
	int fd;
	int owner;
	struct line *line;
	struct bufpool_block *blocks;
	pid_t pid;
};

FIXTURE_VARIANT(poller)
{
	enum waking by;
	unsigned int pages;	/* in each block; 0: it is a large one */
	bool edge;
};

FIXTURE_VARIANT_ADD(poller, by_return) { WAKE_RETURN, 0, false };
FIXTURE_VARIANT_ADD(poller, by_revoke) { WAKE_REVOKE, 0, false };
FIXTURE_VARIANT_ADD(poller, by_close) { WAKE_CLOSE, 0, false };
FIXTURE_VARIANT_ADD(poller, by_limit) { WAKE_LIMIT, 0, false };
FIXTURE_VARIANT_ADD(poller, by_waiter) { WAKE_WAITER, 0, false };
FIXTURE_VARIANT_ADD(poller, by_small_return) { WAKE_RETURN, 1, false };
FIXTURE_VARIANT_ADD(poller, by_small_revoke) { WAKE_REVOKE, 1, false };
FIXTURE_VARIANT_ADD(poller, by_larger) { WAKE_REVOKE, 4, false };
FIXTURE_VARIANT_ADD(poller, by_larger_return) { WAKE_RETURN, 4, false };
FIXTURE_VARIANT_ADD(poller, edge_by_return) { WAKE_RETURN, 0, true };
FIXTURE_VARIANT_ADD(poller, edge_by_revoke) { WAKE_REVOKE, 0, true };
FIXTURE_VARIANT_ADD(poller, edge_by_close) { WAKE_CLOSE, 0, true };
FIXTURE_VARIANT_ADD(poller, edge_by_limit) { WAKE_LIMIT, 0, true };
FIXTURE_VARIANT_ADD(poller, edge_by_waiter) { WAKE_WAITER, 0, true };

FIXTURE_SETUP(poller)
{
	__u64 size = variant->pages ? variant->pages * PAGE : BLOCK;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->owner = pool_open();
	ASSERT_LE(0, self->owner);
	ASSERT_EQ(0, limit_write(LIMIT));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_EQ(LIMIT / size,
		  (__u64)drain(self->owner, size, self->blocks, MOST));
}

FIXTURE_TEARDOWN(poller)
{
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		reap(self->pid);
	}
	close(self->fd);
	if (self->owner >= 0)
		close(self->owner);
	parameters_restore();
}

struct polling {
	int fd;
	int owner;		/* not to be held by one more process */
	bool edge;
	unsigned int events;	/* of poll_for_ever() */
	unsigned int ready;
	unsigned int woken;
};

static int poll_in_child(void *arg)
{
	struct polling *polling = arg;
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLPRI | (polling->edge ? EPOLLET : 0),
	};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epoll >= 0);
	CHECK(!close(polling->owner));
	CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, polling->fd, &event));
	CHECK(!epoll_wait(epoll, &event, 1, 0));
	word_set(&polling->ready, 1);
	CHECK(epoll_wait(epoll, &event, 1, -1) == 1);
	polling->woken = event.events;
	/* Each edge is told once, and one who closes gives several; else as long as it is so. */
	CHECK(polling->edge ? BECOMES(!epoll_wait(epoll, &event, 1, 0)) :
			      epoll_wait(epoll, &event, 1, 0) == 1);
	return 0;
}

TEST_F(poller, wakes_up)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	polling->fd = self->fd;
	polling->owner = self->owner;
	polling->edge = variant->edge;
	pid = spawn(poll_in_child, polling);
	ASSERT_TRUE(word_reaches(&polling->ready, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	switch (variant->by) {
	case WAKE_RETURN:
		ASSERT_EQ(0, give(self->owner, self->blocks[0].handle));
		break;
	case WAKE_REVOKE:
		ASSERT_EQ(0, give_up(self->owner, self->blocks[0].handle));
		break;
	case WAKE_CLOSE:
		close(self->owner);
		self->owner = -1;
		break;
	case WAKE_LIMIT:
		ASSERT_EQ(0, limit_write(LIMIT + BLOCK));
		break;
	case WAKE_WAITER:
		self->pid = enqueue(self->line, 0, BLOCK);
		ASSERT_LT(0, self->pid);
		break;
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(variant->by == WAKE_WAITER ? EPOLLPRI : EPOLLIN,
		  (int)polling->woken);
}

/*
 * Poll for one event, without end: poll() looks once more when its time is over, so
 * with one it would answer the same to a poller that was not woken.
 */
static int poll_for_ever(void *arg)
{
	struct polling *polling = arg;
	struct pollfd pollfd = { .fd = polling->fd, .events = polling->events };

	word_set(&polling->ready, 1);
	CHECK(poll(&pollfd, 1, -1) == 1);
	word_set(&polling->woken, pollfd.revents);
	return 0;
}

static bool is_woken(struct polling *polling, pid_t pid)
{
	bool woken = word_reaches(&polling->woken, polling->events);

	kill(pid, SIGKILL);
	reap(pid);
	return woken;
}

/* The other name of POLLIN is as good as that. */
TEST_F(polling, pollrdnorm_alone_wakes_up)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	polling->fd = self->fd;
	polling->events = POLLRDNORM;
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = spawn(poll_for_ever, polling);
	ASSERT_TRUE(word_reaches(&polling->ready, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, give_up(self->fd, self->blocks[0].handle));
	EXPECT_TRUE(is_woken(polling, pid));
}

/* Nobody can rent a block that something reaches still, but its client may have another. */
TEST_F(polling, what_is_quarantined_makes_room_under_the_ceiling)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	int dmabuf;
	pid_t pid;

	ASSERT_NE(NULL, polling);
	polling->fd = self->fd;
	polling->events = POLLIN;
	/* whatever is trimmed tells pollers as well */
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	dmabuf = export_block(self->fd, self->rent.handle);
	if (dmabuf == -EOPNOTSUPP)
		SKIP(return, "this kernel has no dma-bufs");
	ASSERT_LE(0, dmabuf);
	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	ASSERT_EQ(0, poll_now(self->fd, POLLIN));
	pid = spawn(poll_for_ever, polling);
	ASSERT_TRUE(word_reaches(&polling->ready, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(BLOCK, stats_of(self->fd).quarantined);
	EXPECT_TRUE(is_woken(polling, pid));
	close(dmabuf);
}

/* Be awake for a while, so that no other task gets this processor. */
static void stay_awake(void)
{
	__u64 end = now_ms() + 50;

	while (now_ms() < end)
		;
}

/*
 * There is room, but not for the waiters, and so for no poller. Two waiters are
 * killed, and the second is slow to leave: it leaves without a try, and all the
 * same it was the last one in the poller's way.
 */
TEST_F(polling, last_waiter_leaves_in_haste)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	struct bufpool_info info;
	pid_t poller, pids[2];
	unsigned int i;
	int left = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "this needs a second processor");
	ASSERT_NE(NULL, polling);
	polling->fd = self->fd;
	polling->events = POLLIN;
	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	ASSERT_EQ(0, limit_write(LIMIT + info.slab_size));
	for (i = 0; i < 2; i++) {
		pids[i] = enqueue(self->line, i, BLOCK);
		ASSERT_LT(0, pids[i]);
		ASSERT_TRUE(pin(pids[i], 1 - i));
	}
	poller = spawn(poll_for_ever, polling);
	ASSERT_TRUE(pin(poller, 1));
	ASSERT_TRUE(word_reaches(&polling->ready, 1));
	ASSERT_TRUE(task_sleeps(poller, poller));
	ASSERT_TRUE(be_alone(true));
	for (i = 0; i < 2; i++)
		kill(pids[i], SIGKILL);
	while (!left)
		left = waitpid(pids[0], NULL, WNOHANG);
	stay_awake();
	ASSERT_TRUE(be_alone(false));
	EXPECT_EQ(pids[0], left);
	EXPECT_EQ(-SIGKILL, reap(pids[1]));
	EXPECT_TRUE(is_woken(polling, poller));
}

/* Every block that comes back is an edge of its own, and none is without. */
TEST_F(polling, every_return_is_an_edge)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), poller = pool_open(), i;

	ASSERT_LE(0, poller);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, poller, &event));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	while (epoll_wait(epoll, &event, 1, 0))
		;
	for (i = 0; i < ALL; i++) {
		ASSERT_EQ(0, give_with(self->fd, self->blocks[i].handle, i % 4));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
		EXPECT_EQ(EPOLLIN, event.events);
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	close(epoll);
	close(poller);
}

/*
 * POLLIN and a rental that does not wait say the same, in whatever state. Only
 * where blocks are warm it may take a try to see that they do not help; and
 * then they are warm no more.
 */
TEST_F(polling, pollin_tells_the_truth)
{
	struct bufpool_rent held[64] = { 0 };
	__u64 seed = random_seed(), warm;
	int fds[3], round, rounds = often(40000), i;

	ASSERT_EQ(0, limit_write(BLOCK));
	for (i = 0; i < 3; i++) {
		fds[i] = pool_open();
		ASSERT_LE(0, fds[i]);
	}
	for (round = 0; round < rounds; round++) {
		int fd, ready, ret;

		i = next_random(&seed) % ARRAY_SIZE(held);
		fd = fds[i % 3];
		if (held[i].length) {
			ASSERT_EQ(0, give_with(fd, held[i].handle,
					       next_random(&seed) % 2 *
					       BUFPOOL_RETURN_REVOKE));
			held[i].length = 0;
		} else if (rent(fd, 4096ULL << next_random(&seed) % 6,
				&held[i])) {
			held[i].length = 0;
		}
		warm = stats_of(self->fd).warm;
		ready = poll_now(self->fd, EVENTS);
		ret = rent(self->fd, 1, &self->rent);
		if (ret && warm) {
			if (ready)
				EXPECT_EQ(0, stats_of(self->fd).warm);
			ready = poll_now(self->fd, EVENTS);
		}
		ASSERT_EQ(ret ? 0 : POLLIN, ready) {
			TH_LOG("round %d: a rental says %d", round, ret);
		}
		if (!ret)
			ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	}
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* The same while a waiter wants more than there is. */
TEST_F(polling, pollin_tells_the_truth_beside_a_waiter)
{
	int count, i, ready, ret;
	struct bufpool_info info;
	pid_t pid;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, limit_write(large_block(&info)));
	count = drain(self->fd, SMALL, self->blocks, MOST);
	ASSERT_LT(0, count);
	pid = enqueue(self->line, 0, large_block(&info));
	ASSERT_LT(0, pid);
	for (i = 0; i < count - 1; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		ready = poll_now(self->fd, EVENTS);
		ret = rent(self->fd, 1, &self->rent);
		ASSERT_EQ(POLLPRI | (ret ? 0 : POLLIN), ready) {
			TH_LOG("block %d: a rental says %d", i, ret);
		}
		if (!ret)
			ASSERT_EQ(0, give(self->fd, self->rent.handle));
	}
	EXPECT_EQ(0, self->line->served);
	ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	EXPECT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

TEST_HARNESS_MAIN
