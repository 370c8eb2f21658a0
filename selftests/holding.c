// SPDX-License-Identifier: MIT
/*
 * Holdings: a slab belongs to one user while a block of it is out, and to nobody else.
 */
#include "effort.h"
#include "holding_fixture.h"
#include "random.h"

/* However sparsely one user's blocks lie, others get what is beyond that one's quota. */
TEST_F(holding, sparse_blocks_take_no_more_than_the_quota)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	__u64 quota = LIMIT / 4;
	int count;

	ASSERT_EQ(0, parameter_write("quota", quota));
	count = rent_all_pages(self->alice, self->blocks);
	ASSERT_EQ(quota / PAGE, count);
	ASSERT_TRUE(keep_one_in(self->alice, self->blocks, count, pages));
	EXPECT_EQ(quota, held_by(self->alice));
	ASSERT_EQ(0, parameter_write("quota", LIMIT));
	EXPECT_EQ((LIMIT - quota) / PAGE, rent_all_pages(self->bob, self->blocks));
	EXPECT_EQ(LIMIT - quota, held_by(self->bob));
	EXPECT_EQ(LIMIT, stats_of(self->bob).pinned);
}

/* What is free in a user's slab is that user's: nobody else's memory is held by it. */
TEST_F(holding, free_blocks_are_no_other_users)
{
	struct bufpool_block theirs[2];

	ASSERT_EQ(2, rent_many(self->alice, 1, 2, self->blocks));
	ASSERT_EQ(0, give_up(self->alice, self->blocks[1].handle));
	ASSERT_EQ(2, rent_many(self->bob, 1, 2, theirs));
	EXPECT_EQ(self->info.slab_size, held_by(self->alice));
	EXPECT_EQ(self->info.slab_size, held_by(self->bob));
	EXPECT_EQ(2 * self->info.slab_size, stats_of(self->bob).pinned);
	EXPECT_EQ(0, stats_of(self->bob).idle);
	ASSERT_EQ(0, rent(self->alice, 1, &self->rent));
	EXPECT_EQ(self->blocks[1].offset, self->rent.offset);
}

/* A slab that no block is out of is for anybody. */
TEST_F(holding, a_wholly_free_slab_changes_hands)
{
	__u64 created;

	ASSERT_EQ(0, rent(self->alice, 1, &self->rent));
	created = stats_of(self->bob).slabs_created;
	ASSERT_EQ(0, give_up(self->alice, self->rent.handle));
	EXPECT_EQ(0, held_by(self->alice));
	EXPECT_EQ(self->info.slab_size, stats_of(self->bob).idle);
	ASSERT_EQ(0, rent(self->bob, 1, &self->rent));
	EXPECT_EQ(self->info.slab_size, held_by(self->bob));
	EXPECT_EQ(0, stats_of(self->bob).idle);
	EXPECT_EQ(created, stats_of(self->bob).slabs_created);
	/* Its user's end is the end of that, too. */
	ASSERT_EQ(0, close(self->bob));
	EXPECT_TRUE(BECOMES(stats_of(self->alice).idle == self->info.slab_size));
	self->bob = open_for(BOB);
	EXPECT_EQ(0, held_by(self->bob));
}

/* A block that is zeroed in the background keeps its slab from nobody. */
TEST_F(holding, a_slab_that_is_being_zeroed_changes_hands)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	unsigned int i, round;
	char *at;

	for (round = 0; round < often(50); round++) {
		at = rent_mapped(self->alice, self->info.slab_size, &self->rent);
		ASSERT_NE(NULL, at);
		memset(at, 0x5a, self->info.slab_size);
		munmap(at, self->info.slab_size);
		ASSERT_EQ(0, give_up(self->alice, self->rent.handle));
		ASSERT_EQ(pages, rent_many(self->alice, 1, pages, self->blocks));
		for (i = 0; i < pages; i++) {
			at = map_at(self->alice, self->blocks[i].offset, PAGE);
			ASSERT_NE(MAP_FAILED, at);
			*at = 1;
			munmap(at, PAGE);
		}
		ASSERT_TRUE(give_all(self->alice, self->blocks, pages));
		trim(self->alice, 0);
		ASSERT_EQ(pages, rent_many(self->bob, 1, pages, self->blocks));
		/* or a second one for the block that is being zeroed */
		EXPECT_GE(2 * self->info.slab_size, held_by(self->bob));
		ASSERT_TRUE(give_all(self->bob, self->blocks, pages));
		trim(self->bob, 0);
		ASSERT_TRUE(BECOMES(!held_by(self->alice) && !held_by(self->bob)));
	}
}

