// SPDX-License-Identifier: MIT
/*
 * Descriptors that poll for blocks of one size
 */
#include "channel.h"
#include "line.h"
#include "tenant.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>

FIXTURE(pollers)
{
	int fd;
	int other;
	int large;		/* polls for BLOCK */
	int small;		/* and for SMALL */
	struct line *line;
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rent;
};

FIXTURE_SETUP(pollers)
{
	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	self->other = pool_open();
	ASSERT_LE(0, self->other);
	self->large = poller_of(self->fd, BLOCK);
	ASSERT_LE(0, self->large);
	self->small = poller_of(self->fd, SMALL);
	ASSERT_LE(0, self->small);
}

FIXTURE_TEARDOWN(pollers)
{
	close(self->large);
	close(self->small);
	close(self->other);
	line_end(self->fd);
}

TEST_F(pollers, tell_of_their_size)
{
	EXPECT_EQ(POLLIN, poll_now(self->large, POLLIN));
	EXPECT_EQ(POLLIN, poll_now(self->small, POLLIN));
	ASSERT_EQ(ALL, drain(self->other, BLOCK, self->blocks, MOST));
	EXPECT_EQ(0, poll_now(self->large, POLLIN));
	EXPECT_EQ(0, poll_now(self->small, POLLIN));
	/* a slab of small blocks has no place for a large one */
	ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
	EXPECT_EQ(POLLIN, poll_now(self->large, POLLIN));
	ASSERT_EQ(0, rent(self->other, SMALL, &self->rent));
	EXPECT_EQ(0, poll_now(self->large, POLLIN));
	EXPECT_EQ(POLLIN, poll_now(self->small, POLLIN));
	ASSERT_EQ(0, give_up(self->other, self->rent.handle));
	EXPECT_EQ(POLLIN, poll_now(self->large, POLLIN));
}

struct polling {
	int poller;
	int client;		/* to be closed, or 0 */
	unsigned int ready;
	int woken;
};

static int poll_for_ever(void *arg)
{
	struct polling *polling = arg;
	struct pollfd pollfd = { .fd = polling->poller, .events = POLLIN };

	word_set(&polling->ready, 1);
	CHECK(poll(&pollfd, 1, -1) == 1);
	polling->woken = pollfd.revents;
	return 0;
}

/* A process that sleeps in @wait; or -1 */
static pid_t let_sleep(int (*wait)(void *polling), struct polling *polling, int poller)
{
	pid_t pid;

	polling->poller = poller;
	pid = spawn(wait, polling);
	if (!word_reaches(&polling->ready, 1) || !task_sleeps(pid, pid))
		return -1;
	return pid;
}

static pid_t let_poll(struct polling *polling, int poller)
{
	return let_sleep(poll_for_ever, polling, poller);
}

TEST_F(pollers, wake_up_for_their_size_only)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;
	int i, count;

	ASSERT_NE(NULL, polling);
	count = drain(self->other, SMALL, self->blocks, MOST);
	ASSERT_LE((int)(LIMIT / SMALL), count);
	pid = let_poll(polling, self->large);
	ASSERT_LT(0, pid);
	/* one small block is no large one */
	ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
	EXPECT_EQ(POLLIN, poll_now(self->small, POLLIN));
	EXPECT_TRUE(task_sleeps(pid, pid));
	for (i = 1; i < count; i++)
		ASSERT_EQ(0, give_up(self->other, self->blocks[i].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
}

/* Also where its own renter has returned, and the pool was never short */
TEST_F(pollers, know_the_ceiling)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->small, POLLIN));
	pid = let_poll(polling, self->fd);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
	EXPECT_EQ(POLLIN, poll_now(self->large, POLLIN));
}

/* A loop that polls, and rents when it is told to, does not go round in vain. */
TEST_F(pollers, at_the_ceiling_does_not_spin)
{
	__u64 end = now_ms() + 200;
	unsigned int turns = 0;
	struct pollfd pollfd = { .fd = self->fd, .events = POLLIN };

	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	while (now_ms() < end)
		turns += poll(&pollfd, 1, 10);
	EXPECT_EQ(0, turns);
}

