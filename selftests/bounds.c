// SPDX-License-Identifier: MIT
/*
 * Bounds on what is not bytes: how many clients a user may have, and how many waiters.
 */
#include "tenant.h"
#include "touch.h"
#include "waiting.h"

#include <sys/resource.h>

#define ALICE	4711
#define BOB	4712
#define CLIENTS	4
#define WAITERS	2
#define RACERS	8

/* Clients ----------------------------------------------------------------------- */

/* One more is refused, each time, and that changes nothing but a count. */
static void find_no_room(int fd)
{
	struct bufpool_stats before = stats_of(fd);
	__u64 i;

	for (i = 1; i <= 3; i++) {
		CHECK(pool_open() == -EDQUOT);
		CHECK(stats_of(fd).refused_clients == before.refused_clients + i);
	}
	CHECK(unchanged(fd, &before));
	CHECK(stats_of(fd).clients == before.clients);
	CHECK(stats_of(fd).refused_quota == before.refused_quota);
}

static int open_all(void)
{
	int fds[CLIENTS], copy, i;

	for (i = 0; i < CLIENTS; i++)
		fds[i] = open_or_fail();
	find_no_room(fds[0]);
	copy = dup(fds[1]);
	CHECK(copy >= 0);
	/* Its client is there still. */
	CHECK(!close(fds[1]));
	find_no_room(fds[0]);
	CHECK(!close(copy));
	fds[1] = open_or_fail();
	find_no_room(fds[0]);
	return 0;
}

TEST_F(line, clients_of_a_user_are_bounded)
{
	ASSERT_EQ(0, parameter_write("max_clients", CLIENTS));
	EXPECT_EQ(0, as_user(ALICE, open_all));
	EXPECT_EQ(0, as_user(ALICE, open_all));
}

#define REFUSED	2

static int open_one(void)
{
	int fd = pool_open();

	CHECK(fd >= 0 || fd == -EDQUOT);
	return fd < 0 ? REFUSED : 0;
}

/* Over all processes of the user, and of no other. */
TEST_F(line, clients_are_bounded_by_user)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = open_one,
	};
	struct waiter holder = { .line = self->line, .size = SMALL, .uid = ALICE };
	pid_t pid;

	ASSERT_EQ(0, parameter_write("max_clients", 1));
	pid = spawn(wait_in_line, &holder);
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(REFUSED, in_child(live_as, &alice));
	EXPECT_EQ(0, as_user(BOB, open_one));
	alice.capabilities |= CAP_TO_MASK(CAP_SYS_RESOURCE);
	EXPECT_EQ(0, in_child(live_as, &alice));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
	EXPECT_EQ(0, as_user(ALICE, open_one));
}

static int open_all_and_die(void)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		open_or_fail();
	raise(SIGKILL);
	return 0;
}

TEST_F(line, clients_are_given_back_by_a_kill)
{
	int i;

	ASSERT_EQ(0, parameter_write("max_clients", CLIENTS));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-SIGKILL, as_user(ALICE, open_all_and_die));
		EXPECT_TRUE(BECOMES(stats_of(self->fd).clients ==
				    self->before.clients));
	}
	EXPECT_EQ(0, as_user(ALICE, open_all));
}

/* Lowered below what there is: nothing is closed. */
static struct line *hall;

static int see_it_lowered(void)
{
	int fds[CLIENTS], i;

	for (i = 0; i < CLIENTS; i++)
		fds[i] = open_or_fail();
	word_set(&hall->served, 1);
	CHECK(word_reaches(&hall->stop, 1));
	for (i = 0; i < CLIENTS - 1; i++) {
		find_no_room(fds[i]);
		CHECK(!close(fds[i]));
	}
	CHECK(pool_open() >= 0);
	find_no_room(fds[i]);
	return 0;
}

TEST_F(line, clients_are_more_than_the_bound)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = see_it_lowered,
	};
	pid_t pid;

	hall = self->line;
	ASSERT_EQ(0, parameter_write("max_clients", CLIENTS));
	pid = spawn(live_as, &alice);
	ASSERT_TRUE(word_reaches(&hall->served, 1));
	ASSERT_EQ(0, parameter_write("max_clients", 2));
	word_set(&hall->stop, 1);
	EXPECT_EQ(0, reap(pid));
}

