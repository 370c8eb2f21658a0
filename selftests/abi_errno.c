// SPDX-License-Identifier: MIT
/*
 * What the calls refuse: values out of range, bad arrays, and one test for each
 * row of the errno table.
 */
#include "abi.h"

TEST_F(client, unknown_command_is_enotty)
{
	struct bufpool_info arg = { .size = sizeof(arg) };
	unsigned int nr;

	for (nr = _IOC_NR(BUFPOOL_IOC_RECEIVE) + 1; nr < 256; nr++)
		EXPECT_EQ(-ENOTTY,
			  pool_ioctl(self->fd, _IO(BUFPOOL_IOC_TYPE, nr), &arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, 0, &arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, 0xffffffffUL, &arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, TCGETS, &arg));
}

TEST_F(client, reserved_is_einval)
{
	struct bufpool_block blocks[1];
	struct bufpool_info info = { .size = sizeof(info), .__reserved = 1 };
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = 1,
		.count = 1,
		.blocks = (uintptr_t)blocks,
		.__reserved = 1U << 31,
	};
	struct bufpool_return_many back = {
		.size = sizeof(back),
		.count = 1,
		.handles = (uintptr_t)&blocks[0].handle,
		.__reserved = 1,
	};

	struct bufpool_quota quota = { .size = sizeof(quota), .__reserved = 1 };

	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_INFO, &info));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_QUOTA, &quota));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	ASSERT_EQ(1, rent_many(self->fd, 1, 1, blocks));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN_MANY, &back));
	EXPECT_EQ(0, give(self->fd, blocks[0].handle));
}

TEST_F(client, size_nothing_is_einval)
{
	struct bufpool_block block;

	EXPECT_EQ(-EINVAL, rent(self->fd, 0, &self->rent));
	EXPECT_EQ(-EINVAL, rent_many(self->fd, 0, 1, &block));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, size_over_max_rent_is_emsgsize)
{
	const __u64 sizes[] = {
		self->info.max_rent + 1, 2 * self->info.max_rent,
		1ULL << 32, (1ULL << 32) + 1, 1ULL << 62, INT64_MAX,
		1ULL << 63, (1ULL << 63) + 1, UINT64_MAX - 4095, UINT64_MAX,
	};
	struct bufpool_block block;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EMSGSIZE, rent(self->fd, sizes[i], &self->rent)) {
			TH_LOG("size %llu", sizes[i]);
		}
		EXPECT_EQ(-EMSGSIZE, rent_many(self->fd, sizes[i], 1, &block));
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, size_max_rent)
{
	ASSERT_EQ(0, rent(self->fd, self->info.max_rent, &self->rent));
	EXPECT_EQ(self->info.max_rent, self->rent.length);
}

TEST_F(client, timeout_negative_is_einval)
{
	const __s64 timeouts[] = { -1, INT64_MIN, -1000000000LL };
	struct bufpool_block block;
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = 1,
		.count = 1,
		.blocks = (uintptr_t)&block,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		EXPECT_EQ(-EINVAL, rent_with(self->fd, 1, 0, timeouts[i],
					     &self->rent));
		EXPECT_EQ(-EINVAL, rent_with(self->fd, 1,
					     BUFPOOL_RENT_NONBLOCK,
					     timeouts[i], &self->rent));
		many.timeout_ns = timeouts[i];
		EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY,
					      &many));
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, timeout_is_not_needed)
{
	EXPECT_EQ(0, rent_with(self->fd, 1, 0, 1, &self->rent));
	EXPECT_EQ(0, rent_with(self->fd, 1, 0, INT64_MAX, &self->rent));
}

