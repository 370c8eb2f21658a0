// SPDX-License-Identifier: MIT
/*
 * Reserves: what is set aside for a class, whoever has the rest of the pool.
 */
#include "inside.h"
#include "line.h"
#include "outside.h"
#include "tenant.h"

#include <poll.h>
#include <sys/epoll.h>

#define SIZE	(64 * KIB)
#define ROOM	(4 * MIB)	/* the limit */
#define KEPT	(1 * MIB)	/* of it, set aside */
#define BLOCKS	((int)(KEPT / SIZE))
#define ALICE	4711

/* Of a class for I/O, with blocks of a MiB */
#define IO_RESERVE	CLASSES "io-1048576/reserve"

static void reserve_path(char *path, size_t length, __u64 size)
{
	snprintf(path, length, CLASSES "%llu/reserve", size);
}

static int reserve_write_text(__u64 size, const char *text)
{
	char path[128];

	reserve_path(path, sizeof(path), size);
	return write_text(path, text);
}

static int reserve_write(__u64 size, __u64 bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", bytes);
	return reserve_write_text(size, text);
}

static int trim_all(void)
{
	return write_text(SYSFS "trim", "1");
}

FIXTURE(reserve)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_block *small;
	struct bufpool_block blocks[BLOCKS];
};

FIXTURE_SETUP(reserve)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, limit_write(ROOM));
	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_EQ(0, trim_all());
	ASSERT_EQ(0, pool_number("pinned"));
	self->small = calloc(MOST, sizeof(*self->small));
	ASSERT_NE(NULL, self->small);
}

FIXTURE_TEARDOWN(reserve)
{
	reserve_write(SIZE, 0);
	reserve_write(PAGE, 0);
	write_text(IO_RESERVE, "0");
	close(self->fd);
	parameters_restore();
}

/* Rent all that small blocks can have. Return: how many bytes. */
static __u64 rent_the_rest(int fd, struct bufpool_block *blocks)
{
	return (__u64)drain(fd, PAGE, blocks, MOST) * PAGE;
}

TEST_F(reserve, is_made_at_once)
{
	ASSERT_EQ(0, reserve_write_text(SIZE, "1M\n"));
	EXPECT_EQ(KEPT, class_number(SIZE, "reserve"));
	EXPECT_EQ(KEPT, pool_number("pinned"));
	EXPECT_EQ(KEPT, pool_number("idle"));
	EXPECT_EQ(0, class_number(PAGE, "reserve"));
}

/* A whole slab at least. */
TEST_F(reserve, is_rounded_up)
{
	ASSERT_EQ(0, reserve_write(SIZE, 1));
	EXPECT_EQ(self->info.slab_size, class_number(SIZE, "reserve"));
}

TEST_F(reserve, is_for_io_too)
{
	struct bufpool_rent rented;

	ASSERT_EQ(0, write_text(IO_RESERVE, "2M"));
	EXPECT_EQ(2 * MIB, class_number_of("io-", MIB, "reserve"));
	EXPECT_EQ(0, class_number(MIB, "reserve"));
	EXPECT_EQ(2 * MIB, pool_number("idle"));
	EXPECT_EQ(ROOM - 2 * MIB, rent_the_rest(self->fd, self->small));
	EXPECT_EQ(0, rent_io(self->fd, MIB, &rented));
	EXPECT_EQ(0, rent_io(self->fd, MIB, &rented));
	EXPECT_EQ(-EAGAIN, rent_io(self->fd, MIB, &rented));
	EXPECT_EQ(-EAGAIN, rent_io(self->fd, PAGE, &rented));
}

TEST_F(reserve, stays_when_nobody_needs_it)
{
	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	ASSERT_EQ(0, trim_all());
	EXPECT_EQ(KEPT, pool_number("pinned"));
	ASSERT_EQ(BLOCKS, rent_many(self->fd, SIZE, BLOCKS, self->blocks));
	ASSERT_EQ(0, close(self->fd));
	self->fd = pool_open();
	ASSERT_EQ(0, trim_all());
	EXPECT_TRUE(BECOMES(pool_number("pinned") == KEPT));
	EXPECT_EQ(KEPT, pool_number("idle"));
}

