// SPDX-License-Identifier: MIT
/*
 * Quotas of single users: who sets them, and what they are for.
 */
#include "tenant.h"

#include <sched.h>
#include <sys/prctl.h>

#define LIMIT	(4 * MIB)
#define BLOCK	(128 * KIB)
#define QUOTA	8		/* blocks, for all */
#define FEWER	3
#define MORE	12
#define MOST	32		/* blocks within the limit */
#define ALICE	4711
#define BOB	4712

/* Ask for a user's quota, or set it. */
static int quota_call(int fd, __u32 flags, uid_t uid, struct bufpool_quota *quota)
{
	quota->size = sizeof(*quota);
	quota->flags = flags;
	quota->uid = uid;
	return pool_ioctl(fd, BUFPOOL_IOC_QUOTA, quota);
}

static int quota_set(int fd, uid_t uid, __u64 bytes)
{
	struct bufpool_quota quota = { .quota = bytes };

	return quota_call(fd, BUFPOOL_QUOTA_SET, uid, &quota);
}

FIXTURE(user_quota)
{
	int fd;
};

FIXTURE_SETUP(user_quota)
{
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(user_quota)
{
	quota_set(self->fd, ALICE, 0);
	quota_set(self->fd, BOB, 0);
	close(self->fd);
	parameters_restore();
}

/* A user who finds room for so many blocks. */
static int find_room(unsigned int nr)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(rent_many(fd, BLOCK, MOST, blocks) == (int)nr);
	CHECK(stats_of(fd).user_held == nr * BLOCK);
	return 0;
}

static int find_the_quota_of_all(void)
{
	return find_room(QUOTA);
}

static int find_fewer(void)
{
	CHECK(stats_of(open_or_fail()).user_quota == FEWER * BLOCK);
	return find_room(FEWER);
}

static int find_more(void)
{
	CHECK(stats_of(open_or_fail()).user_quota == MORE * BLOCK);
	return find_room(MORE);
}

static int find_the_limit(void)
{
	CHECK(stats_of(open_or_fail()).user_quota == UINT64_MAX);
	return find_room(MOST);
}

TEST_F(user_quota, is_for_that_user_only)
{
	ASSERT_EQ(0, quota_set(self->fd, ALICE, FEWER * BLOCK));
	EXPECT_EQ(0, as_user(ALICE, find_fewer));
	EXPECT_EQ(0, as_user(BOB, find_the_quota_of_all));
	ASSERT_EQ(0, quota_set(self->fd, BOB, MORE * BLOCK));
	EXPECT_EQ(0, as_user(ALICE, find_fewer));
	EXPECT_EQ(0, as_user(BOB, find_more));
	/* That of all is for all others. */
	ASSERT_EQ(0, parameter_write("quota", BLOCK));
	EXPECT_EQ(0, as_user(ALICE, find_fewer));
	EXPECT_EQ(0, as_user(BOB, find_more));
}

TEST_F(user_quota, can_be_none_or_that_of_all)
{
	ASSERT_EQ(0, quota_set(self->fd, ALICE, UINT64_MAX));
	EXPECT_EQ(0, as_user(ALICE, find_the_limit));
	ASSERT_EQ(0, quota_set(self->fd, ALICE, 0));
	EXPECT_EQ(0, as_user(ALICE, find_the_quota_of_all));
}

struct alice {
	unsigned int ready;
	unsigned int go;
	unsigned int done;
};

static struct alice *alice;

static int live_through_changes(void)
{
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rented;
	int fd = open_or_fail(), i;

	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	word_set(&alice->ready, 1);
	CHECK(word_reaches(&alice->go, 1));
	/* Nothing is taken away. */
	CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	CHECK(stats_of(fd).user_quota == FEWER * BLOCK);
	for (i = 0; i <= QUOTA - FEWER; i++) {
		CHECK(rent(fd, BLOCK, &rented) == -EDQUOT);
		CHECK(!give_up(fd, blocks[i].handle));
	}
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(rent(fd, BLOCK, &rented) == -EDQUOT);
	word_set(&alice->ready, 2);
	CHECK(word_reaches(&alice->go, 2));
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == MORE - FEWER);
	return 0;
}