TEST_F(client, many_count_out_of_range_is_einval)
{
	const __u32 counts[] = {
		0, BUFPOOL_MANY_MAX + 1, INT_MAX, 1U << 31, UINT_MAX,
	};
	struct bufpool_block *blocks = calloc(512, sizeof(*blocks));
	size_t i;

	ASSERT_NE(NULL, blocks);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, rent_many(self->fd, 1, counts[i], blocks));
		EXPECT_EQ(-EINVAL, give_many(self->fd, &blocks->handle,
					     counts[i]));
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, many_largest_count)
{
	struct bufpool_block *blocks;
	__u64 handles[BUFPOOL_MANY_MAX];
	int i, j, count;

	blocks = calloc(BUFPOOL_MANY_MAX, sizeof(*blocks));
	ASSERT_NE(NULL, blocks);
	count = rent_many(self->fd, 1, BUFPOOL_MANY_MAX, blocks);
	ASSERT_EQ(BUFPOOL_MANY_MAX, count);
	for (i = 0; i < count; i++) {
		EXPECT_EQ(self->info.page_size, blocks[i].length);
		for (j = 0; j < i; j++) {
			ASSERT_NE(blocks[j].handle, blocks[i].handle);
			ASSERT_NE(blocks[j].offset, blocks[i].offset);
		}
		handles[i] = blocks[i].handle;
	}
	EXPECT_EQ(count, give_many(self->fd, handles, count));
	EXPECT_EQ(self->before.in_use, in_use(self->fd));
}

/* An array that cannot be written, wholly or from some place on. */
TEST_F(client, rent_many_bad_array_is_efault)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct bufpool_block *const bad[] = {
		NULL, (void *)-4096L, (void *)-1L,
	};
	char *pages = shared_alloc(2 * page);
	size_t i;

	ASSERT_NE(NULL, pages);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EFAULT, rent_many(self->fd, 1, 8, bad[i]));
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_READ));
	for (i = 0; i < 8 * sizeof(struct bufpool_block); i += 8) {
		EXPECT_EQ(-EFAULT, rent_many(self->fd, 1, 8,
					     (void *)(pages + page - i))) {
			TH_LOG("%zu bytes can be written", i);
		}
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

/* Handles that can be read only in part: those before come back, or none. */
TEST_F(client, return_many_bad_array)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *pages = shared_alloc(2 * page);
	struct bufpool_block blocks[8];
	struct bufpool_stats stats;
	__u64 *handles;
	int i, ret;

	ASSERT_NE(NULL, pages);
	ASSERT_EQ(8, rent_many(self->fd, 1, 8, blocks));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	EXPECT_EQ(-EFAULT, give_many(self->fd, NULL, 8));
	EXPECT_EQ(-EFAULT, give_many(self->fd, (void *)-4096L, 8));
	EXPECT_TRUE(unchanged(self->fd, &self->before));

	handles = (void *)(pages + page - 4 * sizeof(*handles));
	for (i = 0; i < 4; i++)
		handles[i] = blocks[i].handle;
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_NONE));
	ret = give_many(self->fd, handles, 8);
	if (ret < 0) {
		EXPECT_EQ(-EFAULT, ret);
		EXPECT_TRUE(unchanged(self->fd, &self->before));
	} else {
		EXPECT_LE(1, ret);
		EXPECT_GE(4, ret);
		ASSERT_EQ(0, pool_stats(self->fd, &stats));
		EXPECT_EQ((__u64)(8 - ret), stats.client_blocks);
	}
}

/* What a call has taken in before it comes to the end of the array is done, and said. */
TEST_F(client, return_many_array_that_ends)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *pages = shared_alloc(2 * page);
	const int more = 100;
	struct bufpool_block blocks[more];
	__u64 *handles;
	int i, ret;

	ASSERT_NE(NULL, pages);
	ASSERT_EQ(more, rent_many(self->fd, 1, more, blocks));
	handles = (__u64 *)(pages + page) - more;
	for (i = 0; i < more; i++)
		handles[i] = blocks[i].handle;
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_NONE));
	ret = give_many(self->fd, handles, 2 * more);
	ASSERT_LT(0, ret);
	EXPECT_GE(more, ret);
	EXPECT_EQ((__u64)(more - ret), stats_of(self->fd).client_blocks);
	/* the next begins where that one ended */
	EXPECT_EQ(more - ret, give_many(self->fd, handles + ret, more - ret));
}

/* An array that overlaps the argument itself must not do harm. */
TEST_F(client, rent_many_array_over_the_argument)
{
	struct bufpool_block blocks[4] = { 0 };
	struct bufpool_rent_many *many = (void *)blocks;
	struct bufpool_stats stats;

	many->size = sizeof(*many);
	many->min_size = 1;
	many->count = 4;
	many->blocks = (uintptr_t)blocks;
	ASSERT_EQ(4, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, many));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(4, stats.client_blocks);
	EXPECT_EQ(0, give(self->fd, blocks[3].handle));
}