/* As many as may, however many try at once. */
static int try_all(void *arg)
{
	struct line *line = arg;
	int i;

	CHECK(become(ALICE, ONLY_OPEN));
	for (i = 0; i < CLIENTS; i++) {
		int fd = pool_open();

		CHECK(fd >= 0 || fd == -EDQUOT);
		__atomic_fetch_add(fd >= 0 ? &line->served : &line->small, 1,
				   __ATOMIC_ACQ_REL);
	}
	CHECK(word_reaches(&line->stop, 1));
	return 0;
}

TEST_F(line, clients_are_bounded_in_a_race)
{
	const unsigned int most = RACERS * CLIENTS / 2;
	pid_t pids[RACERS];
	int i;

	ASSERT_EQ(0, parameter_write("max_clients", most));
	for (i = 0; i < RACERS; i++)
		pids[i] = spawn(try_all, self->line);
	EXPECT_TRUE(word_reaches(&self->line->small, most));
	EXPECT_EQ(most, self->line->served);
	word_set(&self->line->stop, 1);
	for (i = 0; i < RACERS; i++)
		EXPECT_EQ(0, reap(pids[i]));
}

/* A client is as much as a page of its stacks, each of which stays as long as it. */
static int touch_stacks(void)
{
	struct bufpool_info info = { .size = sizeof(info) };
	int fd = open_or_fail(), i;
	unsigned char *stacks;

	CHECK(!pool_info(fd, &info));
	stacks = mmap(NULL, CLIENTS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      info.stacks_offset);
	CHECK(stacks != MAP_FAILED);
	for (i = 0; i < CLIENTS - 1; i++)
		CHECK(!poke(stacks + i * PAGE, 1));
	CHECK(poke(stacks + i * PAGE, 1) == SIGBUS);
	CHECK(!poke(stacks, 2));
	find_no_room(fd);
	CHECK(!munmap(stacks, CLIENTS * PAGE) && !close(fd));
	return 0;
}

TEST_F(line, pages_of_stacks_are_bounded)
{
	ASSERT_EQ(0, parameter_write("max_clients", CLIENTS));
	EXPECT_EQ(0, as_user(ALICE, touch_stacks));
	EXPECT_EQ(0, as_user(ALICE, touch_stacks));
}

/* So many as nobody has by accident. */
static int open_thousands(void *arg)
{
	unsigned int most = often(30000), i;
	struct rlimit files = { most + 64, most + 64 };

	(void)arg;
	CHECK(!setrlimit(RLIMIT_NOFILE, &files));
	CHECK(become(ALICE, ONLY_OPEN));
	for (i = 0; i < most; i++)
		open_or_fail();
	return 0;
}

TEST_F(line, the_default_has_room_for_thousands)
{
	EXPECT_EQ(0, in_child(open_thousands, NULL));
}

/* Waiters ----------------------------------------------------------------------- */

static pid_t wait_as(struct line *line, unsigned int number, uid_t uid)
{
	struct waiter waiter = {
		.line = line,
		.number = number,
		.size = BLOCK,
		.uid = uid,
	};

	return enqueue_as(&waiter);
}

/* Refused at once, where there is no block; and nothing has changed. */
static int be_refused(void)
{
	struct bufpool_block blocks[2];
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = BLOCK,
		.count = 2,
		.blocks = (uintptr_t)blocks,
	};
	int fd = open_or_fail();
	struct bufpool_stats before = stats_of(fd), after;
	struct bufpool_rent rented;

	CHECK(rent_with(fd, BLOCK, 0, 0, &rented) == -EDQUOT);
	CHECK(rent_with(fd, BLOCK, 0, NSEC_PER_MSEC, &rented) == -EDQUOT);
	CHECK(pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &many) == -EDQUOT);
	CHECK(unchanged(fd, &before));
	after = stats_of(fd);
	CHECK(after.waiting == WAITERS);
	CHECK(after.waits == before.waits);
	CHECK(after.refused_waiters == before.refused_waiters + 3);
	CHECK(after.client_refused_waiters == 3);
	CHECK(after.client_refused_quota == 3);
	/* No wait was wanted, so none was refused. */
	CHECK(rent(fd, BLOCK, &rented) == -EAGAIN);
	CHECK(stats_of(fd).client_refused_waiters == 3);
	return 0;
}

static int wait_in_vain(void)
{
	struct bufpool_rent rented;

	CHECK(rent_with(open_or_fail(), BLOCK, 0, NSEC_PER_MSEC, &rented) ==
	      -ETIMEDOUT);
	return 0;
}