static int quota_is_known(void)
{
	int fd = open_or_fail(), poller = poller_of(fd, BLOCK);
	struct bufpool_rent rented;

	CHECK(poller >= 0);
	CHECK(poll_now(poller, POLLIN) == POLLIN);
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(poll_now(poller, POLLIN) == POLLIN);
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(poll_now(poller, POLLIN) == 0);
	CHECK(!give(fd, rented.handle));
	CHECK(poll_now(poller, POLLIN) == POLLIN);
	return 0;
}

TEST_F(pollers, know_the_quota)
{
	ASSERT_EQ(0, parameter_write("quota", 2 * BLOCK));
	EXPECT_EQ(0, as_user(1000, quota_is_known));
}

/* What is idle, but would be charged, is for those whose quota admits it. */
static int others;

static int quota_is_known_beside_idle_slabs(void)
{
	int fd = open_or_fail(), poller = poller_of(fd, BLOCK);
	struct bufpool_rent rented;

	CHECK(poller >= 0);
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(!rent(others, BLOCK, &rented));
	CHECK(!give_up(others, rented.handle));
	CHECK(stats_of(others).idle >= BLOCK);
	CHECK(poll_now(poller, POLLIN) == 0);
	CHECK(rent(fd, BLOCK, &rented) == -EDQUOT);
	return 0;
}

TEST_F(pollers, know_the_quota_beside_idle_slabs)
{
	others = self->other;
	ASSERT_EQ(0, parameter_write("quota", 2 * BLOCK));
	EXPECT_EQ(0, as_user(1000, quota_is_known_beside_idle_slabs));
}

/* A warm block is not enough for a large one, and is not said to be. */
static int quota_is_known_beside_warm_blocks(void)
{
	int fd = open_or_fail(), poller = poller_of(fd, BLOCK);
	struct bufpool_rent rented, warm;

	CHECK(poller >= 0);
	CHECK(!rent(fd, SMALL, &rented));
	CHECK(!rent(fd, SMALL, &warm));
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(!give(fd, warm.handle));
	CHECK(stats_of(fd).warm == SMALL);
	CHECK(rent(fd, BLOCK, &rented) == -EDQUOT);
	CHECK(poll_now(poller, POLLIN) == 0);
	return 0;
}

TEST_F(pollers, know_the_quota_beside_warm_blocks)
{
	ASSERT_EQ(0, parameter_write("quota", 2 * BLOCK));
	EXPECT_EQ(0, as_user(1000, quota_is_known_beside_warm_blocks));
}

/* An epoll set in which only this poller is, one of whose tasks is woken at a time; or -1 */
static int exclusive_set(int poller)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int set = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(set, EPOLL_CTL_ADD, poller, &event) ? -1 : set;
}

static int wait_in_set(void *arg)
{
	struct polling *polling = arg;
	struct epoll_event event;

	/* the client is its parent's */
	if (polling->client)
		close(polling->client);
	word_set(&polling->ready, 1);
	CHECK(epoll_wait(polling->poller, &event, 1, -1) == 1);
	polling->woken = event.events;
	return 0;
}

static pid_t let_wait_in_set(struct polling *polling, int set)
{
	return let_sleep(wait_in_set, polling, set);
}

/* Those of the one do not take the events of the other. */
TEST_F(pollers, are_told_each_where_tasks_wait_exclusively)
{
	struct polling *polling = shared_alloc(2 * sizeof(*polling));
	int large = exclusive_set(self->large), small = exclusive_set(self->small);
	pid_t first, second;

	ASSERT_NE(NULL, polling);
	ASSERT_LE(0, large);
	ASSERT_LE(0, small);
	ASSERT_LT(2, drain(self->other, SMALL, self->blocks, MOST));
	first = let_wait_in_set(polling, large);
	ASSERT_LT(0, first);
	second = let_wait_in_set(polling + 1, small);
	ASSERT_LT(0, second);
	ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
	EXPECT_EQ(0, reap(second));
	EXPECT_EQ(EPOLLIN, polling[1].woken);
	EXPECT_TRUE(task_sleeps(first, first));
	kill(first, SIGKILL);
	reap(first);
}

