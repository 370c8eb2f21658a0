// SPDX-License-Identifier: MIT
/*
 * Waiting: who waits, for how long, who is next, and that nobody is
 * forgotten.
 *
 * BUFPOOL_MEETINGS is how often waiters and blocks are to meet (2000).
 */
#include "line.h"

#include <pthread.h>

#define BLOCK	(1 * MIB)
#define SMALL	(64 * KIB)
#define ALL	4			/* large blocks within the limit */
#define LIMIT	(ALL * BLOCK)
#define MOST	2048
#define IN_LINE	8
#define A_DAY	(24 * 3600)

FIXTURE(line)
{
	int fd;
	struct bufpool_block *blocks;
	struct bufpool_rent rent;
	struct bufpool_stats before;
	struct line *line;
	pid_t pids[PLACES];
};

FIXTURE_SETUP(line)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
}

FIXTURE_TEARDOWN(line)
{
	close(self->fd);
	parameters_restore();
}

static bool waiting_becomes(int fd, __u64 want)
{
	__u64 end = now_ms() + SOON_MS;

	while (stats_of(fd).waiting != want) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* Nobody has been served beyond @count, after a while in which one could be. */
static bool only_served(struct line *line, unsigned int count)
{
	if (!word_reaches(&line->served, count))
		return false;
	sleep_ms(50);
	return __atomic_load_n(&line->served, __ATOMIC_ACQUIRE) == count;
}

/* How long -------------------------------------------------------------------- */

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
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
}

FIXTURE_TEARDOWN(patience)
{
	close(self->fd);
	parameters_restore();
}

