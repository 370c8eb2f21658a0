// SPDX-License-Identifier: MIT
/*
 * A user's quota: what it counts, which users it binds, and what gives way to it.
 */
#include "tenant.h"

#include <sched.h>

#define LIMIT	(4 * MIB)
#define BLOCK	(64 * KIB)
#define QUOTA	8		/* blocks */
#define MOST	64		/* blocks within the limit */
#define ALICE	4711
#define BOB	4712

FIXTURE(quota)
{
	int fd;
};

FIXTURE_SETUP(quota)
{
	ASSERT_EQ(0, limit_write(LIMIT));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(quota)
{
	close(self->fd);
	parameters_restore();
}

static int find_half(void)
{
	int fd = open_or_fail();
	struct bufpool_block blocks[MOST];

	CHECK(stats_of(fd).user_quota == stats_of(fd).limit / 2);
	CHECK(stats_of(fd).user_held == 0);
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == (int)(stats_of(fd).limit / 2 / BLOCK));
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == -EDQUOT);
	return 0;
}

/* Without more ado a user has half of the limit, whatever that is. */
TEST_F(quota, half_of_the_limit_by_default)
{
	EXPECT_EQ(0, as_user(ALICE, find_half));
	ASSERT_EQ(0, parameter_write("quota", MIB));
	ASSERT_EQ(0, limit_write(LIMIT / 2));
	ASSERT_EQ(0, parameter_write("quota", 0));
	EXPECT_EQ(0, as_user(ALICE, find_half));
}

static int find_no_quota(void)
{
	int fd = open_or_fail();
	struct bufpool_stats stats = stats_of(fd);
	struct bufpool_block blocks[MOST];

	CHECK(stats.user_quota == UINT64_MAX);
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == MOST);
	return 0;
}

TEST_F(quota, there_can_be_none)
{
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	EXPECT_EQ(0, as_user(ALICE, find_no_quota));
}

/* Over all clients of the user, whatever the size: it counts slabs. */
#define SLABS	4

static int share_a_quota(void)
{
	int one = open_or_fail(), two = open_or_fail(), three = open_or_fail();
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rented;
	struct bufpool_info info;
	int pages;

	CHECK(!pool_info(one, &info));
	pages = info.slab_size / PAGE;
	CHECK(stats_of(one).user_quota == SLABS * info.slab_size);
	CHECK(rent_many(one, info.slab_size / 2, 4, blocks) == 4);
	CHECK(!rent(two, 1, &rented));
	CHECK(stats_of(two).user_held == 3 * info.slab_size);
	CHECK(!rent(three, info.slab_size / 4, &rented));
	CHECK(stats_of(two).user_held == SLABS * info.slab_size);
	CHECK(rent(three, info.slab_size / 2, &rented) == -EDQUOT);
	CHECK(rent_with(three, info.slab_size, 0, 0, &rented) == -EDQUOT);
	/* What is free in those slabs is for this user. */
	CHECK(rent_many(one, 1, pages - 1, blocks) == pages - 1);
	CHECK(rent_many(two, info.slab_size / 4, MOST, blocks) == 3);
	CHECK(rent(two, 1, &rented) == -EDQUOT);
	CHECK(stats_of(one).user_held == SLABS * info.slab_size);
	/* What a client had is there when it is gone, but for slabs that others are in. */
	CHECK(!close(one));
	CHECK(stats_of(two).user_held == 2 * info.slab_size);
	CHECK(rent_many(two, info.slab_size / 2, MOST, blocks) == 4);
	return 0;
}

TEST_F(quota, quota_is_over_all_clients_of_a_user)
{
	struct bufpool_info info;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, limit_write(2 * SLABS * info.slab_size));
	ASSERT_EQ(0, parameter_write("quota", SLABS * info.slab_size));
	EXPECT_EQ(0, as_user(ALICE, share_a_quota));
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
}

/* A quota of less than a slab is met by slabs of one block. */
static int rent_some_pages(void)
{
	struct bufpool_block blocks[QUOTA + 1];
	int fd = open_or_fail();

	CHECK(rent_many(fd, 1, QUOTA + 1, blocks) == QUOTA);
	CHECK(stats_of(fd).user_held == QUOTA * PAGE);
	return 0;
}

TEST_F(quota, quota_may_be_less_than_a_slab)
{
	ASSERT_EQ(0, parameter_write("quota", QUOTA * PAGE));
	EXPECT_EQ(0, as_user(ALICE, rent_some_pages));
}

