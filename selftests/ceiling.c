// SPDX-License-Identifier: MIT
/*
 * The ceiling of a client: what it counts, which warm blocks give way to it, and
 * that a waiter whose ceiling forbids larger blocks leaves them to others.
 */
#include "line.h"

#include <poll.h>

#define LARGER		(2 * PAGE)
#define KEPT		64			/* warm blocks of a class */
#define STEPS		20000

FIXTURE(ceiling)
{
	int fd;
	struct bufpool_rent rent;
};

FIXTURE_SETUP(ceiling)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ceiling)
{
	close(self->fd);
	parameters_restore();
}

static __u64 counted(int fd)
{
	struct bufpool_stats stats = stats_of(fd);

	return stats.client_bytes + stats.client_warm_bytes;
}

static int rent_some(int fd, __u64 size, int count, __u64 *handles)
{
	struct bufpool_block blocks[KEPT];
	int i, ret = rent_many(fd, size, count, blocks);

	for (i = 0; i < ret; i++)
		handles[i] = blocks[i].handle;
	return ret;
}

/* What it counts -------------------------------------------------------------------- */

TEST_F(ceiling, counts_warm_blocks)
{
	__u64 handles[4];

	ASSERT_EQ(0, set_ceiling(self->fd, 4 * PAGE));
	ASSERT_EQ(4, rent_some(self->fd, PAGE, 4, handles));
	EXPECT_EQ(-EDQUOT, rent(self->fd, PAGE, &self->rent));
	ASSERT_EQ(4, give_many(self->fd, handles, 4));
	ASSERT_EQ(4 * PAGE, stats_of(self->fd).client_warm_bytes);
	/* Of another size, which only fits where those give way. */
	ASSERT_EQ(0, rent(self->fd, LARGER, &self->rent));
	EXPECT_EQ(LARGER, self->rent.length);
	EXPECT_EQ(4 * PAGE, counted(self->fd));
	ASSERT_EQ(0, rent(self->fd, PAGE, &self->rent));
	EXPECT_GE(4 * PAGE, counted(self->fd));
}

/* While more is held nothing becomes warm, so that less is with each return. */
TEST_F(ceiling, nothing_stays_warm_over_it)
{
	__u64 handles[8];
	int i;

	ASSERT_EQ(8, rent_some(self->fd, PAGE, 8, handles));
	ASSERT_EQ(0, set_ceiling(self->fd, 4 * PAGE));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, give(self->fd, handles[i]));
		EXPECT_EQ((7 - i) * PAGE, counted(self->fd));
	}
	ASSERT_EQ(0, give(self->fd, handles[4]));
	EXPECT_EQ(PAGE, stats_of(self->fd).client_warm_bytes);
}

TEST_F(ceiling, has_all_warm_blocks_give_way)
{
	__u64 handles[KEPT];

	ASSERT_EQ(0, set_ceiling(self->fd, KEPT * PAGE));
	ASSERT_EQ(KEPT, rent_some(self->fd, PAGE, KEPT, handles));
	ASSERT_EQ(KEPT, give_many(self->fd, handles, KEPT));
	ASSERT_EQ(0, rent(self->fd, KEPT * PAGE, &self->rent));
	EXPECT_EQ(KEPT * PAGE, counted(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
}

/* Where all of them would not be enough, none goes. */
TEST_F(ceiling, has_none_give_way_in_vain)
{
	__u64 handles[4];

	ASSERT_EQ(0, set_ceiling(self->fd, 8 * PAGE));
	ASSERT_EQ(4, rent_some(self->fd, PAGE, 4, handles));
	ASSERT_EQ(4, give_many(self->fd, handles, 4));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 16 * PAGE, &self->rent));
	EXPECT_EQ(4, stats_of(self->fd).client_warm_blocks);
}

TEST_F(ceiling, lowered_evicts_warm_blocks)
{
	__u64 handles[8];

	ASSERT_EQ(8, rent_some(self->fd, PAGE, 8, handles));
	ASSERT_EQ(6, give_many(self->fd, handles, 6));
	ASSERT_EQ(8 * PAGE, counted(self->fd));
	ASSERT_EQ(0, set_ceiling(self->fd, 4 * PAGE));
	EXPECT_EQ(4 * PAGE, counted(self->fd));
	EXPECT_EQ(2, stats_of(self->fd).client_blocks);
	/* What is rented stays, whatever the ceiling is. */
	ASSERT_EQ(0, set_ceiling(self->fd, PAGE));
	EXPECT_EQ(2 * PAGE, counted(self->fd));
	EXPECT_EQ(-EDQUOT, rent(self->fd, PAGE, &self->rent));
	/* A block that comes back above it does not stay warm. */
	ASSERT_EQ(0, give(self->fd, handles[6]));
	EXPECT_EQ(PAGE, counted(self->fd));
	ASSERT_EQ(0, give(self->fd, handles[7]));
	EXPECT_EQ(PAGE, counted(self->fd));
	EXPECT_EQ(0, rent(self->fd, PAGE, &self->rent));
}

/* A warm block is revoked when it gives way, as whenever it leaves. */
TEST_F(ceiling, evicts_with_the_mapping)
{
	unsigned char *at = rent_mapped(self->fd, PAGE, &self->rent);

	ASSERT_NE(NULL, at);
	*at = 1;
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(0, touch(at));
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(SIGBUS, touch(at));
}