TEST_F(client, read_write_lseek_are_refused)
{
	char buf[16] = "";

	EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 4096, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(client, write_only_descriptor)
{
	int fd = open(POOL_DEVICE, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, rent(fd, 1, &self->rent));
	EXPECT_EQ(-EACCES, try_map(fd, self->rent.offset, self->rent.length,
				   PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(0, give(fd, self->rent.handle));
	close(fd);
}

TEST_F(client, errno_enoent)
{
	EXPECT_EQ(-ENOENT, give(self->fd, NO_HANDLE));
}

TEST_F(client, errno_estale)
{
	ASSERT_EQ(0, rent(self->fd, 1, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(-ESTALE, give(self->fd, self->rent.handle));
}

TEST_F(client, errno_edquot)
{
	struct bufpool_stats before;

	ASSERT_EQ(0, set_ceiling(self->fd, 64 * KIB));
	ASSERT_EQ(0, rent(self->fd, 64 * KIB, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &before));
	EXPECT_EQ(64 * KIB, before.client_ceiling);
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_TRUE(unchanged(self->fd, &before));
}

/* Waiting cannot help: the call must not try. */
TEST_F(client, errno_edquot_does_not_wait)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 4 * KIB));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, 64 * KIB, 0, 0, &self->rent));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, 64 * KIB, 0,
				     1000 * NSEC_PER_MSEC, &self->rent));
}

TEST_F(client, ceiling_may_be_below_what_is_held)
{
	struct bufpool_block blocks[4];

	ASSERT_EQ(4, rent_many(self->fd, 1, 4, blocks));
	ASSERT_EQ(0, set_ceiling(self->fd, 2 * blocks[0].length));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, give(self->fd, blocks[0].handle));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, give(self->fd, blocks[1].handle));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, give(self->fd, blocks[2].handle));
	EXPECT_EQ(0, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
}

TEST_F(client, ceiling_nothing)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
}

TEST_F(client, ceiling_cuts_rent_many)
{
	struct bufpool_block blocks[8];

	ASSERT_EQ(0, set_ceiling(self->fd, 3 * self->info.page_size));
	EXPECT_EQ(3, rent_many(self->fd, 1, 8, blocks));
	EXPECT_EQ(-EDQUOT, rent_many(self->fd, 1, 8, blocks));
}

/* The ceiling is the client's: not the descriptor's, and not the pool's. */
TEST_F(client, ceiling_is_the_clients)
{
	int same = dup(self->fd), other = pool_open();
	struct bufpool_rent rented;

	ASSERT_LE(0, same);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(-EDQUOT, rent(same, 1, &rented));
	EXPECT_EQ(0, rent(other, 1, &rented));
	close(same);
	close(other);
}

TEST_F(client, ceiling_may_be_raised_by_root)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(0, set_ceiling(self->fd, 64 * KIB));
	EXPECT_EQ(0, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, set_ceiling(self->fd, ~0ULL));
	EXPECT_EQ(0, rent(self->fd, 64 * KIB, &self->rent));
}

/* Any program may lower its ceiling; raising it needs a capability. */
static int raise_ceiling_unprivileged(void *arg)
{
	int fd = *(int *)arg;
	struct bufpool_stats before;

	CHECK(!setgid(65534));
	CHECK(!setuid(65534));
	CHECK(!set_ceiling(fd, 64 * KIB));
	CHECK(!set_ceiling(fd, 64 * KIB));
	CHECK(!set_ceiling(fd, 32 * KIB));
	CHECK(!pool_stats(fd, &before));
	CHECK(set_ceiling(fd, 32 * KIB + 1) == -EPERM);
	CHECK(set_ceiling(fd, 64 * KIB) == -EPERM);
	CHECK(set_ceiling(fd, ~0ULL) == -EPERM);
	CHECK(unchanged(fd, &before));
	return 0;
}

TEST_F(client, errno_eperm)
{
	if (geteuid())
		SKIP(return, "needs root, to become another user");
	EXPECT_EQ(0, in_child(raise_ceiling_unprivileged, &self->fd));
}

/* A pool in which nothing is free, and a client that would like some. */
#define FULL_LIMIT	(4 * MIB)
#define FULL_BLOCK	(1 * MIB)

FIXTURE(full)
{
	int owner;
	int fd;
	struct bufpool_block blocks[8];
	struct bufpool_rent rent;
	struct bufpool_stats before;
	int count;
};