TEST_F(patience, is_served)
{
	struct waiter waiter = {
		.line = self->line,
		.size = BLOCK,
		.timeout_ns = variant->timeout_ns,
	};
	pid_t pid = enqueue_as(&waiter);

	ASSERT_LT(0, pid);
	EXPECT_TRUE(only_served(self->line, 0));
	ASSERT_EQ(0, give(self->fd, self->blocks[2].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(self->blocks[2].offset, self->line->places[0].offset);
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

TEST_F(patience, is_interrupted)
{
	struct waiter waiter = {
		.line = self->line,
		.size = BLOCK,
		.timeout_ns = variant->timeout_ns,
	};
	pid_t pid = enqueue_as(&waiter);

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

/* Who gave up waiting owes nothing. */
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

/* In which order ----------------------------------------------------------------- */

TEST_F(line, first_come_first_served)
{
	unsigned int i;

	ASSERT_EQ(0, limit_write(IN_LINE * BLOCK));
	ASSERT_EQ(IN_LINE, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < IN_LINE; i++) {
		self->pids[i] = enqueue(self->line, i, BLOCK);
		ASSERT_LT(0, self->pids[i]);
	}
	EXPECT_EQ(IN_LINE, stats_of(self->fd).waiting);
	for (i = 0; i < IN_LINE; i++) {
		/* Every way back. */
		ASSERT_EQ(0, give_with(self->fd, self->blocks[i].handle, i % 4));
		ASSERT_TRUE(word_reaches(&self->line->served, i + 1));
		EXPECT_EQ(i, self->line->order[i]);
		EXPECT_EQ(self->blocks[i].offset,
			  self->line->places[i].offset);
	}
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	for (i = 0; i < IN_LINE; i++)
		EXPECT_EQ(0, dismiss(self->line, i, self->pids[i]));
}

/* All that come back at once are for those who have waited longest. */
TEST_F(line, several_at_once)
{
	__u64 handles[ALL];
	unsigned int i;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < 2 * ALL; i++) {
		self->pids[i] = enqueue(self->line, i, BLOCK);
		ASSERT_LT(0, self->pids[i]);
	}
	for (i = 0; i < ALL; i++)
		handles[i] = self->blocks[i].handle;
	ASSERT_EQ(ALL, give_many(self->fd, handles, ALL));
	ASSERT_TRUE(only_served(self->line, ALL));
	for (i = 0; i < ALL; i++)
		EXPECT_EQ(self->blocks[i].offset,
			  self->line->places[i].offset);
	/* And what these return is for the others. */
	for (i = 0; i < 2 * ALL; i++)
		EXPECT_EQ(0, dismiss(self->line, i, self->pids[i]));
	EXPECT_EQ(2 * ALL, self->line->served);
}

/* A block that is returned while somebody waits does not stay warm. */
TEST_F(line, returned_block_goes_to_the_waiter)
{
	pid_t pid;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->line, 0, BLOCK);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
	/* Who returned it does not get it back, however quick it is. */
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(self->blocks[1].offset, self->line->places[0].offset);
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
	EXPECT_EQ(0, give(self->fd, self->blocks[2].handle));
	EXPECT_EQ(1, stats_of(self->fd).client_warm_blocks);
}

/* Of any size, since it may be in the way. */
TEST_F(line, small_block_makes_room_for_the_waiter)
{
	int i, count;
	pid_t pid;

	count = drain(self->fd, SMALL, self->blocks, MOST);
	ASSERT_EQ(LIMIT / SMALL, (__u64)count);
	pid = enqueue(self->line, 0, BLOCK);
	ASSERT_LT(0, pid);
	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		if (word_reaches(&self->line->served, i + 1 >= 16))
			continue;
		break;
	}
	EXPECT_EQ(count, i);
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

static int hold_some(void *arg)
{
	struct place *place = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	CHECK(!rent(fd, BLOCK, &rented));
	place->offset = rented.offset;
	word_set(&place->ready, 1);
	pause();
	return 0;
}

/* What a dying owner had is for the first, and only the first. */
TEST_F(line, dying_owner_serves_the_first)
{
	struct place *owner = &self->line->places[PLACES - 1];
	pid_t owning = spawn(hold_some, owner);
	unsigned int i;

	ASSERT_TRUE(word_reaches(&owner->ready, 1));
	ASSERT_EQ(ALL - 1, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < 3; i++) {
		self->pids[i] = enqueue(self->line, i, BLOCK);
		ASSERT_LT(0, self->pids[i]);
	}
	kill(owning, SIGKILL);
	ASSERT_EQ(-SIGKILL, reap(owning));
	EXPECT_TRUE(only_served(self->line, 1));
	EXPECT_EQ(0, self->line->order[0]);
	EXPECT_EQ(owner->offset, self->line->places[0].offset);
	for (i = 0; i < 3; i++) {
		kill(self->pids[i], SIGKILL);
		EXPECT_EQ(-SIGKILL, reap(self->pids[i]));
	}
	EXPECT_TRUE(in_use_becomes(self->fd, (ALL - 1) * BLOCK));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

/* More room is for as many as it is room for, the first ones. */
TEST_F(line, higher_limit_serves_several)
{
	unsigned int i;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < 6; i++) {
		self->pids[i] = enqueue(self->line, i, BLOCK);
		ASSERT_LT(0, self->pids[i]);
	}
	ASSERT_EQ(0, limit_write(LIMIT + 3 * BLOCK));
	EXPECT_TRUE(only_served(self->line, 3));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(i < 3 ? 0 : 1, self->line->places[i].answer);
	ASSERT_EQ(0, limit_write(LIMIT + 8 * BLOCK));
	EXPECT_TRUE(only_served(self->line, 6));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, dismiss(self->line, i, self->pids[i]));
}

/* A block that is too large to be kept leaves room for many. */
TEST_F(line, oversize_block_serves_several)
{
	static const __u64 sizes[] = {
		4 * KIB, 64 * KIB, 4 * KIB, 256 * KIB, 512 * KIB, 64 * KIB,
	};
	struct bufpool_info info;
	unsigned int i;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	if (info.max_rent == info.max_pooled)
		SKIP(return, "no block is too large to be pooled here");
	ASSERT_EQ(0, limit_write(info.max_rent));
	ASSERT_EQ(0, rent(self->fd, info.max_rent, &self->rent));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->pids[i] = enqueue(self->line, i, sizes[i]);
		ASSERT_LT(0, self->pids[i]);
	}
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_TRUE(only_served(self->line, ARRAY_SIZE(sizes)));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(0, dismiss(self->line, i, self->pids[i]));
}

/* Newcomers ------------------------------------------------------------------------ */