TEST_F(pollers, all_see_the_end_where_tasks_wait_exclusively)
{
	struct polling *polling = shared_alloc(2 * sizeof(*polling));
	struct bufpool_block blocks[ALL];
	pid_t pids[2];
	int fd = pool_open(), i;

	ASSERT_NE(NULL, polling);
	ASSERT_LE(0, fd);
	ASSERT_EQ(ALL, drain(self->other, BLOCK, blocks, ALL));
	for (i = 0; i < 2; i++) {
		polling[i].client = fd;
		pids[i] = let_wait_in_set(polling + i, exclusive_set(poller_of(fd, BLOCK)));
		ASSERT_LT(0, pids[i]);
	}
	close(fd);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_EQ(EPOLLHUP | EPOLLERR, polling[i].woken);
	}
}

/* Who may have more is told, though nothing has come back. */
TEST_F(pollers, see_the_ceiling_raised)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	pid = let_poll(polling, self->large);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, set_ceiling(self->fd, 2 * BLOCK));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
}

TEST_F(pollers, see_that_their_client_is_gone)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	int fd = pool_open(), poller;
	struct bufpool_block blocks[ALL];
	pid_t pid;

	ASSERT_NE(NULL, polling);
	ASSERT_LE(0, fd);
	fcntl(fd, F_SETFD, 0);
	ASSERT_EQ(ALL, drain(fd, BLOCK, blocks, ALL));
	poller = poller_of(fd, BLOCK);
	ASSERT_LE(0, poller);
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	close(fd);
	EXPECT_EQ(POLLHUP | POLLERR, poll_now(poller, POLLIN));
	pid = spawn(poll_for_ever, (polling->poller = poller, polling));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLHUP | POLLERR, polling->woken);
	/* what it had rented is free, though the poller is there */
	EXPECT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	close(poller);
}

TEST_F(pollers, refuse_what_is_no_size)
{
	struct bufpool_info info;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	EXPECT_EQ(-EINVAL, poller_of(self->fd, 0));
	EXPECT_EQ(-EMSGSIZE, poller_of(self->fd, info.max_rent + 1));
	EXPECT_EQ(-EMSGSIZE, poller_of(self->fd, ~0ULL));
}

#define CLIENTS	4

static int count_as_clients(void)
{
	int fd = open_or_fail(), pollers[CLIENTS], i;

	for (i = 0; i < CLIENTS - 1; i++) {
		pollers[i] = poller_of(fd, SMALL);
		CHECK(pollers[i] >= 0);
	}
	CHECK(poller_of(fd, SMALL) == -EDQUOT);
	CHECK(open(POOL_DEVICE, O_RDWR | O_CLOEXEC) < 0 && errno == EDQUOT);
	/* one whose client is gone still does */
	close(fd);
	close(pollers[0]);
	fd = open_or_fail();
	CHECK(!close(open_or_fail()));
	CHECK(poller_of(fd, SMALL) >= 0);
	CHECK(poller_of(fd, SMALL) == -EDQUOT);
	return 0;
}

TEST_F(pollers, are_bounded_as_clients_are)
{
	ASSERT_EQ(0, parameter_write("max_clients", CLIENTS));
	EXPECT_EQ(0, as_user(1000, count_as_clients));
}

