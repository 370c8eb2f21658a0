// SPDX-License-Identifier: MIT
/*
 * The larger bucket: where a size has no free block and the pool may not grow, a
 * free block of twice the size does, or of four times.
 */
#include "stranger.h"

#include <pthread.h>

#define ALL	16		/* blocks within the limit */

/*
 * The pool is full. One block of a chosen size is free, in a slab whose other
 * block is rented, so that the slab cannot make room for anything.
 */
FIXTURE(larger)
{
	int owner;
	int fd;
	struct bufpool_block blocks[ALL];
	struct bufpool_rent rent;
	struct bufpool_stats before;
	__u64 block;		/* bytes in one, which are half a slab */
	__u64 min_size;
};

FIXTURE_VARIANT(larger)
{
	unsigned int smaller;	/* by so many sizes than the free block */
	unsigned int more;	/* and so many bytes larger than that */
	bool is_given;
};

FIXTURE_VARIANT_ADD(larger, same) { .smaller = 0, .is_given = true };
FIXTURE_VARIANT_ADD(larger, one) { .smaller = 1, .is_given = true };
FIXTURE_VARIANT_ADD(larger, more_than_one) {
	.smaller = 2,
	.more = 1,
	.is_given = true,
};

FIXTURE_VARIANT_ADD(larger, two) { .smaller = 2, .is_given = true };
FIXTURE_VARIANT_ADD(larger, more_than_two) {
	.smaller = 3,
	.more = 1,
	.is_given = true,
};

FIXTURE_VARIANT_ADD(larger, three) { .smaller = 3 };
FIXTURE_VARIANT_ADD(larger, four) { .smaller = 4 };
FIXTURE_VARIANT_ADD(larger, smaller) { .more = 1 };

FIXTURE_SETUP(larger)
{
	struct bufpool_info info;

	self->owner = pool_open();
	ASSERT_LE(0, self->owner);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	self->block = info.slab_size / 2;
	self->min_size = (self->block >> variant->smaller) + variant->more;
	if (!variant->is_given && self->min_size < PAGE)
		SKIP_FIXTURE("no block is so much smaller than a slab");
	ASSERT_EQ(0, limit_write(ALL * self->block));
	ASSERT_EQ(ALL, rent_many(self->owner, self->block, ALL, self->blocks));
	ASSERT_EQ(0, give_up(self->owner, self->blocks[0].handle));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(larger)
{
	close(self->owner);
	close(self->fd);
	parameters_restore();
}

/* What is charged is what was got, and it is usable to its end. */
TEST_F(larger, is_given)
{
	struct bufpool_stats after;
	char *at;

	at = rent_mapped(self->fd, self->min_size, &self->rent);
	if (!variant->is_given) {
		EXPECT_EQ(NULL, at);
		EXPECT_EQ(-EAGAIN, rent(self->fd, self->min_size,
					&self->rent));
		EXPECT_TRUE(unchanged(self->fd, &self->before));
		return;
	}
	ASSERT_NE(NULL, at);
	EXPECT_EQ(self->block, self->rent.length);
	EXPECT_EQ(self->blocks[0].offset, self->rent.offset);
	EXPECT_TRUE(filled(at, 0, self->block));
	memset(at, 0x5a, self->block);
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(1, after.client_blocks);
	EXPECT_EQ(self->block, after.client_bytes);
	EXPECT_EQ(self->block, after.in_use - self->before.in_use);
	EXPECT_EQ(self->before.user_held, after.user_held);
	EXPECT_EQ(self->before.slabs_created, after.slabs_created);
	EXPECT_EQ(-EAGAIN, rent(self->fd, self->min_size, &self->rent));
	munmap(at, self->block);
}

TEST_F(larger, goes_back_where_it_belongs)
{
	struct bufpool_stats after;
	struct bufpool_rent again;

	if (!variant->is_given)
		return;
	ASSERT_EQ(0, rent(self->fd, self->min_size, &self->rent));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.in_use, after.in_use);
	EXPECT_EQ(self->before.user_held, after.user_held);
	EXPECT_EQ(self->before.pinned, after.pinned);
	EXPECT_EQ(0, after.client_bytes);
	EXPECT_EQ(0, rent(self->owner, self->block, &again));
	EXPECT_EQ(self->blocks[0].offset, again.offset);
}

