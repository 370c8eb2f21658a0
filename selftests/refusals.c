// SPDX-License-Identifier: MIT
/*
 * Refused rents are counted, each under its error, for the client and the pool.
 */
#include "bufpool_test.h"

#define BLOCK	(1 * MIB)
#define ALL	4			/* blocks within the limit */
#define TIMES	17
#define OLD	offsetof(struct bufpool_stats, refused_again)

/* What is counted, of one client or of the pool. */
struct refusals {
	__u64 again;
	__u64 quota;
	__u64 memory;
	__u64 timeouts;
};

FIXTURE(refusals)
{
	int fd;
	int other;
	struct bufpool_block blocks[ALL];
	struct bufpool_rent rent;
	struct refusals before;
};

static struct refusals of_pool(int fd)
{
	struct bufpool_stats stats = stats_of(fd);

	return (struct refusals){
		.again = stats.refused_again,
		.quota = stats.refused_quota,
		.memory = stats.refused_memory,
		.timeouts = stats.timeouts,
	};
}

/* The pool counts from when the module was loaded. */
static struct refusals of_pool_since(int fd, const struct refusals *before)
{
	struct refusals now = of_pool(fd);

	return (struct refusals){
		.again = now.again - before->again,
		.quota = now.quota - before->quota,
		.memory = now.memory - before->memory,
		.timeouts = now.timeouts - before->timeouts,
	};
}

FIXTURE_SETUP(refusals)
{
	self->fd = pool_open();
	self->other = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, limit_write(ALL * BLOCK));
	self->before = of_pool(self->fd);
}

FIXTURE_TEARDOWN(refusals)
{
	close(self->fd);
	close(self->other);
	parameters_restore();
}

static struct refusals of_client(int fd)
{
	struct bufpool_stats stats = stats_of(fd);

	return (struct refusals){
		.again = stats.client_refused_again,
		.quota = stats.client_refused_quota,
		.memory = stats.client_refused_memory,
		.timeouts = stats.client_timeouts,
	};
}

static bool same(struct refusals a, struct refusals b)
{
	return a.again == b.again && a.quota == b.quota &&
	       a.memory == b.memory && a.timeouts == b.timeouts;
}

/* Both the client's and the pool's are these, and the other client has none. */
#define EXPECT_REFUSALS(...)						\
do {									\
	struct refusals want = { __VA_ARGS__ };				\
									\
	EXPECT_TRUE(same(want, of_client(self->fd)));			\
	EXPECT_TRUE(same(want, of_pool_since(self->other,		\
					     &self->before)));		\
	EXPECT_TRUE(same((struct refusals){}, of_client(self->other)));	\
} while (0)

static int rent_two(int fd)
{
	struct bufpool_block blocks[2];

	return rent_many(fd, BLOCK, 2, blocks);
}

TEST_F(refusals, none_at_first)
{
	EXPECT_REFUSALS(.again = 0);
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_REFUSALS(.again = 0);
}

TEST_F(refusals, because_nothing_is_free)
{
	int i;

	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	for (i = 0; i < TIMES; i++)
		ASSERT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
	EXPECT_REFUSALS(.again = TIMES);
	for (i = 0; i < TIMES; i++)
		ASSERT_EQ(-EAGAIN, rent_two(self->fd));
	EXPECT_REFUSALS(.again = 2 * TIMES);
}

/* A call that gets fewer than it asked for was not refused. */
TEST_F(refusals, not_for_a_part)
{
	ASSERT_EQ(ALL - 1, rent_many(self->fd, BLOCK, ALL - 1, self->blocks));
	ASSERT_EQ(1, rent_two(self->fd));
	EXPECT_REFUSALS(.again = 0);
}

TEST_F(refusals, because_of_the_ceiling)
{
	int i;

	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK - 1));
	for (i = 0; i < TIMES; i++)
		ASSERT_EQ(-EDQUOT, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(-EDQUOT, rent_two(self->fd));
	EXPECT_REFUSALS(.quota = TIMES + 1);
}

TEST_F(refusals, because_the_pool_is_too_small)
{
	struct bufpool_info info;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, limit_write(info.max_rent / 2));
	ASSERT_EQ(-EDQUOT, rent(self->fd, info.max_rent, &self->rent));
	EXPECT_REFUSALS(.quota = 1);
}