/* Where there is no descriptor for it there is none, and it does not count. */
static int have_no_descriptors(void)
{
	int fd = open_or_fail(), next = dup(fd), i;
	struct rlimit before, few;

	CHECK(next >= 0 && !close(next));
	CHECK(!getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = next;
	CHECK(!setrlimit(RLIMIT_NOFILE, &few));
	for (i = 0; i < CLIENTS; i++)
		CHECK(poller_of(fd, SMALL) == -EMFILE);
	CHECK(!setrlimit(RLIMIT_NOFILE, &before));
	for (i = 0; i < CLIENTS - 1; i++)
		CHECK(poller_of(fd, SMALL) == next + i);
	return 0;
}

TEST_F(pollers, without_descriptors_are_none)
{
	ASSERT_EQ(0, parameter_write("max_clients", CLIENTS));
	EXPECT_EQ(0, as_user(1000, have_no_descriptors));
}

/* A quota that is raised is news, as a ceiling is: for all users, */
static int see_the_quota_raised(void *arg)
{
	struct polling *polling = arg;
	struct bufpool_rent rented;

	CHECK(become(1000, ONLY_OPEN));
	polling->poller = open_or_fail();
	CHECK(!rent(polling->poller, BLOCK, &rented));
	CHECK(rent(polling->poller, BLOCK, &rented) == -EDQUOT);
	return poll_for_ever(polling);
}

/* A process that polls at its quota; or -1 */
static pid_t let_poll_at_the_quota(struct polling *polling)
{
	pid_t pid = spawn(see_the_quota_raised, polling);

	return word_reaches(&polling->ready, 1) && task_sleeps(pid, pid) ? pid : -1;
}

TEST_F(pollers, see_the_quota_raised)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	ASSERT_EQ(0, parameter_write("quota", BLOCK));
	pid = let_poll_at_the_quota(polling);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, parameter_write("quota", 2 * BLOCK));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
}

/* and for one. */
TEST_F(pollers, see_their_quota_raised)
{
	struct bufpool_quota quota = {
		.size = sizeof(quota),
		.flags = BUFPOOL_QUOTA_SET,
		.uid = 1000,
		.quota = 2 * BLOCK,
	};
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	ASSERT_EQ(0, parameter_write("quota", BLOCK));
	pid = let_poll_at_the_quota(polling);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_QUOTA, &quota));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
	quota.quota = 0;
	EXPECT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_QUOTA, &quota));
}

/* That another is charged for a block now is news for whose quota has room by that. */
struct sending {
	struct polling polling;
	struct channel channel;
};

static int send_at_the_quota(void *arg)
{
	struct sending *sending = arg;
	struct bufpool_rent rented;

	CHECK(become(1000, ONLY_OPEN));
	sending->polling.poller = open_or_fail();
	CHECK(!rent(sending->polling.poller, BLOCK, &rented));
	CHECK(!send_one(sending->polling.poller, sending->channel.sends, &rented, 0));
	CHECK(rent(sending->polling.poller, BLOCK, &rented) == -EDQUOT);
	return poll_for_ever(&sending->polling);
}

TEST_F(pollers, are_told_of_a_charge_that_moves)
{
	struct sending *sending = shared_alloc(sizeof(*sending));
	struct bufpool_message message;
	pid_t pid;

	ASSERT_NE(NULL, sending);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, parameter_write("quota", BLOCK));
	ASSERT_EQ(0, channel_make(self->fd, 1, &sending->channel));
	pid = spawn(send_at_the_quota, sending);
	ASSERT_TRUE(word_reaches(&sending->polling.ready, 1) && task_sleeps(pid, pid));
	EXPECT_EQ(0, receive_one(self->fd, sending->channel.receives, &message));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, sending->polling.woken);
	channel_end(&sending->channel);
}

/* Of one that is returned alone, and stays warm, */
TEST_F(pollers, are_told_of_a_warm_block)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	pid_t pid;

	ASSERT_NE(NULL, polling);
	/* nor does anybody look with time */
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(ALL, drain(self->other, BLOCK, self->blocks, MOST));
	/* the one that was looked up last is found by the short way */
	ASSERT_EQ(0, give(self->other, self->blocks[0].handle));
	ASSERT_EQ(0, rent(self->other, BLOCK, &self->rent));
	pid = let_poll(polling, self->large);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->other, self->rent.handle));
	ASSERT_EQ(1, stats_of(self->other).client_warm_blocks);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
}

/* and of those that are returned together. */
TEST_F(pollers, are_told_of_warm_blocks)
{
	struct polling *polling = shared_alloc(sizeof(*polling));
	__u64 handles[ALL];
	pid_t pid;
	int i;

	ASSERT_NE(NULL, polling);
	ASSERT_EQ(ALL, drain(self->other, BLOCK, self->blocks, MOST));
	for (i = 0; i < ALL; i++)
		handles[i] = self->blocks[i].handle;
	pid = let_poll(polling, self->large);
	ASSERT_LT(0, pid);
	ASSERT_EQ(ALL, give_many(self->other, handles, ALL));
	ASSERT_EQ(ALL, stats_of(self->other).client_warm_blocks);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(POLLIN, polling->woken);
}