/* Such slabs serve it, too, when they are nobody's, and whole ones before them. */
static int rent_them_again(void)
{
	int fd = open_or_fail();
	__u64 created = stats_of(fd).slabs_created;

	CHECK(!rent_some_pages());
	CHECK(stats_of(fd).slabs_created == created);
	return 0;
}

TEST_F(quota, quota_of_less_than_a_slab_has_idle_ones)
{
	struct bufpool_block blocks[2 * MOST];
	struct bufpool_info info;
	int count;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	count = info.slab_size / PAGE + QUOTA;
	ASSERT_GE((int)ARRAY_SIZE(blocks), count);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	ASSERT_EQ(0, parameter_write("quota", QUOTA * PAGE));
	EXPECT_EQ(0, as_user(ALICE, rent_some_pages));
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	ASSERT_EQ(count, rent_many(self->fd, 1, count, blocks));
	EXPECT_EQ(info.slab_size + QUOTA * PAGE, stats_of(self->fd).pinned);
	ASSERT_TRUE(give_all(self->fd, blocks, count));
	ASSERT_LE(0, trim(self->fd, 0));
	EXPECT_EQ(0, as_user(ALICE, rent_them_again));
}

/* Each user has a quota of its own. */
static int rent_all_of_it(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == -EDQUOT);
	CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	return 0;
}

struct two_users {
	unsigned int ready;
	unsigned int go;
};

static struct two_users *two_users;

static int rent_all_and_stay(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	word_set(&two_users->ready, 1);
	CHECK(word_reaches(&two_users->go, 1));
	CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	return 0;
}

/* A process of Alice under a quota, once it is ready. */
static pid_t start_alice(int (*body)(void))
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = body,
	};
	pid_t pid;

	two_users = shared_alloc(sizeof(*two_users));
	if (!two_users || parameter_write("quota", QUOTA * BLOCK))
		return -1;
	pid = spawn(live_as, &alice);
	return word_reaches(&two_users->ready, 1) ? pid : -1;
}

TEST_F(quota, each_user_has_its_own)
{
	pid_t pid = start_alice(rent_all_and_stay);

	ASSERT_LT(0, pid);
	EXPECT_EQ(0, as_user(BOB, rent_all_of_it));
	/* Alice a second time: nothing is left for this user. */
	EXPECT_EQ(1, as_user(ALICE, rent_all_of_it));
	word_set(&two_users->go, 1);
	EXPECT_EQ(0, reap(pid));
}

/* A client is charged to the user that opened it, whichever calls. */
static int inherit(void *arg)
{
	int fd = *(int *)arg;
	struct bufpool_block blocks[MOST];

	CHECK(become(ALICE, ONLY_OPEN));
	CHECK(rent_many(fd, BLOCK, QUOTA + 1, blocks) == QUOTA + 1);
	CHECK(stats_of(fd).user_quota == UINT64_MAX);
	CHECK(stats_of(open_or_fail()).user_held == 0);
	return 0;
}

TEST_F(quota, quota_is_the_openers)
{
	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	EXPECT_EQ(0, in_child(inherit, &self->fd));
}

/* Only a client that was opened with the capability is exempt. */
static int be_exempt(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(rent_many(fd, BLOCK, QUOTA + 4, blocks) == QUOTA + 4);
	CHECK(stats_of(fd).user_quota == UINT64_MAX);
	return 0;
}

TEST_F(quota, sys_resource_is_exempt)
{
	struct tenant tenant = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN | CAP_TO_MASK(CAP_SYS_RESOURCE),
		.body = be_exempt,
	};

	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	EXPECT_EQ(0, in_child(live_as, &tenant));
	tenant.capabilities = ONLY_OPEN | CAP_TO_MASK(CAP_SYS_ADMIN);
	EXPECT_EQ(1, in_child(live_as, &tenant));
	/* Root without it is a user like any other. */
	tenant.uid = 0;
	EXPECT_EQ(1, in_child(live_as, &tenant));
	EXPECT_EQ(0, as_user(0, rent_all_of_it));
}

/*
 * Lowered below what is held: nothing is taken away, and nothing more given, where no
 * block that is free already would do.
 */
static int see_it_lowered(void)
{
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rented;
	int fd = open_or_fail(), i;

	CHECK(rent_many(fd, BLOCK, QUOTA, blocks) == QUOTA);
	word_set(&two_users->ready, 1);
	CHECK(word_reaches(&two_users->go, 1));
	CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	CHECK(stats_of(fd).user_quota == QUOTA / 2 * BLOCK);
	for (i = 0; i < QUOTA / 2; i++) {
		CHECK(rent(fd, 2 * BLOCK, &rented) == -EDQUOT);
		CHECK(!give_up(fd, blocks[i].handle));
	}
	CHECK(rent(fd, 2 * BLOCK, &rented) == -EDQUOT);
	CHECK(!give_up(fd, blocks[i].handle));
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(rent(fd, 2 * BLOCK, &rented) == -EDQUOT);
	return 0;
}