/*
 * Over the limit, a block is free and may not be had. When it may again, it is
 * for who waits, though he sleeps still and the newcomer is awake.
 */
TEST_F(line, nobody_overtakes_when_the_limit_rises)
{
	int count = LIMIT / SMALL, ret;
	pid_t pid;

	ASSERT_EQ(count, drain(self->fd, SMALL, self->blocks, MOST));
	ASSERT_EQ(0, limit_write(LIMIT / 2));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(-EAGAIN, rent(self->fd, SMALL, &self->rent));
	pid = enqueue(self->line, 0, SMALL);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(keep_to_cpu(pid, 0));
	ASSERT_TRUE(be_alone(true));
	ret = limit_write(LIMIT);
	if (!ret)
		ret = rent(self->fd, SMALL, &self->rent);
	ASSERT_TRUE(be_alone(false));
	EXPECT_EQ(-EAGAIN, ret);
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

/* A larger free block is for who waits, before it is for who comes. */
TEST_F(line, nobody_overtakes_with_a_larger_block)
{
	pid_t pid;
	int i;

	/* Slabs of two blocks each, so that one that comes back leaves no room. */
	ASSERT_EQ(LIMIT / SMALL,
		  (__u64)drain(self->fd, SMALL, self->blocks, MOST));
	pid = enqueue(self->line, 0, SMALL / 2);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(-EAGAIN, rent(self->fd, SMALL / 2, &self->rent));
	EXPECT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(SMALL, self->line->places[0].length);
	kill(pid, SIGKILL);
	reap(pid);
}

/* Too large for who is first --------------------------------------------------------- */

FIXTURE(refused)
{
	int fd;
	struct line *line;
	struct bufpool_info info;
	struct bufpool_block blocks[LIMIT / SMALL];
	struct bufpool_stats before;
};

/* Less than a large block, by whatever bound, and asked for in whatever way. */
FIXTURE_VARIANT(refused)
{
	__u64 ceiling;
	__u64 quota;
	__u32 count;
};

FIXTURE_VARIANT_ADD(refused, by_ceiling) { .ceiling = SMALL - 4096 };
FIXTURE_VARIANT_ADD(refused, by_quota) { .quota = SMALL - 4096 };
FIXTURE_VARIANT_ADD(refused, one_of_many) {
	.ceiling = SMALL - 4096,
	.count = 2,
};

FIXTURE_SETUP(refused)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	if (self->info.slab_size != 2 * SMALL)
		SKIP(return, "this is made for slabs of 128 KiB");
	ASSERT_EQ(0, limit_write(LIMIT));
	if (variant->quota)
		ASSERT_EQ(0, parameter_write("quota", variant->quota));
	ASSERT_EQ(ARRAY_SIZE(self->blocks),
		  (size_t)drain(self->fd, SMALL, self->blocks,
				ARRAY_SIZE(self->blocks)));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(refused)
{
	close(self->fd);
	parameters_restore();
}

/* A larger block comes back that the first may not have: it waits on as the first. */
TEST_F(refused, stays_first)
{
	struct waiter waiters[] = {
		{
			.line = self->line,
			.number = 0,
			.size = SMALL / 2,
			.uid = variant->quota ? 4711 : 0,
			.ceiling = variant->ceiling,
			.count = variant->count,
		},
		{ .line = self->line, .number = 1, .size = SMALL / 2 },
	};
	pid_t pids[2];
	unsigned int i;

	/* The two halves of a slab. */
	ASSERT_EQ(self->blocks[0].offset / self->info.slab_size,
		  self->blocks[1].offset / self->info.slab_size);
	for (i = 0; i < 2; i++) {
		pids[i] = enqueue_as(&waiters[i]);
		ASSERT_LT(0, pids[i]);
	}
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_TRUE(only_served(self->line, 0));
	/* There is room for a slab of theirs now, from the front of it. */
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 2));
	EXPECT_GT(self->line->places[1].offset, self->line->places[0].offset);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(SMALL / 2, self->line->places[i].length);
		EXPECT_EQ(0, dismiss(self->line, i, pids[i]));
	}
	/* It is one wait, and so has one end. */
	EXPECT_EQ(2, stats_of(self->fd).waits - self->before.waits);
	EXPECT_TRUE(in_use_becomes(self->fd, LIMIT - 2 * SMALL));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
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