/* Not for another size, and all of it for this one. */
TEST_F(reserve, is_there_when_others_have_all_else)
{
	struct bufpool_rent rented;
	int i;

	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	EXPECT_EQ(ROOM - KEPT, rent_the_rest(self->fd, self->small));
	ASSERT_EQ(BLOCKS, drain(self->fd, SIZE, self->blocks, BLOCKS));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, SIZE, BUFPOOL_RENT_NONBLOCK, 0, &rented));
	EXPECT_EQ(ROOM, pool_number("pinned"));
	EXPECT_EQ(0, pool_number("idle"));
	/* What comes back is not for the other size either. */
	for (i = 0; i < BLOCKS; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, PAGE, BUFPOOL_RENT_NONBLOCK, 0, &rented));
	EXPECT_EQ(KEPT, pool_number("idle"));
	EXPECT_EQ(BLOCKS, drain(self->fd, SIZE, self->blocks, BLOCKS));
}

/* As long as there is room, that is used. */
TEST_F(reserve, is_the_last_resort)
{
	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	ASSERT_EQ(BLOCKS, rent_many(self->fd, SIZE, BLOCKS, self->blocks));
	EXPECT_EQ(2 * KEPT, pool_number("pinned"));
	EXPECT_EQ(KEPT, pool_number("idle"));
}

TEST_F(reserve, a_poller_is_told_of_it)
{
	struct pollfd poller = { .fd = self->fd, .events = POLLIN };

	ASSERT_EQ(0, reserve_write(PAGE, self->info.slab_size));
	ASSERT_EQ(ROOM - self->info.slab_size,
		  (__u64)drain(self->fd, SIZE, self->small, MOST) * SIZE);
	EXPECT_EQ(1, poll(&poller, 1, 0));
	EXPECT_EQ(self->info.slab_size, rent_the_rest(self->fd, self->small));
	EXPECT_EQ(0, poll(&poller, 1, 0));
}

/* And, where it is less, who polls for another size. */
TEST_F(reserve, a_poller_is_told_of_less)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int set = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, set);
	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	EXPECT_EQ(ROOM - KEPT, rent_the_rest(self->fd, self->small));
	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(0, epoll_wait(set, &event, 1, 0));
	ASSERT_EQ(0, reserve_write(SIZE, 0));
	EXPECT_TRUE(BECOMES(epoll_wait(set, &event, 1, 0) == 1));
	close(set);
}

static int wait_for_one(void)
{
	struct bufpool_rent rented;
	int fd = open_or_fail();

	CHECK(!rent_with(fd, SIZE, 0, 0, &rented));
	return 0;
}

/* What another user gives back to it, too. */
TEST_F(reserve, a_waiter_gets_it)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = wait_for_one,
	};
	unsigned int i;
	pid_t pid;

	ASSERT_EQ(0, reserve_write(SIZE, self->info.slab_size));
	EXPECT_EQ(ROOM - self->info.slab_size, rent_the_rest(self->fd, self->small));
	ASSERT_EQ(self->info.slab_size,
		  (__u64)drain(self->fd, SIZE, self->blocks, BLOCKS) * SIZE);
	pid = spawn(live_as, &alice);
	ASSERT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
	for (i = 0; i < self->info.slab_size / SIZE; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	EXPECT_EQ(0, reap(pid));
}

static int be_at_the_quota(void)
{
	struct bufpool_block blocks[BLOCKS];
	struct bufpool_rent rented;
	int fd = open_or_fail();

	CHECK(rent_many(fd, SIZE, BLOCKS, blocks) == BLOCKS / 2);
	CHECK(rent_with(fd, SIZE, BUFPOOL_RENT_NONBLOCK, 0, &rented) == -EDQUOT);
	CHECK(stats_of(fd).user_held == KEPT / 2);
	return 0;
}

TEST_F(reserve, is_within_the_quota)
{
	ASSERT_EQ(0, parameter_write("quota", KEPT / 2));
	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	EXPECT_EQ(ROOM - KEPT, rent_the_rest(self->fd, self->small));
	EXPECT_EQ(0, as_user(ALICE, be_at_the_quota));
}