TEST_F(pollers, have_an_edge_each_time)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(ALL, drain(self->other, BLOCK, self->blocks, MOST));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->large, &event));
	ASSERT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, rent(self->other, BLOCK, &self->rent));
	ASSERT_EQ(0, give_up(self->other, self->rent.handle));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	close(epoll);
}

#define CROWD_SETS	20
#define CROWD_DUPS	(1000 / CROWD_SETS)
#define ROUNDS		500

/* One client, in so many places of epoll sets that waking it takes long */
static void crowd(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int sets[CROWD_SETS], set, i;

	for (set = 0; set < CROWD_SETS; set++) {
		sets[set] = epoll_create1(EPOLL_CLOEXEC);
		CHECK(sets[set] >= 0);
	}
	for (i = 0; i < CROWD_DUPS; i++) {
		int copy = i ? dup(fd) : fd;

		for (set = 0; set < CROWD_SETS; set++)
			CHECK(!epoll_ctl(sets[set], EPOLL_CTL_ADD, copy, &event));
	}
}

struct coming {
	unsigned int stop;
	unsigned int rounds;
	int parent;		/* the parent's clients, which are not to be held */
	int parents_other;
};

static void leave_parents(const struct coming *coming)
{
	close(coming->parent);
	close(coming->parents_other);
}

/* Arm a client in a crowd, and be told again and again. */
static int be_many(void *arg)
{
	struct coming *coming = arg;
	int fd;

	leave_parents(coming);
	fd = open_or_fail();
	crowd(fd);
	while (!word_get(&coming->stop)) {
		poll_now(fd, POLLIN);
		sched_yield();
		__atomic_add_fetch(&coming->rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Arm clients and pollers, and close them before or while they are told. */
static int come_and_go(void *arg)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct coming *coming = arg;
	int set = epoll_create1(EPOLL_CLOEXEC);

	leave_parents(coming);
	while (!word_get(&coming->stop)) {
		int fd = open_or_fail(), poller = poller_of(fd, BLOCK);

		CHECK(poller >= 0);
		CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, poller, &event));
		CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
		close(poller);
		close(fd);
		__atomic_add_fetch(&coming->rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Those that are gone, before the work comes to them, do not take the event along. */
TEST_F(pollers, that_are_closed_meanwhile_hold_up_no_other)
{
	static int (*const ways[])(void *arg) = { be_many, come_and_go, come_and_go };
	struct coming *coming = shared_alloc(sizeof(*coming));
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	unsigned int rounds = often(ROUNDS), done;
	int set = epoll_create1(EPOLL_CLOEXEC), i;
	pid_t pids[ARRAY_SIZE(ways)];

	ASSERT_NE(NULL, coming);
	coming->parent = self->fd;
	coming->parents_other = self->other;
	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, self->large, &event));
	ASSERT_EQ(ALL, drain(self->other, BLOCK, self->blocks, MOST));
	for (i = 0; i < (int)ARRAY_SIZE(ways); i++)
		pids[i] = spawn(ways[i], coming);
	ASSERT_TRUE(word_reaches(&coming->rounds, 1));
	while (epoll_wait(set, &event, 1, 0))
		;
	for (done = 0; done < rounds || word_get(&coming->rounds) < rounds; done++) {
		ASSERT_FALSE(child_has_ended());
		ASSERT_EQ(0, give_up(self->other, self->blocks[0].handle));
		ASSERT_EQ(1, epoll_wait(set, &event, 1, -1));
		ASSERT_EQ(1, rent_many(self->other, BLOCK, 1, self->blocks));
		/* what came of that return is no news */
		while (epoll_wait(set, &event, 1, 0))
			;
	}
	word_set(&coming->stop, 1);
	for (i = 0; i < (int)ARRAY_SIZE(ways); i++)
		EXPECT_EQ(0, reap(pids[i]));
	TH_LOG("%u returns beside %u clients and polls", done, coming->rounds);
	close(set);
}

TEST_HARNESS_MAIN