/* It stays warm as what it is: of the larger size. */
TEST_F(larger, stays_warm_as_a_large_one)
{
	struct bufpool_stats after;

	if (!variant->is_given)
		return;
	ASSERT_EQ(0, rent(self->fd, self->min_size, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(1, after.client_warm_blocks);
	EXPECT_EQ(self->block, after.client_warm_bytes);
	EXPECT_EQ(0, rent(self->fd, self->block, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(1, after.client_warm_rents);
}

/* A ceiling that the larger block would pass forbids it, and only it. */
TEST_F(larger, not_over_the_ceiling)
{
	struct bufpool_stats after;

	if (!variant->is_given || self->min_size == self->block)
		return;
	ASSERT_EQ(0, set_ceiling(self->fd, self->block - PAGE));
	EXPECT_EQ(-EAGAIN, rent(self->fd, self->min_size, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.in_use, after.in_use);
	EXPECT_EQ(self->before.user_held, after.user_held);
	EXPECT_EQ(0, after.client_bytes);
	/* Nothing of it was charged either. */
	ASSERT_EQ(0, set_ceiling(self->fd, self->block));
	EXPECT_EQ(0, rent(self->fd, self->min_size, &self->rent));
	EXPECT_EQ(self->block, self->rent.length);
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
}

/* A quota is no other. */
struct bound {
	__u64 min_size;
	__u64 quota;
};

static int rent_as_a_user(void *arg)
{
	const struct bound *bound = arg;
	struct bufpool_stats stats;
	struct bufpool_rent rented;
	int fd;

	CHECK(become(4711, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	CHECK(rent(fd, bound->min_size, &rented) == -EAGAIN);
	CHECK(!pool_stats(fd, &stats));
	CHECK(stats.user_quota == bound->quota);
	CHECK(!stats.user_held);
	return 0;
}

TEST_F(larger, not_over_the_quota)
{
	struct bound bound = {
		.min_size = self->min_size,
		.quota = self->block - PAGE,
	};

	if (!variant->is_given || self->min_size == self->block)
		return;
	ASSERT_EQ(0, parameter_write("quota", bound.quota));
	EXPECT_EQ(0, in_child(rent_as_a_user, &bound));
	EXPECT_TRUE(in_use_becomes(self->fd, self->before.in_use));
}

/* The same of one that another client of the user keeps warm. */
TEST_F(larger, a_warm_one_is_given)
{
	struct bufpool_rent again;

	ASSERT_EQ(0, rent(self->owner, self->block, &again));
	ASSERT_EQ(0, give(self->owner, again.handle));
	ASSERT_EQ(1, stats_of(self->owner).client_warm_blocks);
	if (variant->is_given) {
		EXPECT_EQ(0, rent(self->fd, self->min_size, &self->rent));
		EXPECT_EQ(again.offset, self->rent.offset);
		EXPECT_EQ(self->block, stats_of(self->fd).client_bytes);
		EXPECT_EQ(0, stats_of(self->owner).client_warm_blocks);
	} else {
		EXPECT_EQ(-EAGAIN, rent(self->fd, self->min_size, &self->rent));
		EXPECT_EQ(1, stats_of(self->owner).client_warm_blocks);
	}
}

/* Many at once: the first of them may be larger than the others could be. */
TEST_F(larger, among_many)
{
	struct bufpool_block blocks[4];

	if (!variant->is_given)
		return;
	EXPECT_EQ(1, rent_many(self->fd, self->min_size, 4, blocks));
	EXPECT_EQ(self->block, blocks[0].length);
}

/* Larger ones are the last resort but one: while there is room, none is taken. */
TEST_F(larger, not_while_the_pool_may_grow)
{
	ASSERT_EQ(0, limit_write((ALL + 2) * self->block));
	ASSERT_EQ(0, rent(self->fd, self->block / 2, &self->rent));
	EXPECT_EQ(self->block / 2, self->rent.length);
}

/* Nobody is told of what is for a waiter, though that gets no processor to take it. */
static int wait_for_one(void *arg)
{
	const __u64 *min_size = arg;
	struct bufpool_rent rented;

	CHECK(!rent_with(pool_open(), *min_size, 0, 0, &rented));
	return 0;
}

TEST_F(larger, is_for_a_waiter_without_a_processor)
{
	struct crowd *crowd = shared_alloc(sizeof(*crowd));
	int poller = poller_of(self->fd, self->min_size);
	pid_t pid;

	if (!variant->is_given)
		return;
	if (get_nprocs() < 2)
		SKIP(return, "there is no second processor");
	ASSERT_NE(NULL, crowd);
	ASSERT_LE(0, poller);
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	ASSERT_EQ(0, rent(self->owner, self->block, &self->rent));
	ASSERT_TRUE(pin(0, 0));
	pid = spawn(wait_for_one, &self->min_size);
	ASSERT_TRUE(pin(pid, 1) && task_sleeps(pid, pid));
	crowd->hindrance = PREEMPTED;
	ASSERT_TRUE(crowd_add_spinner(crowd));
	crowd_hinder(crowd);
	ASSERT_EQ(0, give_up(self->owner, self->rent.handle));
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	EXPECT_EQ(-EAGAIN, rent(self->fd, self->min_size, &self->rent));
	EXPECT_EQ(0, word_get(&crowd->outlasted));
	crowd_remove_spinner(crowd);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(BECOMES(poll_now(poller, POLLIN) == POLLIN));
	close(poller);
}

/*
 * A larger block and one of its own size meet a waiter in the same instant, again and again: it
 * gets one of them, and for the other it is not charged.
 */
struct meeting {
	int fd;
	__u64 size;
	unsigned int rounds;
	unsigned int begun;
	unsigned int served;
	int ret;
};

static void *wait_in_rounds(void *arg)
{
	struct meeting *meeting = arg;
	struct bufpool_rent rented;
	unsigned int round;

	for (round = 1; round <= meeting->rounds && !meeting->ret; round++) {
		if (!word_reaches(&meeting->begun, round))
			break;
		meeting->ret = rent_with(meeting->fd, meeting->size, 0, 0, &rented) ?:
			       give_up(meeting->fd, rented.handle);
		word_set(&meeting->served, round);
	}
	return NULL;
}

/* Return both when the waiter waits, one after the other, and rent them again. */
static bool meet(int fd, struct meeting *meeting, struct bufpool_rent *small,
		 struct bufpool_rent *large, unsigned int round, __u64 *seed)
{
	unsigned int spins = next_random(seed) % 4000;

	word_set(&meeting->begun, round);
	if (!BECOMES(stats_of(fd).waiting == 1) || give_up(fd, large->handle))
		return false;
	while (spins--)
		__asm__ volatile("" ::: "memory");
	return !give_up(fd, small->handle) &&
	       word_reaches(&meeting->served, round) &&
	       !rent(fd, meeting->size, small) && small->length == meeting->size &&
	       !rent(fd, 2 * meeting->size, large);
}

TEST(a_larger_block_that_comes_too_late_costs_nothing)
{
	struct meeting meeting = { .fd = pool_open(), .rounds = often(1000) };
	struct bufpool_rent small, large, rented;
	__u64 seed = random_seed();
	int fd = pool_open();
	struct bufpool_block blocks[2 * ALL];
	struct bufpool_info info;
	pthread_t thread;
	unsigned int round;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pool_info(fd, &info));
	meeting.size = info.slab_size / 4;
	ASSERT_EQ(0, limit_write(2 * info.slab_size));
	/* of two slabs, all is rented */
	ASSERT_EQ(3, rent_many(fd, meeting.size, 3, blocks));
	ASSERT_EQ(0, rent(fd, meeting.size, &small));
	ASSERT_EQ(1, rent_many(fd, 2 * meeting.size, 1, blocks + 3));
	ASSERT_EQ(0, rent(fd, 2 * meeting.size, &large));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_in_rounds, &meeting));
	for (round = 1; round <= meeting.rounds; round++) {
		bool has_met = meet(fd, &meeting, &small, &large, round, &seed);

		ASSERT_TRUE(has_met);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, meeting.ret);
	ASSERT_EQ(0, give_up(fd, small.handle));
	ASSERT_EQ(0, set_ceiling(meeting.fd, meeting.size));
	EXPECT_EQ(0, rent(meeting.fd, meeting.size, &rented));
	close(fd);
	close(meeting.fd);
	parameters_restore();
}

TEST_HARNESS_MAIN