/* Whatever is rented and returned in whatever order. */
TEST_F(ceiling, is_never_passed)
{
	const __u64 sizes[] = { PAGE, PAGE, LARGER, 4 * PAGE, 16 * PAGE };
	const __u64 ceiling = 32 * PAGE;
	unsigned int steps = often(STEPS), step;
	__u64 seed = random_seed(), passed = 0, rented = 0;
	__u64 handles[KEPT];
	int held = 0, got;

	ASSERT_EQ(0, set_ceiling(self->fd, ceiling));
	for (step = 0; step < steps; step++) {
		__u64 size = sizes[next_random(&seed) % ARRAY_SIZE(sizes)];
		int count = 1 + next_random(&seed) % 4;

		if (next_random(&seed) % 2 && held + count <= KEPT) {
			got = rent_some(self->fd, size, count, handles + held);
			ASSERT_TRUE(got > 0 || got == -EDQUOT);
			held += got > 0 ? got : 0;
			rented += got > 0;
		} else if (held) {
			int which = next_random(&seed) % held;

			ASSERT_EQ(0, give(self->fd, handles[which]));
			handles[which] = handles[--held];
		}
		passed += counted(self->fd) > ceiling;
	}
	EXPECT_EQ(0, passed);
	EXPECT_LT(steps / 8, rented);
}

/* Waiters with a ceiling ------------------------------------------------------------- */

/*
 * Only larger blocks are free, some in each slab, and the first waiter's ceiling
 * forbids those. It may have slabs drained, but not so many so soon.
 */
FIXTURE(bounded)
{
	int hold;
	int fd;
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rent;
	struct line *line;
	pid_t pids[2];
};

FIXTURE_SETUP(bounded)
{
	struct waiter waiter = { .size = PAGE, .ceiling = PAGE };
	struct bufpool_info info;
	int i, count;

	self->hold = pool_open();
	self->fd = pool_open();
	ASSERT_LE(0, self->hold);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, limit_write(LIMIT));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	count = drain(self->hold, LARGER, self->blocks, MOST);
	ASSERT_EQ((int)(LIMIT / LARGER), count);
	for (i = 0; i < count; i++)
		/* All but the first of each slab. */
		if (self->blocks[i].offset % info.slab_size)
			ASSERT_EQ(0, give_up(self->hold,
					     self->blocks[i].handle));
	waiter.line = self->line;
	self->pids[0] = enqueue_as(&waiter);
	ASSERT_LT(0, self->pids[0]);
}

FIXTURE_TEARDOWN(bounded)
{
	int i;

	for (i = 0; i < 2 && self->pids[i] > 0; i++) {
		kill(self->pids[i], SIGKILL);
		reap(self->pids[i]);
	}
	close(self->hold);
	close(self->fd);
	parameters_restore();
}

TEST_F(bounded, waiter_leaves_larger_blocks_to_newcomers)
{
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, rent(self->fd, PAGE, &self->rent));
		EXPECT_EQ(LARGER, self->rent.length);
	}
	EXPECT_EQ(0, self->line->served);
	EXPECT_EQ(1, stats_of(self->fd).waiting);
}

/* So no owner of larger ones returns them for that waiter. */
TEST_F(bounded, waiter_counts_for_blocks_of_its_size)
{
	struct bufpool_status *status = map_status(self->fd);

	ASSERT_NE(NULL, status);
	EXPECT_TRUE(BECOMES(word_get(&status->waiting_of[1]) == 0));
	EXPECT_EQ(1, word_get(&status->waiting_of[0]));
	EXPECT_EQ(0, word_get(&status->waiting_of[2]));
	kill(self->pids[0], SIGKILL);
	reap(self->pids[0]);
	self->pids[0] = 0;
	EXPECT_EQ(0, word_get(&status->waiting_of[0]));
	EXPECT_EQ(0, word_get(&status->waiting_of[1]));
}

TEST_F(bounded, waiter_leaves_larger_blocks_to_other_waiters)
{
	/* It sleeps once it has been served, too. */
	self->pids[1] = enqueue(self->line, 1, PAGE);
	ASSERT_LT(0, self->pids[1]);
	EXPECT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(1, self->line->order[0]);
	EXPECT_EQ(LARGER, self->line->places[1].length);
	EXPECT_EQ(0, self->line->places[1].answer);
}

/* Behind it in line, when larger blocks come back. */
TEST_F(bounded, waiter_lets_the_second_have_what_comes_back)
{
	int count, i;

	count = drain(self->fd, LARGER, self->blocks, MOST);
	ASSERT_LT(0, count);
	self->pids[1] = enqueue(self->line, 1, PAGE);
	ASSERT_LT(0, self->pids[1]);
	EXPECT_EQ(0, self->line->served);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(1, self->line->order[0]);
	EXPECT_EQ(LARGER, self->line->places[1].length);
}

TEST_F(bounded, waiter_does_not_hide_larger_blocks_from_pollers)
{
	struct pollfd pollfd = { .fd = self->fd, .events = POLLIN };

	EXPECT_EQ(1, poll(&pollfd, 1, 0));
	EXPECT_EQ(POLLIN, pollfd.revents);
}

/* It is the first for a block that it may have. */
TEST_F(bounded, waiter_is_served_with_its_own_size)
{
	struct bufpool_stats before = stats_of(self->fd);

	ASSERT_EQ(0, limit_write(LIMIT + MIB));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(PAGE, self->line->places[0].length);
	EXPECT_EQ(before.in_use + PAGE, in_use(self->fd));
}

TEST_HARNESS_MAIN