/*
 * Long enough for all to be in line before the one of them whose time is over
 * leaves it, however slow it is to start one.
 */
static __s64 time_to_queue_up(struct line *line)
{
	__u64 start = now_ms();
	pid_t pid = enqueue(line, 0, BLOCK);

	if (pid < 0)
		return 0;
	kill(pid, SIGKILL);
	reap(pid);
	memset(line, 0, sizeof(*line));
	return (now_ms() - start + 10) * 3 * QUITTERS * NSEC_PER_MSEC;
}

FIXTURE_SETUP(quitter)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	if (variant->by == BY_TIMEOUT)
		self->timeout_ns = time_to_queue_up(self->line);
	ASSERT_EQ(variant->by == BY_TIMEOUT, self->timeout_ns > 0);
}

FIXTURE_TEARDOWN(quitter)
{
	close(self->fd);
	parameters_restore();
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
		ASSERT_TRUE(keep_to_cpu(self->pids[0], 0));
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
				       SOON_MS * NSEC_PER_MSEC, &self->rent));
		self->blocks[0].handle = self->rent.handle;
	}
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	EXPECT_EQ(LIMIT, stats_of(self->fd).in_use);
}

/* The large ones ------------------------------------------------------------------ */

#define CHURNERS	3
#define HELD		48

/*
 * Rent and return small blocks all the time, so that each comes back after some
 * others, and there is always something rented, everywhere.
 */
