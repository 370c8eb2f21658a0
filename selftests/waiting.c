// SPDX-License-Identifier: MIT
/*
 * Waiting: which waiter is next, and what serves it.
 */
#include "waiting.h"

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

/* All that come back at once are for the longest waiters. */
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

/* A block that is returned while there is a waiter does not stay warm. */
TEST_F(line, returned_block_goes_to_the_waiter)
{
	pid_t pid;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->line, 0, BLOCK);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
	/* The returner does not get it back, however quick it is. */
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

TEST_F(line, large_block_serves_a_waiter_for_a_small_one)
{
	pid_t pid;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->line, 0, 1);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

/* RENT_MANY waits for its first block, and comes back with that. */
TEST_F(line, one_of_many_is_waited_for)
{
	struct waiter waiter = { .line = self->line, .size = BLOCK, .count = 2 };
	pid_t pid;

	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue_as(&waiter);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(LIMIT, stats_of(self->fd).in_use);
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

static int hold_some_and_close(void *arg)
{
	struct place *place = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	CHECK(!rent(fd, BLOCK, &rented));
	word_set(&place->ready, 1);
	CHECK(word_reaches(&place->go, 1));
	close(fd);
	pause();
	return 0;
}

/* And what a client had that is closed by a process that lives on. */
TEST_F(line, closed_client_serves_the_first)
{
	struct place *owner = &self->line->places[PLACES - 1];
	pid_t owning = spawn(hold_some_and_close, owner), pid;

	ASSERT_TRUE(word_reaches(&owner->ready, 1));
	ASSERT_EQ(ALL - 1, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->line, 0, BLOCK);
	ASSERT_LT(0, pid);
	word_set(&owner->go, 1);
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
	kill(owning, SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(owning));
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

/* Newcomers ------------------------------------------------------------------------ */

/*
 * Over the limit, a block is free and may not be had. When it may again, it is
 * the waiter's, though it sleeps still and the newcomer is awake.
 */
TEST_F(line, newcomer_waits_when_the_limit_rises)
{
	int count = LIMIT / SMALL, ret;
	pid_t pid;

	ASSERT_EQ(count, drain(self->fd, SMALL, self->blocks, MOST));
	ASSERT_EQ(0, limit_write(LIMIT / 2));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(-EAGAIN, rent(self->fd, SMALL, &self->rent));
	pid = enqueue(self->line, 0, SMALL);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(pin(pid, 0));
	ASSERT_TRUE(be_alone(true));
	ret = limit_write(LIMIT);
	if (!ret)
		ret = rent(self->fd, SMALL, &self->rent);
	ASSERT_TRUE(be_alone(false));
	EXPECT_EQ(-EAGAIN, ret);
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

/* A larger free block is for the waiter before it is for a newcomer. */
TEST_F(line, newcomer_gets_no_larger_block)
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

/* Other sizes ---------------------------------------------------------------------- */

/*
 * Before a waiter has more slabs drained than it needs room for: half of that time, as ticks
 * may be late, and then come at once.
 */
#define AT_FIRST_MS	50

/* While one waits, there is one block for others. Return: whether that was seen in time. */
static bool leaves_one(struct __test_metadata *_metadata, int fd, __u64 began)
{
	struct bufpool_block many;
	struct bufpool_rent one;
	int ret = rent(fd, 1, &one), more = rent_many(fd, 1, 1, &many);
	bool in_time = now_ms() - began < AT_FIRST_MS;

	if (in_time) {
		EXPECT_EQ(0, ret);
		EXPECT_EQ(-EAGAIN, more);
	}
	if (!ret)
		EXPECT_EQ(0, give(fd, one.handle));
	if (more == 1)
		EXPECT_EQ(0, give(fd, many.handle));
	return in_time;
}

/*
 * A waiter for one size keeps those of another from no more of their blocks than
 * it needs room for: nine slabs of small ones and two large blocks leave one
 * slab's size missing for a third.
 */
static void see_what_is_left(struct __test_metadata *_metadata, struct _test_data_line *self)
{
	int per_slab, slabs, i;
	struct bufpool_block *small;
	struct bufpool_info info;
	bool in_time = false;
	__u64 began;
	pid_t pid = 0;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	per_slab = info.slab_size / PAGE;
	slabs = BLOCK / info.slab_size + 1;
	small = calloc(slabs * per_slab, sizeof(*small));
	ASSERT_NE(NULL, small);
	for (i = 0; i < slabs; i++)
		ASSERT_EQ(per_slab, rent_many(self->fd, 1, per_slab,
					      small + i * per_slab));
	ASSERT_EQ(2, drain(self->fd, BLOCK, self->blocks, MOST));
	/* A free small block in each of two slabs. */
	ASSERT_EQ(0, give_up(self->fd, small[0].handle));
	ASSERT_EQ(0, give_up(self->fd, small[per_slab].handle));
	for (i = 0; i < 100 && !in_time; i++) {
		if (pid) {
			kill(pid, SIGKILL);
			reap(pid);
			self->line->places[0].ready = 0;
		}
		began = now_ms();
		pid = enqueue(self->line, 0, BLOCK);
		ASSERT_LT(0, pid);
		in_time = leaves_one(_metadata, self->fd, began);
	}
	EXPECT_TRUE(in_time);
	EXPECT_EQ(0, self->line->served);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, pid));
}

TEST_F(line, sizes_do_not_disturb_each_other)
{
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	see_what_is_left(_metadata, self);
}

/* The rest of the pool is no different where it is idle slabs of another size. */
TEST_F(line, idle_slabs_are_room)
{
	int count = drain(self->fd, SMALL, self->blocks, MOST), i;

	ASSERT_EQ(LIMIT / SMALL, (__u64)count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	ASSERT_EQ(LIMIT, stats_of(self->fd).pinned);
	see_what_is_left(_metadata, self);
}

/* Too large for the first waiter ----------------------------------------------------- */

FIXTURE(refused)
{
	int fd;
	struct line *line;
	struct bufpool_info info;
	__u64 size;			/* of a block: half a slab */
	struct bufpool_block blocks[LIMIT / SMALL];
	struct bufpool_stats before;
};

/* Less than a large block, by its ceiling, and asked for in whatever way. */
FIXTURE_VARIANT(refused)
{
	__u32 count;
};

FIXTURE_VARIANT_ADD(refused, one) { };
FIXTURE_VARIANT_ADD(refused, one_of_many) { .count = 2 };

FIXTURE_SETUP(refused)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->size = self->info.slab_size / 2;
	if (self->size < SMALL)
		SKIP_FIXTURE("this is made for slabs of 128 KiB and more");
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(LIMIT / self->size,
		  (__u64)drain(self->fd, self->size, self->blocks,
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
			.size = self->size / 2,
			.ceiling = self->size - PAGE,
			.count = variant->count,
		},
		{ .line = self->line, .number = 1, .size = self->size / 2 },
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
	/* The first waiter may not have it, and is in nobody's way. */
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(self->size, self->line->places[1].length);
	EXPECT_EQ(0, dismiss(self->line, 1, pids[1]));
	/* There is room for a slab of its own size now. */
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 2));
	EXPECT_EQ(self->size / 2, self->line->places[0].length);
	EXPECT_EQ(0, dismiss(self->line, 0, pids[0]));
	/* It is one wait, and so has one end. */
	EXPECT_EQ(2, stats_of(self->fd).waits - self->before.waits);
	EXPECT_TRUE(in_use_becomes(self->fd, LIMIT - 2 * self->size));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

TEST_HARNESS_MAIN