TEST_F(quota, quota_below_what_is_held)
{
	pid_t pid = start_alice(see_it_lowered);

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, parameter_write("quota", QUOTA / 2 * BLOCK));
	word_set(&two_users->go, 1);
	EXPECT_EQ(0, reap(pid));
}

/* Nothing stays warm, so that less is held with each return. */
static int keep_nothing_warm(void)
{
	struct bufpool_block blocks[QUOTA];
	int fd = open_or_fail(), i;

	CHECK(rent_many(fd, BLOCK, QUOTA, blocks) == QUOTA);
	word_set(&two_users->ready, 1);
	CHECK(word_reaches(&two_users->go, 1));
	for (i = 0; stats_of(fd).user_held > stats_of(fd).user_quota; i++) {
		CHECK(i < QUOTA);
		CHECK(!give(fd, blocks[i].handle));
		CHECK(!stats_of(fd).client_warm_blocks);
	}
	CHECK(i == QUOTA / 2);
	CHECK(!give(fd, blocks[i].handle));
	CHECK(stats_of(fd).client_warm_blocks == 1);
	return 0;
}

TEST_F(quota, nothing_stays_warm_over_the_quota)
{
	pid_t pid = start_alice(keep_nothing_warm);

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, parameter_write("quota", QUOTA / 2 * BLOCK));
	word_set(&two_users->go, 1);
	EXPECT_EQ(0, reap(pid));
}

/* Warm blocks count, and give way: of the same client, and of the others. */
static int have_warm_blocks_give_way(void)
{
	int one = open_or_fail(), two = open_or_fail(), i;
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rented;

	CHECK(rent_many(one, BLOCK, QUOTA / 2, blocks) == QUOTA / 2);
	CHECK(rent_many(two, BLOCK, QUOTA / 2, blocks + QUOTA / 2) == QUOTA / 2);
	for (i = 0; i < QUOTA / 2; i++) {
		CHECK(!give(one, blocks[i].handle));
		CHECK(!give(two, blocks[QUOTA / 2 + i].handle));
	}
	CHECK(stats_of(one).user_held == QUOTA * BLOCK);
	CHECK(stats_of(one).client_warm_blocks == QUOTA / 2);
	/* A whole quota of another size. */
	CHECK(!rent(one, QUOTA / 2 * BLOCK, &rented));
	CHECK(stats_of(one).user_held == QUOTA * BLOCK);
	CHECK(stats_of(one).client_warm_blocks +
	      stats_of(two).client_warm_blocks == QUOTA / 2);
	CHECK(!rent(two, QUOTA / 2 * BLOCK, &rented));
	CHECK(stats_of(one).user_held == QUOTA * BLOCK);
	CHECK(stats_of(one).client_warm_blocks == 0);
	CHECK(stats_of(two).client_warm_blocks == 0);
	CHECK(rent(one, 1, &rented) == -EDQUOT);
	return 0;
}

TEST_F(quota, warm_blocks_give_way_to_the_quota)
{
	struct bufpool_rent mine;

	ASSERT_EQ(0, rent(self->fd, BLOCK, &mine));
	ASSERT_EQ(0, give(self->fd, mine.handle));
	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	EXPECT_EQ(0, as_user(ALICE, have_warm_blocks_give_way));
	/* But no other user's. */
	EXPECT_EQ(1, stats_of(self->fd).client_warm_blocks);
}

/* Where they would not be enough they stay what they are. */
static int ask_for_too_much(void)
{
	int one = open_or_fail(), two = open_or_fail(), i;
	__u64 steals = stats_of(one).steals;
	struct bufpool_block blocks[QUOTA];
	struct bufpool_rent rented;

	CHECK(rent_many(one, BLOCK, 5, blocks) == 5);
	CHECK(rent_many(two, BLOCK, 3, blocks + 5) == 3);
	for (i = 5; i < QUOTA; i++)
		CHECK(!give(two, blocks[i].handle));
	CHECK(rent(one, 4 * BLOCK, &rented) == -EDQUOT);
	CHECK(rent(two, 4 * BLOCK, &rented) == -EDQUOT);
	CHECK(stats_of(one).user_held == QUOTA * BLOCK);
	CHECK(stats_of(two).client_warm_blocks == 3);
	CHECK(stats_of(one).steals == steals);
	/* With one block less that is rented, of the slab that one is in, they are. */
	CHECK(!give_up(one, blocks[4].handle));
	CHECK(!rent(one, 4 * BLOCK, &rented));
	CHECK(stats_of(one).user_held == QUOTA * BLOCK);
	CHECK(stats_of(two).client_warm_blocks == 0);
	CHECK(stats_of(one).steals == steals + 3);
	return 0;
}