/* Blocks that come and go gather in few slabs, and the others are given back. */
TEST_F(holding, sparse_blocks_gather)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	unsigned int count, i, left = self->slabs / 2;
	int more;

	for (count = 0; count < left * pages; count += more) {
		more = left * pages - count;
		if (more > BUFPOOL_MANY_MAX)
			more = BUFPOOL_MANY_MAX;
		more = rent_many(self->alice, 1, more, self->blocks + count);
		ASSERT_LT(0, more);
	}
	ASSERT_TRUE(keep_one_in(self->alice, self->blocks, count, pages));
	EXPECT_EQ(left * self->info.slab_size, held_by(self->alice));
	for (i = 0; i < count; i += pages) {
		ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
		ASSERT_EQ(0, rent(self->alice, 1, &self->rent));
	}
	TH_LOG("%u blocks of %u slabs are in %llu slabs", left, left,
	       held_by(self->alice) / self->info.slab_size);
	/* twice as many as there could be */
	EXPECT_GE(2 * ((left + pages - 1) / pages) * self->info.slab_size, held_by(self->alice));
}

/* New blocks come from slabs that have few free ones: those with many become free. */
TEST_F(holding, blocks_come_from_the_fullest_slab)
{
	const unsigned int pages = self->info.slab_size / PAGE, nr = 4;
	struct bufpool_block more[BUFPOOL_MANY_MAX];
	const unsigned int count = nr * pages;
	unsigned int i;

	ASSERT_EQ(count, rent_many(self->alice, 1, count, self->blocks));
	/* The first half of the slabs keep one block, the others three of four. */
	ASSERT_TRUE(keep_one_in(self->alice, self->blocks, count / 2, pages));
	for (i = count / 2; i < count; i += 4)
		ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
	ASSERT_EQ(count / 8, rent_many(self->alice, 1, count / 8, more));
	EXPECT_EQ(nr * self->info.slab_size, held_by(self->alice));
	for (i = 0; i < count / 2; i += pages)
		ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
	EXPECT_EQ(nr / 2 * self->info.slab_size, held_by(self->alice));
}

/* Whose unused blocks give way first, however long they are unused */
TEST_F(holding, who_has_more_than_a_share_gives_way_first)
{
	const __u64 size = self->info.slab_size / 2;
	const int all = 2 * self->slabs, poor = all / 8, rich = all * 5 / 8;
	int carol = open_for(CAROL), i;

	ASSERT_EQ(0, parameter_write("warm_bytes", LIMIT));
	ASSERT_EQ(poor, rent_many(self->bob, size, poor, self->blocks));
	for (i = 0; i < poor; i++)
		ASSERT_EQ(0, give(self->bob, self->blocks[i].handle));
	ASSERT_EQ(rich, rent_many(self->alice, size, rich, self->blocks));
	for (i = 0; i < rich; i++)
		ASSERT_EQ(0, give(self->alice, self->blocks[i].handle));
	/* A quarter is free; an eighth more has to come from somebody. */
	for (i = 0; i < all * 3 / 8; i++)
		ASSERT_EQ(0, rent(carol, size, &self->rent));
	EXPECT_EQ(poor, stats_of(self->bob).client_warm_blocks);
	EXPECT_EQ(rich - all / 8, stats_of(self->alice).client_warm_blocks);
	close(carol);
}

#define USERS	8

/* What all that have a client here are charged for */
static __u64 sum_of(const int *fds)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < USERS; i++)
		sum += held_by(fds[i]);
	return sum;
}

/* Users rent and return whatever they like; after each round the sum is right. */
TEST_F_TIMEOUT(holding, sums_are_exact, A_DAY)
{
	static struct bufpool_rent held[USERS][64];
	__u64 seed = random_seed(), others;
	unsigned int round, i, step;
	struct bufpool_stats now;
	int fds[USERS], refused = 0;

	ASSERT_EQ(0, parameter_write("quota", LIMIT / 3));
	for (i = 0; i < USERS; i++)
		fds[i] = open_for(ALICE + 100 + i);
	others = stats_of(fds[0]).pinned - stats_of(fds[0]).idle;
	for (round = 0; round < often(2000); round++) {
		for (step = 0; step < 64; step++) {
			unsigned int user = next_random(&seed) % USERS;
			struct bufpool_rent *slot = &held[user][next_random(&seed) % 64];

			if (slot->handle) {
				ASSERT_EQ(0, give_with(fds[user], slot->handle,
						       next_random(&seed) % 2 ?
						       BUFPOOL_RETURN_REVOKE : 0));
				slot->handle = 0;
			} else if (rent(fds[user], PAGE << next_random(&seed) % 7, slot)) {
				slot->handle = 0;
				refused++;
			}
		}
		/* What the background zeroes just now may be on its way between two. */
		ASSERT_TRUE(BECOMES((now = stats_of(fds[0]),
				     sum_of(fds) + others + now.idle == now.pinned)));
		ASSERT_LE(now.pinned, now.limit);
		for (i = 0; i < USERS; i++)
			ASSERT_LE(held_by(fds[i]), LIMIT / 3);
	}
	TH_LOG("%d rents were refused", refused);
	EXPECT_LT(0, refused);
	for (i = 0; i < USERS; i++)
		close(fds[i]);
}

TEST_HARNESS_MAIN