/* In use or not, it leaves the reserve as it comes back. */
TEST_F(reserve, can_be_less_later)
{
	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	ASSERT_EQ(0, reserve_write(SIZE, KEPT / 2));
	EXPECT_EQ(KEPT / 2, class_number(SIZE, "reserve"));
	ASSERT_EQ(0, trim_all());
	EXPECT_EQ(KEPT / 2, pool_number("pinned"));

	EXPECT_EQ(ROOM - KEPT / 2, rent_the_rest(self->fd, self->small));
	ASSERT_EQ(BLOCKS / 2, drain(self->fd, SIZE, self->blocks, BLOCKS));
	ASSERT_EQ(0, reserve_write(SIZE, 0));
	EXPECT_EQ(KEPT / 2, class_number(SIZE, "reserve"));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_TRUE(BECOMES(class_number(SIZE, "reserve") == 0));
	self->fd = pool_open();
	ASSERT_EQ(0, trim_all());
	EXPECT_TRUE(BECOMES(pool_number("pinned") == 0));
}

TEST_F(reserve, bad_values_are_refused)
{
	static const char *const bad[] = {
		"x", "-1", "1.5M", "4097K", "16E", "18446744073709551616",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_GT(0, reserve_write_text(SIZE, bad[i])) {
			TH_LOG("'%s'", bad[i]);
		}
	}
	EXPECT_EQ(0, class_number(SIZE, "reserve"));
	EXPECT_EQ(0, pool_number("pinned"));
}

/* All that is set aside is within the limit, whichever is set later. */
TEST_F(reserve, is_within_the_limit)
{
	ASSERT_EQ(0, reserve_write(SIZE, 3 * KEPT));
	EXPECT_EQ(-EINVAL, reserve_write(PAGE, KEPT + 1));
	ASSERT_EQ(0, reserve_write(PAGE, KEPT));
	EXPECT_EQ(-EINVAL, limit_write(ROOM - PAGE));
	EXPECT_EQ(ROOM, limit_read());
	ASSERT_EQ(0, reserve_write(PAGE, 0));
	EXPECT_EQ(0, limit_write(3 * KEPT));
}

/* What is in use cannot be set aside: nothing has changed then. */
TEST_F(reserve, does_not_take_what_is_rented)
{
	EXPECT_EQ(ROOM, rent_the_rest(self->fd, self->small));
	EXPECT_EQ(-EAGAIN, reserve_write(SIZE, KEPT));
	EXPECT_EQ(0, class_number(SIZE, "reserve"));
	ASSERT_EQ(0, close(self->fd));
	self->fd = pool_open();
	EXPECT_TRUE(BECOMES(!reserve_write(SIZE, KEPT)));
}

/* A user's blocks come and go in it, and the sum is what it was. */
TEST_F(reserve, lives_through_use)
{
	int i, round;

	ASSERT_EQ(0, reserve_write(SIZE, KEPT));
	EXPECT_EQ(ROOM - KEPT, rent_the_rest(self->fd, self->small));
	for (round = 0; round < 50; round++) {
		int count = drain(self->fd, SIZE, self->blocks, BLOCKS);

		ASSERT_EQ(BLOCKS, count);
		for (i = 0; i < count; i++)
			ASSERT_EQ(0, give_with(self->fd, self->blocks[i].handle,
					       round % 2 ? BUFPOOL_RETURN_REVOKE : 0));
		if (round % 5 == 0)
			trim(self->fd, 0);
	}
	trim(self->fd, 0);
	EXPECT_TRUE(BECOMES(pool_number("idle") == KEPT));
	EXPECT_EQ(KEPT, class_number(SIZE, "reserve"));
	EXPECT_EQ(ROOM, pool_number("pinned"));
}

static int may_not_write(void)
{
	CHECK(reserve_write(SIZE, KEPT) == -EACCES);
	return 0;
}

TEST_F(reserve, is_for_root_to_set)
{
	struct tenant alice = { .uid = ALICE, .body = may_not_write };

	EXPECT_EQ(0, in_child(live_as, &alice));
}

TEST_HARNESS_MAIN