FIXTURE(crowd)
{
	int fd;
	struct line *line;
	struct bufpool_block blocks[ALL];
	pid_t pids[WAITERS + 1];
};

/* No block is free, and Alice waits as often as she may. */
FIXTURE_SETUP(crowd)
{
	int i;

	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	ASSERT_EQ(0, parameter_write("max_waiters", WAITERS));
	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	for (i = 0; i < WAITERS; i++) {
		self->pids[i] = wait_as(self->line, i, ALICE);
		ASSERT_LT(0, self->pids[i]);
	}
	ASSERT_EQ(0, as_user(ALICE, be_refused));
}

FIXTURE_TEARDOWN(crowd)
{
	int i;

	for (i = 0; i <= WAITERS; i++) {
		if (self->pids[i] <= 0)
			continue;
		kill(self->pids[i], SIGKILL);
		reap(self->pids[i]);
	}
	line_end(self->fd);
}

/* One of them is gone: one more may wait, and no two. */
static bool has_room_for_one(struct line *line, int fd, pid_t *pid)
{
	if (!waiting_becomes(fd, WAITERS - 1) || as_user(ALICE, wait_in_vain))
		return false;
	*pid = wait_as(line, WAITERS, ALICE);
	return *pid > 0 && !as_user(ALICE, be_refused);
}

TEST_F(crowd, waiter_is_given_back_by_a_kill)
{
	kill(self->pids[1], SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(self->pids[1]));
	EXPECT_TRUE(has_room_for_one(self->line, self->fd, &self->pids[1]));
}

TEST_F(crowd, waiter_is_given_back_when_it_is_served)
{
	ASSERT_EQ(0, SERVED_NEXT(0));
	EXPECT_TRUE(has_room_for_one(self->line, self->fd, &self->pids[WAITERS]));
}

TEST_F(crowd, others_may_wait)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN | CAP_TO_MASK(CAP_SYS_RESOURCE),
		.body = wait_in_vain,
	};

	EXPECT_EQ(0, as_user(BOB, wait_in_vain));
	EXPECT_EQ(0, in_child(live_as, &alice));
	EXPECT_EQ(0, as_user(ALICE, be_refused));
}

TEST_F(crowd, bound_is_lowered_and_raised)
{
	ASSERT_EQ(0, parameter_write("max_waiters", 1));
	EXPECT_EQ(WAITERS, stats_of(self->fd).waiting);
	EXPECT_EQ(0, as_user(ALICE, be_refused));
	ASSERT_EQ(0, parameter_write("max_waiters", WAITERS + 1));
	EXPECT_EQ(0, as_user(ALICE, wait_in_vain));
	EXPECT_EQ(WAITERS, stats_of(self->fd).waiting);
}

/* A waiter that a signal has interrupted comes back when it is told to. */
static int come_back(void *arg)
{
	const struct sigaction action = { .sa_handler = ignore_signal };
	struct place *place = arg;
	struct bufpool_rent rented;
	int fd;

	CHECK(become(ALICE, ONLY_OPEN));
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	fd = open_or_fail();
	word_set(&place->ready, 1);
	CHECK(rent_with(fd, BLOCK, 0, 0, &rented) == -EINTR);
	CHECK(rented.wait_id);
	word_set(&place->ready, 2);
	CHECK(word_reaches(&place->go, 1));
	CHECK(pool_ioctl(fd, BUFPOOL_IOC_RENT, &rented) == -EDQUOT);
	return 0;
}

/* While it is away it is no waiter, so it may find as many as may be. */
TEST_F(crowd, interrupted_waiter_does_not_count)
{
	struct place *place = &self->line->places[WAITERS + 1];
	pid_t pid;

	kill(self->pids[1], SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(self->pids[1]));
	self->pids[1] = 0;
	pid = spawn(come_back, place);
	ASSERT_TRUE(word_reaches(&place->ready, 1));
	ASSERT_TRUE(waiting_becomes(self->fd, WAITERS));
	kill(pid, SIGUSR1);
	ASSERT_TRUE(word_reaches(&place->ready, 2));
	EXPECT_TRUE(has_room_for_one(self->line, self->fd, &self->pids[1]));
	word_set(&place->go, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(WAITERS, stats_of(self->fd).waiting);
}

TEST_HARNESS_MAIN