TEST_F(quota, warm_blocks_do_not_give_way_in_vain)
{
	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	EXPECT_EQ(0, as_user(ALICE, ask_for_too_much));
}

/* A larger block that is free in the user's slabs takes nothing more from the quota. */
static int be_given_a_larger_block(void)
{
	int fd = open_or_fail();
	struct bufpool_rent rented;
	struct bufpool_stats stats;

	CHECK(!rent(fd, 2 * PAGE, &rented));
	stats = stats_of(fd);
	CHECK(stats.user_held == stats.user_quota);
	CHECK(!rent(fd, 1, &rented));
	CHECK(rented.length == 2 * PAGE);
	CHECK(stats_of(fd).user_held == stats.user_held);
	return 0;
}

TEST_F(quota, larger_blocks_of_ones_own_are_within_the_quota)
{
	struct bufpool_info info;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, parameter_write("quota", info.slab_size));
	EXPECT_EQ(0, as_user(ALICE, be_given_a_larger_block));
}

/* A rental of a warm block takes nothing more from the quota. */
static int rent_warm_at_the_quota(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail(), i, round;

	for (round = 0; round < 20; round++) {
		CHECK(rent_many(fd, BLOCK, QUOTA, blocks) == QUOTA);
		for (i = 0; i < QUOTA; i++)
			CHECK(!give(fd, blocks[i].handle));
		CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	}
	CHECK(stats_of(fd).client_warm_rents == 19 * QUOTA);
	CHECK(trim(fd, 0) == (__s64)(QUOTA * BLOCK));
	CHECK(stats_of(fd).user_held == 0);
	return 0;
}

TEST_F(quota, warm_rentals_at_the_quota)
{
	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	EXPECT_EQ(0, as_user(ALICE, rent_warm_at_the_quota));
}

/* The end of a process gives back its share of the quota. */
static int rent_all_and_die(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	CHECK(!give(fd, blocks[0].handle));
	raise(SIGKILL);
	return 0;
}

TEST_F(quota, quota_is_back_after_a_kill)
{
	int i;

	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-SIGKILL, as_user(ALICE, rent_all_and_die));
		EXPECT_TRUE(in_use_becomes(self->fd, 0));
	}
	EXPECT_EQ(0, as_user(ALICE, rent_all_of_it));
}

/*
 * Two clients make slabs at once, for which idle ones have to give way, and the quota admits
 * one of them: whatever was charged for the other is not any more.
 */
static unsigned int rounds;

static int rent_the_whole_quota(void)
{
	struct bufpool_rent rented;
	unsigned int i;
	int fd = open_or_fail(), ret;

	for (i = 1; i <= rounds; i++) {
		__atomic_add_fetch(&two_users->ready, 1, __ATOMIC_RELEASE);
		/* both at once, which they are not where each sleeps for a while */
		while (word_get(&two_users->go) < i)
			sched_yield();
		ret = rent(fd, LIMIT / 2, &rented);
		CHECK(!ret || ret == -EDQUOT || ret == -EAGAIN);
		CHECK(ret || !give_up(fd, rented.handle));
	}
	return 0;
}

TEST_F(quota, a_slab_that_it_does_not_admit_costs_nothing)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = rent_the_whole_quota,
	};
	struct bufpool_block blocks[MOST];
	unsigned int i;
	pid_t pids[2];

	rounds = often(100);
	two_users = shared_alloc(sizeof(*two_users));
	ASSERT_NE(NULL, two_users);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, parameter_write("quota", LIMIT / 2));
	for (i = 0; i < 2; i++)
		pids[i] = spawn(live_as, &alice);
	for (i = 1; i <= rounds; i++) {
		ASSERT_TRUE(word_reaches(&two_users->ready, 2 * i));
		/* of another size, and idle */
		ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
		EXPECT_EQ(0, stats_of(self->fd).pinned);
		ASSERT_EQ(MOST, rent_many(self->fd, BLOCK, MOST, blocks));
		ASSERT_TRUE(give_all(self->fd, blocks, MOST));
		ASSERT_LE(0, trim(self->fd, 0));
		word_set(&two_users->go, i);
	}
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, reap(pids[i]));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_EQ(0, stats_of(self->fd).pinned);
}

TEST_HARNESS_MAIN