static int churn(void *arg)
{
	struct line *line = arg;
	struct bufpool_rent held[HELD] = { 0 };
	__u64 seed = getpid();
	int fd = pool_open(), i;

	CHECK(fd >= 0);
	for (i = 0; !__atomic_load_n(&line->stop, __ATOMIC_ACQUIRE);
	     i = (i + 1) % HELD) {
		int ret;

		if (held[i].length)
			CHECK(!give(fd, held[i].handle));
		held[i].length = 0;
		ret = rent(fd, 4096ULL << next_random(&seed) % 6, &held[i]);
		CHECK(!ret || ret == -EAGAIN);
		if (ret)
			held[i].length = 0;
		__atomic_add_fetch(&line->small, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

FIXTURE(large)
{
	int fd;
	__u64 size;
	struct line *line;
	struct bufpool_block *blocks;
	int count;
	pid_t churners[CHURNERS];
	unsigned int small;		/* when it began to wait */
};

/* The pool is as large as the largest block is. */
FIXTURE_VARIANT(large)
{
	unsigned int share;		/* one part in so many of that */
};

FIXTURE_VARIANT_ADD(large, quarter) { .share = 4 };
FIXTURE_VARIANT_ADD(large, half) { .share = 2 };
FIXTURE_VARIANT_ADD(large, all_there_is) { .share = 1 };

FIXTURE_SETUP(large)
{
	struct bufpool_info info;
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_LE(MIB, info.max_rent);
	ASSERT_EQ(0, limit_write(info.max_rent));
	self->size = info.max_rent / variant->share;
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	/* Take all, so that those who churn find nothing yet. */
	self->count = drain(self->fd, 16 * KIB, self->blocks, MOST);
	ASSERT_EQ(info.max_rent / (16 * KIB), (__u64)self->count);
	for (i = 0; i < CHURNERS; i++)
		self->churners[i] = spawn(churn, self->line);
}

FIXTURE_TEARDOWN(large)
{
	parameters_restore();
}

/* How many small requests at most may be served before a large one is. */
#define PATIENCE	20000

/* The large one is served, and before too many others were. */
static bool is_not_starved(struct line *line, unsigned int from,
			   unsigned int served)
{
	unsigned int now;

	do {
		sleep_ms(1);
		now = __atomic_load_n(&line->small, __ATOMIC_RELAXED);
		if (__atomic_load_n(&line->served, __ATOMIC_ACQUIRE) >= served)
			return (int)(line->small_when_served - from) <= PATIENCE;
	} while (now - from <= PATIENCE);
	return false;
}

static bool stop_churning(struct line *line, const pid_t *churners)
{
	bool ok = true;
	int i;

	word_set(&line->stop, 1);
	for (i = 0; i < CHURNERS; i++)
		ok = !reap(churners[i]) && ok;
	return ok;
}

/* What this test itself holds, in the order of one slab after another. */
static bool let_go(int fd, const struct bufpool_block *blocks, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (give(fd, blocks[i].handle))
			return false;
	}
	return true;
}

TEST_F(large, is_not_starved)
{
	pid_t pid = enqueue(self->line, 0, self->size);

	ASSERT_LT(0, pid);
	self->small = self->line->small;
	ASSERT_TRUE(let_go(self->fd, self->blocks, self->count));
	EXPECT_TRUE(is_not_starved(self->line, self->small, 1));
	TH_LOG("%u small ones went before",
	       self->line->small_when_served - self->small);
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(pid, SIGKILL);
	reap(pid);
	close(self->fd);
}

/* Neither where others of its size come and go. */
TEST_F(large, is_not_starved_by_quitters)
{
	struct waiter quitter = {
		.line = self->line,
		.number = 1,
		.size = self->size,
		.timeout_ns = 100 * NSEC_PER_MSEC,
	};
	pid_t pid = enqueue(self->line, 0, self->size), other;

	ASSERT_LT(0, pid);
	self->line->places[1].answer = 1;
	other = spawn(wait_in_line, &quitter);
	ASSERT_EQ(0, reap(other));
	EXPECT_EQ(-ETIMEDOUT, self->line->places[1].answer);
	self->small = self->line->small;
	ASSERT_TRUE(let_go(self->fd, self->blocks, self->count));
	EXPECT_TRUE(is_not_starved(self->line, self->small, 1));
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(pid, SIGKILL);
	reap(pid);
	close(self->fd);
}

/* One after another, and the second as the first. */
TEST_F(large, is_not_starved_as_the_second)
{
	pid_t pid = enqueue(self->line, 0, self->size);
	pid_t second = enqueue(self->line, 1, self->size);

	ASSERT_LT(0, pid);
	ASSERT_LT(0, second);
	self->small = self->line->small;
	ASSERT_TRUE(let_go(self->fd, self->blocks, self->count));
	EXPECT_TRUE(is_not_starved(self->line, self->small, 1));
	self->small = self->line->small;
	word_set(&self->line->places[0].go, 1);
	EXPECT_TRUE(is_not_starved(self->line, self->small, 2));
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(second, SIGKILL);
	reap(second);
	close(self->fd);
}

/* Nor by one who has a few small blocks, here and there, and keeps them. */
TEST_F(large, is_not_starved_by_a_keeper)
{
	pid_t pid = enqueue(self->line, 0, self->size);
	int i;

	ASSERT_LT(0, pid);
	self->small = self->line->small;
	if (variant->share == 1) {
		/* There is no room beside a keeper. */
		kill(pid, SIGKILL);
		reap(pid);
		stop_churning(self->line, self->churners);
		close(self->fd);
		return;
	}
	/* One block of every fifth slab stays, and nobody else gets the rest. */
	for (i = 0; i < self->count; i++) {
		if (i % 40)
			ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	}
	EXPECT_TRUE(is_not_starved(self->line, self->small, 1));
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(pid, SIGKILL);
	reap(pid);
	close(self->fd);
}

/* Meetings ---------------------------------------------------------------------------- */

#define PAIRS		4

struct meeting {
	unsigned int stop;
	unsigned int late;
	unsigned int rentals[2 * PAIRS];
	__u64 seeds[2 * PAIRS];
	unsigned int classes;		/* sizes from BLOCK downwards */
};

struct participant {
	struct meeting *meeting;
	unsigned int number;
	bool in_process;
};

static void dawdle(__u64 *seed)
{
	switch (next_random(seed) % 8) {
	case 0:
		sched_yield();
		break;
	case 1:
		keep_to_cpu(0, next_random(seed) & 1);
		break;
	case 2: {
		unsigned int spins = next_random(seed) % 3000;

		while (spins--)
			__asm__ volatile("" ::: "memory");
		break;
	}
	case 3: {
		struct timespec ts = { .tv_nsec = next_random(seed) % 50000 };

		nanosleep(&ts, NULL);
		break;
	}
	}
}

/* Wait, have, return. To wait too long is to have been forgotten. */
static void *meet(void *arg)
{
	const struct participant *participant = arg;
	struct meeting *meeting = participant->meeting;
	__u64 *seed = &meeting->seeds[participant->number];
	struct bufpool_rent rented;
	int fd = pool_open(), ret;

	CHECK(fd >= 0);
	while (!__atomic_load_n(&meeting->stop, __ATOMIC_ACQUIRE)) {
		ret = rent_with(fd, BLOCK >> next_random(seed) % meeting->classes,
				0, 2 * SOON_MS * NSEC_PER_MSEC, &rented);
		if (ret == -ETIMEDOUT) {
			__atomic_add_fetch(&meeting->late, 1, __ATOMIC_RELAXED);
			word_set(&meeting->stop, 1);
			break;
		}
		CHECK(!ret);
		dawdle(seed);
		CHECK(!give_with(fd, rented.handle, next_random(seed) % 4));
		dawdle(seed);
		meeting->rentals[participant->number]++;
	}
	close(fd);
	return NULL;
}

static int meet_in_process(void *arg)
{
	meet(arg);
	return 0;
}

static unsigned int meetings(void)
{
	const char *given = getenv("BUFPOOL_MEETINGS");

	return given ? (unsigned int)atoi(given) : often(2000);
}

FIXTURE(meeting)
{
	int fd;
	struct bufpool_stats before;
	struct meeting *meeting;
};

FIXTURE_VARIANT(meeting)
{
	__u64 limit;
	unsigned int classes;
};

/* So many blocks of one size; and of three sizes that make room for each other. */
FIXTURE_VARIANT_ADD(meeting, for_one_block) { .limit = 1 * MIB, .classes = 1 };
FIXTURE_VARIANT_ADD(meeting, for_three) { .limit = 3 * MIB, .classes = 1 };
FIXTURE_VARIANT_ADD(meeting, of_sizes) { .limit = 3 * MIB / 2, .classes = 3 };
FIXTURE_VARIANT_ADD(meeting, of_many_sizes) { .limit = 1 * MIB, .classes = 9 };

FIXTURE_SETUP(meeting)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(variant->limit));
	self->meeting = shared_alloc(sizeof(*self->meeting));
	ASSERT_NE(NULL, self->meeting);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(meeting)
{
	close(self->fd);
	parameters_restore();
}

TEST_F_TIMEOUT(meeting, nobody_is_forgotten, A_DAY)
{
	struct participant participants[2 * PAIRS];
	struct meeting *meeting = self->meeting;
	__u64 seed = random_seed(), waits;
	unsigned int i, rentals = 0;
	pthread_t threads[2 * PAIRS];
	pid_t pids[2 * PAIRS];

	meeting->classes = variant->classes;
	for (i = 0; i < 2 * PAIRS; i++) {
		struct participant *participant = &participants[i];

		meeting->seeds[i] = next_random(&seed);
		participant->meeting = meeting;
		participant->number = i;
		if (i < PAIRS) {
			pids[i] = spawn(meet_in_process, participant);
			ASSERT_LT(0, pids[i]);
		}
	}
	for (i = PAIRS; i < 2 * PAIRS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, meet,
					    &participants[i]));
	do {
		sleep_ms(2);
		waits = stats_of(self->fd).waits - self->before.waits;
	} while (waits < meetings() / 4 &&
		 !__atomic_load_n(&meeting->stop, __ATOMIC_ACQUIRE));
	word_set(&meeting->stop, 1);
	for (i = PAIRS; i < 2 * PAIRS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	for (i = 0; i < PAIRS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	for (i = 0; i < 2 * PAIRS; i++)
		rentals += meeting->rentals[i];
	TH_LOG("%llu waits in %u rentals", waits, rentals);
	EXPECT_EQ(0, meeting->late);
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	EXPECT_LE(stats_of(self->fd).pinned, variant->limit);
}

TEST_HARNESS_MAIN