FIXTURE_SETUP(full)
{
	self->owner = pool_open();
	ASSERT_LE(0, self->owner);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(FULL_LIMIT));
	self->count = drain(self->owner, FULL_BLOCK, self->blocks,
			    ARRAY_SIZE(self->blocks));
	ASSERT_LT(0, self->count);
	ASSERT_GT((int)ARRAY_SIZE(self->blocks), self->count);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(full)
{
	close(self->owner);
	close(self->fd);
	limit_restore();
}

TEST_F(full, errno_eagain_by_flag)
{
	EXPECT_EQ(-EAGAIN, rent(self->fd, FULL_BLOCK, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, FULL_BLOCK,
				     BUFPOOL_RENT_NONBLOCK,
				     1000 * NSEC_PER_MSEC, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_many(self->fd, FULL_BLOCK, 4, self->blocks));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, errno_eagain_by_descriptor)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, FULL_BLOCK, 0, 0, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, FULL_BLOCK, 0,
				     1000 * NSEC_PER_MSEC, &self->rent));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, errno_etimedout)
{
	__u64 start = now_ms();
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = FULL_BLOCK,
		.timeout_ns = 50 * NSEC_PER_MSEC,
		.count = 1,
		.blocks = (uintptr_t)self->blocks,
	};

	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, FULL_BLOCK, 0,
					50 * NSEC_PER_MSEC, &self->rent));
	EXPECT_LE(50, now_ms() - start);
	EXPECT_EQ(-ETIMEDOUT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY,
					 &many));
	EXPECT_LE(100, now_ms() - start);
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, FULL_BLOCK, 0, 1,
					&self->rent));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, waits_are_counted)
{
	struct bufpool_stats after;

	ASSERT_EQ(-ETIMEDOUT, rent_with(self->fd, FULL_BLOCK, 0,
					NSEC_PER_MSEC, &self->rent));
	ASSERT_EQ(-EAGAIN, rent(self->fd, FULL_BLOCK, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.waits + 1, after.waits);
}

/* What a waiter that is disturbed by a signal is to see. */
struct disturbed {
	int fd;
	int sa_flags;
	__s64 timeout_ns;
	int answer;		/* what the rent is to answer */
	unsigned int ready;
	unsigned int handled;
};

static struct disturbed *disturbed;

static void count_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&disturbed->handled, 1, __ATOMIC_RELEASE);
}

static int wait_disturbed(void *arg)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct bufpool_rent rented;
	int ret;

	disturbed = arg;
	action.sa_flags = disturbed->sa_flags;
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	word_set(&disturbed->ready, 1);
	ret = rent_with(disturbed->fd, FULL_BLOCK, 0, disturbed->timeout_ns,
			&rented);
	CHECK(disturbed->handled == 1);
	CHECK(ret == disturbed->answer);
	return 0;
}

static struct disturbed *disturb(int fd, pid_t *pid, int sa_flags,
				 __s64 timeout_ns, int answer)
{
	struct disturbed *d = shared_alloc(sizeof(*d));

	if (!d)
		return NULL;
	d->fd = fd;
	d->sa_flags = sa_flags;
	d->timeout_ns = timeout_ns;
	d->answer = answer;
	*pid = spawn(wait_disturbed, d);
	if (!word_reaches(&d->ready, 1) || !task_sleeps(*pid, *pid))
		return NULL;
	kill(*pid, SIGUSR1);
	return d;
}

TEST_F(full, errno_eintr)
{
	pid_t pid;

	ASSERT_NE(NULL, disturb(self->fd, &pid, 0, 0, -EINTR));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, errno_eintr_with_a_timeout)
{
	pid_t pid;

	ASSERT_NE(NULL, disturb(self->fd, &pid, 0, INT64_MAX, -EINTR));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

/* A timeout goes on after a signal, and ends. */
TEST_F(full, errno_etimedout_after_a_signal)
{
	pid_t pid;

	ASSERT_NE(NULL, disturb(self->fd, &pid, SA_RESTART, 1000 * NSEC_PER_MSEC,
				-ETIMEDOUT));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, restarts_after_a_signal)
{
	struct disturbed *d;
	pid_t pid;

	d = disturb(self->fd, &pid, SA_RESTART, 0, 0);
	ASSERT_NE(NULL, d);
	ASSERT_TRUE(word_reaches(&d->handled, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, give(self->owner, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
}

TEST_HARNESS_MAIN