static int pass_the_quota(void *arg)
{
	struct bufpool_rent rented;
	int fd, i;

	CHECK(become(*(uid_t *)arg, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	for (i = 0; i < TIMES; i++)
		CHECK(rent(fd, BLOCK, &rented) == -EDQUOT);
	CHECK(same((struct refusals){ .quota = TIMES }, of_client(fd)));
	return 0;
}

TEST_F(refusals, because_of_the_quota)
{
	uid_t uid = 1000;

	ASSERT_EQ(0, parameter_write("quota", BLOCK / 2));
	EXPECT_EQ(0, in_child(pass_the_quota, &uid));
	EXPECT_TRUE(same((struct refusals){ .quota = TIMES },
			 of_pool_since(self->fd, &self->before)));
}

TEST_F(refusals, after_waiting_in_vain)
{
	int i;

	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	for (i = 0; i < TIMES; i++)
		ASSERT_EQ(-ETIMEDOUT, rent_with(self->fd, BLOCK, 0, 1,
						&self->rent));
	EXPECT_REFUSALS(.timeouts = TIMES);
}

/* What was wrong with the call itself is no refusal. */
TEST_F(refusals, not_of_bad_calls)
{
	struct bufpool_info info;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	EXPECT_EQ(-EINVAL, rent(self->fd, 0, &self->rent));
	EXPECT_EQ(-EMSGSIZE, rent(self->fd, info.max_rent + 1, &self->rent));
	EXPECT_EQ(-EINVAL, rent_with(self->fd, BLOCK, ~0U, 0, &self->rent));
	EXPECT_EQ(-EFAULT, rent_many(self->fd, BLOCK, 1, (void *)8));
	EXPECT_REFUSALS(.again = 0);
}

#define FAULTS	"/sys/kernel/debug/fail_page_alloc/"

static bool set_faults(const char *probability)
{
	return !write_text(FAULTS "task-filter", "Y") &&
	       !write_text(FAULTS "ignore-gfp-wait", "N") &&
	       !write_text(FAULTS "min-order", "0") &&
	       !write_text(FAULTS "times", "-1") &&
	       !write_text(FAULTS "probability", probability);
}

static int rent_without_memory(void *arg)
{
	int *fds = arg, i;
	struct bufpool_rent rented;

	CHECK(!write_text("/proc/self/make-it-fail", "1"));
	for (i = 0; i < TIMES; i++)
		CHECK(rent(fds[0], BLOCK, &rented) == -ENOMEM);
	return 0;
}

TEST_F(refusals, because_there_is_no_memory)
{
	int ret;

	if (access("/proc/self/make-it-fail", W_OK) ||
	    access(FAULTS "times", W_OK))
		SKIP(return, "this kernel cannot fail allocations of a task");
	/* It may have kept some. */
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	ASSERT_TRUE(set_faults("100"));
	ret = in_child(rent_without_memory, &self->fd);
	ASSERT_TRUE(set_faults("0"));
	EXPECT_EQ(0, ret);
	EXPECT_REFUSALS(.memory = TIMES);
}

/* A client that goes takes its own along, and the pool's stay. */
TEST_F(refusals, outlive_the_client)
{
	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	ASSERT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
	close(self->fd);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	EXPECT_TRUE(same((struct refusals){}, of_client(self->fd)));
	EXPECT_TRUE(same((struct refusals){ .again = 1 },
			 of_pool_since(self->fd, &self->before)));
}

/* A program that knows none of them gets what it knows, and no more is written. */
TEST_F(refusals, are_not_told_to_older_programs)
{
	struct bufpool_stats stats;

	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	ASSERT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
	memset(&stats, 0x5a, sizeof(stats));
	stats.size = OLD;
	stats.flags = 0;
	ASSERT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_STATS, &stats));
	EXPECT_EQ(ALL, stats.client_blocks);
	EXPECT_EQ(ALL * BLOCK, stats.in_use);
	EXPECT_TRUE(filled((char *)&stats + OLD, 0x5a, sizeof(stats) - OLD));
	/* One that knows the first of them. */
	stats.size = OLD + sizeof(__u64);
	ASSERT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_STATS, &stats));
	EXPECT_EQ(self->before.again + 1, stats.refused_again);
	EXPECT_TRUE(filled((char *)&stats + OLD + sizeof(__u64), 0x5a,
			   sizeof(stats) - OLD - sizeof(__u64)));
}

TEST_HARNESS_MAIN