/* It changes for clients that are open, too. */
TEST_F(user_quota, may_change_at_any_time)
{
	struct tenant tenant = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = live_through_changes,
	};
	struct bufpool_quota quota = { };
	pid_t pid;

	alice = shared_alloc(sizeof(*alice));
	ASSERT_NE(NULL, alice);
	pid = spawn(live_as, &tenant);
	ASSERT_TRUE(word_reaches(&alice->ready, 1));
	ASSERT_EQ(0, quota_call(self->fd, 0, ALICE, &quota));
	EXPECT_EQ(0, quota.quota);
	EXPECT_EQ(QUOTA * BLOCK, quota.held);
	quota.quota = FEWER * BLOCK;
	ASSERT_EQ(0, quota_call(self->fd, BUFPOOL_QUOTA_SET, ALICE, &quota));
	EXPECT_EQ(FEWER * BLOCK, quota.quota);
	EXPECT_EQ(QUOTA * BLOCK, quota.held);
	word_set(&alice->go, 1);
	ASSERT_TRUE(word_reaches(&alice->ready, 2));
	ASSERT_EQ(0, quota_set(self->fd, ALICE, MORE * BLOCK));
	word_set(&alice->go, 2);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(user_quota, what_is_set_can_be_asked)
{
	const __u64 settings[] = { FEWER * BLOCK, UINT64_MAX, PAGE, 0 };
	struct bufpool_quota quota = { };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		ASSERT_EQ(0, quota_set(self->fd, ALICE, settings[i]));
		ASSERT_EQ(0, quota_call(self->fd, 0, ALICE, &quota));
		EXPECT_EQ(settings[i], quota.quota);
		EXPECT_EQ(0, quota.held);
		ASSERT_EQ(0, quota_call(self->fd, 0, BOB, &quota));
		EXPECT_EQ(0, quota.quota);
	}
}

TEST_F(user_quota, bad_values_are_einval)
{
	const __u64 bad[] = { 1, PAGE - 1 };
	struct bufpool_quota quota = { };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, quota_set(self->fd, ALICE, bad[i]));
	EXPECT_EQ(-EINVAL, quota_set(self->fd, (uid_t)-1, FEWER * BLOCK));
	ASSERT_EQ(0, quota_call(self->fd, 0, ALICE, &quota));
	EXPECT_EQ(0, quota.quota);
}

static int be_refused(void)
{
	struct bufpool_quota quota = { };
	int fd = open_or_fail();

	CHECK(quota_set(fd, ALICE, UINT64_MAX) == -EPERM);
	CHECK(quota_call(fd, 0, BOB, &quota) == -EPERM);
	CHECK(quota_call(fd, 0, ALICE, &quota) == -EPERM);
	return 0;
}

static int make_a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

/* All capabilities, but in a user namespace of one's own. */
static int be_root_at_home(void)
{
	int fd = open_or_fail();

	CHECK(!make_a_namespace());
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	CHECK(!write_text("/proc/self/uid_map", "0 4711 1"));
	CHECK(quota_set(fd, 0, UINT64_MAX) == -EPERM);
	return 0;
}

TEST_F(user_quota, needs_the_capability)
{
	EXPECT_EQ(0, as_user(ALICE, be_refused));
	EXPECT_EQ(0, as_user(ALICE, find_the_quota_of_all));
}

TEST_F(user_quota, needs_it_in_the_initial_namespace)
{
	if (as_user(ALICE, make_a_namespace))
		SKIP(return, "users cannot make user namespaces here");
	EXPECT_EQ(0, as_user(ALICE, be_root_at_home));
	EXPECT_EQ(0, as_user(ALICE, find_the_quota_of_all));
}

TEST_HARNESS_MAIN
