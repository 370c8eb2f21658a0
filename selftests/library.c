// SPDX-License-Identifier: MIT
/*
 * libbufpool: what libbufpool(3) says under RETURN VALUES and ERRORS.
 */
#include "bufpool_test.h"

#include <bufpool.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

/* Not one of the bits of this version */
#define BAD_FLAG	0x80000000U

/* The errors of functions that return a pointer or a size, as -errno. */

static int open_error(const char *device, unsigned int flags)
{
	errno = 0;
	return bufpool_open(device, flags) ? 0 : -errno;
}

static int fdopen_error(int fd, unsigned int flags)
{
	errno = 0;
	return bufpool_fdopen(fd, flags) ? 0 : -errno;
}

static int rent_error(struct bufpool *pool, size_t min_size,
		      unsigned int flags)
{
	errno = 0;
	return bufpool_rent(pool, min_size, flags) ? 0 : -errno;
}

static int timed_error(struct bufpool *pool, size_t min_size,
		       unsigned int flags, int64_t timeout_ns)
{
	errno = 0;
	return bufpool_rent_timed(pool, min_size, flags, timeout_ns) ? 0 : -errno;
}

static int size_error(struct bufpool *pool, const void *block)
{
	errno = 0;
	return bufpool_block_size(pool, block) ? 0 : -errno;
}

static int adopt_error(struct bufpool *pool, __u64 handle, __u64 offset)
{
	errno = 0;
	return bufpool_adopt(pool, handle, offset) ? 0 : -errno;
}

/* What every call that takes a block says of this one; 0 where they differ. */
static int block_error(struct bufpool *pool, void *block)
{
	uint64_t value;
	int ret = bufpool_return(pool, block, 0);

	if (bufpool_return_many(pool, &block, 1, 0) != ret ||
	    size_error(pool, block) != ret ||
	    bufpool_handle(pool, block, &value) != ret ||
	    bufpool_offset(pool, block, &value) != ret)
		return 0;
	return ret;
}

/* The next descriptor that open() gives. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* A number of /proc/self/status, in KiB. */
static long status_kib(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	if (file)
		fclose(file);
	return value;
}

FIXTURE(library)
{
	struct bufpool *pool;
	struct bufpool_info info;
	struct bufpool_stats before;
	int fd;
};

FIXTURE_SETUP(library)
{
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->fd = bufpool_fd(self->pool);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(library)
{
	if (self->pool)
		EXPECT_EQ(0, bufpool_close(self->pool));
}

/* How many blocks the client holds. */
static int held(int fd)
{
	struct bufpool_stats stats;

	return pool_stats(fd, &stats) ? -1 : (int)stats.client_blocks;
}

/* Opening and closing ------------------------------------------------------ */

TEST(version_is_three_numbers)
{
	int major, minor, patch, count;
	char after;

	count = sscanf(bufpool_version(), "%d.%d.%d%c", &major, &minor, &patch,
		       &after);
	EXPECT_EQ(3, count);
}

TEST(open_refusals)
{
	int fd = next_fd();

	EXPECT_EQ(-EINVAL, open_error(NULL, 1));
	EXPECT_EQ(-EINVAL, open_error(NULL, BAD_FLAG));
	EXPECT_EQ(-ENOENT, open_error("/nonexistent", 0));
	EXPECT_EQ(-ENOTTY, open_error("/dev/null", 0));
	EXPECT_EQ(fd, next_fd());
}

TEST(fdopen_refusals_leave_the_descriptor)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd = pool_open();

	EXPECT_EQ(-EBADF, fdopen_error(-1, 0));
	EXPECT_EQ(-ENOTTY, fdopen_error(null, 0));
	EXPECT_EQ(-EINVAL, fdopen_error(fd, 1));
	EXPECT_LE(0, fcntl(null, F_GETFD));
	EXPECT_LE(0, fcntl(fd, F_GETFD));
}

TEST(fdopen_owns_the_descriptor)
{
	int fd = pool_open();
	struct bufpool *pool = bufpool_fdopen(fd, 0);

	ASSERT_NE(NULL, pool);
	EXPECT_EQ(fd, bufpool_fd(pool));
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	EXPECT_EQ(EBADF, errno);
}

TEST_F(library, null_pool_is_einval)
{
	void *block = self;
	uint64_t value;

	EXPECT_EQ(-EINVAL, rent_error(NULL, 1, 0));
	EXPECT_EQ(-EINVAL, timed_error(NULL, 1, 0, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(NULL, 1, 0, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_return(NULL, block, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(NULL, &block, 1, 0));
	EXPECT_EQ(-EINVAL, size_error(NULL, block));
	EXPECT_EQ(-EINVAL, bufpool_handle(NULL, block, &value));
	EXPECT_EQ(-EINVAL, bufpool_offset(NULL, block, &value));
	EXPECT_EQ(-EINVAL, adopt_error(NULL, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_fd(NULL));
	EXPECT_EQ(-EINVAL, bufpool_close(NULL));
}

TEST_F(library, descriptor_is_closed_by_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(library, pools_are_clients_of_their_own)
{
	struct bufpool *other = bufpool_open("/dev/bufpool", 0);
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, other);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, held(self->fd));
	EXPECT_EQ(0, held(bufpool_fd(other)));
	EXPECT_EQ(-ENOENT, block_error(other, block));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, bufpool_close(other));
}

TEST_F(library, close_returns_blocks_though_the_client_lives)
{
	struct bufpool *shared = bufpool_fdopen(dup(self->fd), 0);
	void *blocks[300];

	ASSERT_NE(NULL, shared);
	ASSERT_EQ(300, bufpool_rent_many(shared, 1, 0, blocks, 300));
	ASSERT_NE(NULL, bufpool_rent(shared, self->info.max_rent, 0));
	EXPECT_EQ(301, held(self->fd));
	EXPECT_EQ(0, bufpool_close(shared));
	EXPECT_EQ(0, held(self->fd));
}

TEST_F(library, close_leaves_nothing_behind)
{
	struct bufpool *pool = NULL;
	long size = 0;
	int fd = next_fd(), i;

	for (i = 0; i < 50; i++) {
		pool = bufpool_open(NULL, 0);
		ASSERT_NE(NULL, pool);
		ASSERT_NE(NULL, bufpool_rent(pool, 1, 0));
		ASSERT_EQ(0, bufpool_close(pool));
		if (!i)
			size = status_kib("VmSize:");
	}
	EXPECT_EQ(fd, next_fd());
	EXPECT_EQ(size, status_kib("VmSize:"));
}

TEST_F(library, open_takes_no_memory)
{
	long before = status_kib("VmRSS:");
	struct bufpool *pool;

	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_GT(before + 1024, status_kib("VmRSS:"));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Whatever the pools cover, only what they use may become resident. */
TEST_F(library, mlockall_takes_little_memory)
{
	struct bufpool *pool;
	char *block, *later;
	long before;

	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	before = status_kib("VmRSS:");
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, block);
	*block = 1;
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	later = bufpool_rent(pool, 1, 0);
	ASSERT_NE(NULL, later);
	*later = 1;
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	EXPECT_GT(before + 1024, status_kib("VmRSS:"));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Renting ------------------------------------------------------------------- */

TEST_F(library, rent_refusals)
{
	struct bufpool *pool = self->pool;

	EXPECT_EQ(-EINVAL, rent_error(pool, 0, 0));
	EXPECT_EQ(-EMSGSIZE, rent_error(pool, SIZE_MAX, 0));
	EXPECT_EQ(-EMSGSIZE, rent_error(pool, self->info.max_rent + 1, 0));
	EXPECT_EQ(-EINVAL, rent_error(pool, 1, BAD_FLAG));
	EXPECT_EQ(-EINVAL, timed_error(pool, 0, 0, 1));
	EXPECT_EQ(-EMSGSIZE, timed_error(pool, SIZE_MAX, 0, 1));
	EXPECT_EQ(-EINVAL, timed_error(pool, 1, BAD_FLAG, 1));
	EXPECT_EQ(-EINVAL, timed_error(pool, 1, 0, -1));
	EXPECT_EQ(-EINVAL, timed_error(pool, 1, 0, INT64_MIN));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(library, rent_many_refusals)
{
	struct bufpool *pool = self->pool;
	void *block = self;

	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 0, 0, &block, 1));
	EXPECT_EQ(-EMSGSIZE, bufpool_rent_many(pool, SIZE_MAX, 0, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, BAD_FLAG, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, NULL, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, &block, 0));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, &block, INT_MAX + 1U));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(pool, 1, 0, &block, UINT_MAX));
	EXPECT_EQ((void *)self, block);
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(library, blocks_are_large_enough_aligned_and_zero)
{
	size_t size, block_size;
	char *block;

	for (size = self->info.page_size; size <= self->info.max_rent; size *= 2) {
		block = bufpool_rent(self->pool, size, BUFPOOL_RENT_ZERO);
		ASSERT_NE(NULL, block);
		block_size = bufpool_block_size(self->pool, block);
		EXPECT_EQ(size, block_size);
		EXPECT_EQ(0, (uintptr_t)block % block_size);
		EXPECT_TRUE(filled(block, 0, block_size));
		memset(block, 0xa5, block_size);
		EXPECT_EQ(0, bufpool_return(self->pool, block, 0));

		block = bufpool_rent(self->pool, size - 1, BUFPOOL_RENT_ZERO);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(size, bufpool_block_size(self->pool, block));
		EXPECT_TRUE(filled(block, 0, size));
		EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	}
}

TEST_F(library, rent_over_the_ceiling_is_edquot)
{
	size_t page = self->info.page_size;
	void *blocks[20];
	int i;

	for (i = 0; i < 20; i++)
		blocks[i] = self;
	ASSERT_EQ(0, set_ceiling(self->fd, 10 * page));
	EXPECT_EQ(10, bufpool_rent_many(self->pool, 1, 0, blocks, 20));
	for (i = 10; i < 20; i++)
		EXPECT_EQ((void *)self, blocks[i]);
	EXPECT_EQ(-EDQUOT, rent_error(self->pool, 1, 0));
	EXPECT_EQ(-EDQUOT, timed_error(self->pool, 1, 0, 1));
	EXPECT_EQ(-EDQUOT, bufpool_rent_many(self->pool, 1, 0, blocks + 10, 1));
	EXPECT_EQ((void *)self, blocks[10]);
	EXPECT_EQ(10, held(self->fd));
	EXPECT_EQ(10, bufpool_return_many(self->pool, blocks, 10, 0));
	EXPECT_EQ(0, rent_error(self->pool, 1, 0));
}

static void *return_soon(void *argument)
{
	void **job = argument;

	sleep_ms(50);
	return (void *)(intptr_t)bufpool_return(job[0], job[1], 0);
}

static void ignore(int signal)
{
	(void)signal;
}

/* One block is this pool's, and another client has all the rest. */
FIXTURE(exhausted)
{
	struct bufpool *pool;
	size_t size;
	void *block;
	int other;
	struct bufpool_block others[4096];
};

FIXTURE_SETUP(exhausted)
{
	struct bufpool_info info;

	/* a small pool is soon empty */
	ASSERT_EQ(0, limit_write(16 * MIB));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(0, pool_info(bufpool_fd(self->pool), &info));
	self->size = info.max_rent;
	self->block = bufpool_rent(self->pool, self->size, 0);
	ASSERT_NE(NULL, self->block);
	self->other = pool_open();
	ASSERT_LE(0, self->other);
	ASSERT_LT(0, drain(self->other, self->size, self->others, 4096));
}

FIXTURE_TEARDOWN(exhausted)
{
	close(self->other);
	EXPECT_EQ(0, bufpool_close(self->pool));
	limit_restore();
}

TEST_F(exhausted, nonblocking_rent_is_eagain)
{
	int count = held(bufpool_fd(self->pool));
	void *block = self;

	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size,
				      BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-EAGAIN, timed_error(self->pool, self->size,
				       BUFPOOL_RENT_NONBLOCK, NSEC_PER_MSEC));
	EXPECT_EQ(-EAGAIN, bufpool_rent_many(self->pool, self->size,
					     BUFPOOL_RENT_NONBLOCK, &block, 1));
	EXPECT_EQ((void *)self, block);
	EXPECT_EQ(count, held(bufpool_fd(self->pool)));
}

TEST_F(exhausted, nonblocking_descriptor_is_eagain)
{
	int fd = bufpool_fd(self->pool);

	ASSERT_EQ(0, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size, 0));
}

TEST_F(exhausted, timeout_is_etimedout)
{
	int count = held(bufpool_fd(self->pool));
	__u64 start = now_ms();

	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, 0,
					  20 * NSEC_PER_MSEC));
	EXPECT_LE(start + 20, now_ms() + 1);
	EXPECT_EQ(count, held(bufpool_fd(self->pool)));
}

TEST_F(exhausted, signal_is_eintr)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval soon = {
		.it_value.tv_usec = 50000,
		.it_interval.tv_usec = 50000,
	};
	struct itimerval never = { 0 };
	int count = held(bufpool_fd(self->pool));

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_EQ(-EINTR, rent_error(self->pool, self->size, 0));
	EXPECT_EQ(-EINTR, timed_error(self->pool, self->size, 0,
				      SOON_MS * NSEC_PER_MSEC));
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(count, held(bufpool_fd(self->pool)));
}

TEST_F(exhausted, return_lets_the_next_rent_go_on)
{
	void *job[] = { self->pool, self->block };
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, return_soon, job));
	EXPECT_EQ(0, timed_error(self->pool, self->size, 0,
				 SOON_MS * NSEC_PER_MSEC));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size,
				      BUFPOOL_RENT_NONBLOCK));
}

TEST_F(exhausted, rent_many_waits_for_the_first_only)
{
	void *job[] = { self->pool, self->block };
	pthread_t thread;
	void *blocks[2];

	ASSERT_EQ(0, pthread_create(&thread, NULL, return_soon, job));
	EXPECT_EQ(1, bufpool_rent_many(self->pool, self->size, 0, blocks, 2));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* Returning ----------------------------------------------------------------- */

TEST_F(library, what_is_no_block_is_refused)
{
	size_t page = self->info.page_size;
	char *block = bufpool_rent(self->pool, 4 * page, 0);
	char *last = bufpool_rent(self->pool, self->info.max_rent, 0);
	struct bufpool_stats stats;
	int local;

	ASSERT_NE(NULL, block);
	ASSERT_NE(NULL, last);
	memset(block, 0x5a, 4 * page);
	ASSERT_EQ(0, pool_stats(self->fd, &stats));

	EXPECT_EQ(-EINVAL, block_error(self->pool, NULL));
	EXPECT_EQ(-ENOENT, block_error(self->pool, &local));
	EXPECT_EQ(-ENOENT, block_error(self->pool, self->pool));
	EXPECT_EQ(-ENOENT, block_error(self->pool, (void *)1));
	EXPECT_EQ(-ENOENT, block_error(self->pool, (void *)UINTPTR_MAX));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block + 1));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block + page));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block + 4 * page - 1));
	EXPECT_EQ(-EINVAL, block_error(self->pool, block - 1));
	/* In the window, and never rented by this pool. */
	EXPECT_EQ(-ENOENT, block_error(self->pool, block + 4000 * page));
	EXPECT_EQ(-ENOENT, block_error(self->pool,
				       last + 16 * self->info.max_rent));

	EXPECT_TRUE(unchanged(self->fd, &stats));
	EXPECT_TRUE(filled(block, 0x5a, 4 * page));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, bufpool_return(self->pool, last, 0));
}

TEST_F(library, a_returned_block_is_estale)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	struct bufpool_stats stats;
	unsigned char byte;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
	EXPECT_EQ(SIGBUS, peek(block, &byte));
	EXPECT_TRUE(unchanged(self->fd, &stats));
}

TEST_F(library, a_refused_return_leaves_the_block)
{
	char *block = bufpool_rent(self->pool, 1, 0);
	void *array[] = { block };
	struct bufpool_stats stats;

	ASSERT_NE(NULL, block);
	*block = 0x5a;
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(-EINVAL, bufpool_return(self->pool, block, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array, 1, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array,
					       INT_MAX + 1U, 0));
	EXPECT_EQ(-EINVAL, bufpool_return_many(self->pool, array, UINT_MAX, 0));
	EXPECT_EQ(-EINVAL, bufpool_handle(self->pool, block, NULL));
	EXPECT_EQ(-EINVAL, bufpool_offset(self->pool, block, NULL));
	EXPECT_TRUE(unchanged(self->fd, &stats));
	EXPECT_EQ(0x5a, *block);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

TEST_F(library, every_return_flag_is_taken)
{
	static const unsigned int flags[] = {
		BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE,
		BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE,
	};
	unsigned char byte;
	void *block;
	int i;

	for (i = 0; i < 3; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(0, bufpool_return(self->pool, block, flags[i]));
		EXPECT_EQ(SIGBUS, peek(block, &byte));
	}
}

/* Many ---------------------------------------------------------------------- */

static int compare_pointers(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return (x > y) - (x < y);
}

static int compare_handles(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

FIXTURE(many)
{
	struct bufpool *pool;
	char *blocks[5000];
	uint64_t handles[5000];
	size_t size;
};

FIXTURE_VARIANT(many)
{
	int count;
};

FIXTURE_VARIANT_ADD(many, one) { .count = 1 };
FIXTURE_VARIANT_ADD(many, batch) { .count = 256 };
FIXTURE_VARIANT_ADD(many, batch_and_one) { .count = 257 };
FIXTURE_VARIANT_ADD(many, thousand) { .count = 1000 };
FIXTURE_VARIANT_ADD(many, thousands) { .count = 5000 };

FIXTURE_SETUP(many)
{
	int i;

	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(variant->count, bufpool_rent_many(self->pool, 1, 0,
						    (void **)self->blocks,
						    variant->count));
	self->size = bufpool_block_size(self->pool, self->blocks[0]);
	for (i = 0; i < variant->count; i++)
		ASSERT_EQ(0, bufpool_handle(self->pool, self->blocks[i],
					    &self->handles[i]));
}

FIXTURE_TEARDOWN(many)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

TEST_F(many, blocks_are_distinct)
{
	int i;

	EXPECT_EQ(variant->count, held(bufpool_fd(self->pool)));
	for (i = 0; i < variant->count; i++)
		memset(self->blocks[i], i, self->size);
	for (i = 0; i < variant->count; i++)
		EXPECT_TRUE(filled(self->blocks[i], i & 0xff, self->size));

	qsort(self->blocks, variant->count, sizeof(char *), compare_pointers);
	qsort(self->handles, variant->count, sizeof(uint64_t), compare_handles);
	for (i = 1; i < variant->count; i++) {
		EXPECT_LE(self->blocks[i - 1] + self->size, self->blocks[i]);
		EXPECT_LT(self->handles[i - 1], self->handles[i]);
	}
}

TEST_F(many, all_are_returned)
{
	int i;

	EXPECT_EQ(variant->count,
		  bufpool_return_many(self->pool, (void **)self->blocks,
				      variant->count, 0));
	EXPECT_EQ(0, held(bufpool_fd(self->pool)));
	for (i = 0; i < variant->count; i++)
		EXPECT_EQ(-ESTALE, block_error(self->pool, self->blocks[i]));
}

TEST_F(many, one_by_one_too)
{
	int i;

	for (i = 0; i < variant->count; i++)
		EXPECT_EQ(0, bufpool_return(self->pool, self->blocks[i], 0));
	EXPECT_EQ(0, held(bufpool_fd(self->pool)));
}

TEST_F(many, return_stops_at_what_is_refused)
{
	int count = variant->count, bad = count / 2, rest = count - bad - 1;
	char *swapped = self->blocks[bad];

	self->blocks[bad] = (char *)self;
	if (bad)
		EXPECT_EQ(bad, bufpool_return_many(self->pool,
						   (void **)self->blocks,
						   count, 0));
	EXPECT_EQ(-ENOENT, bufpool_return_many(self->pool,
					       (void **)self->blocks + bad,
					       rest + 1, 0));
	EXPECT_EQ(rest + 1, held(bufpool_fd(self->pool)));

	self->blocks[bad] = swapped;
	EXPECT_EQ(rest + 1, bufpool_return_many(self->pool,
						(void **)self->blocks + bad,
						rest + 1, 0));
	EXPECT_EQ(0, held(bufpool_fd(self->pool)));
}

TEST_F(many, return_stops_at_what_the_kernel_refuses)
{
	int count = variant->count, bad = count / 2, rest = count - bad - 1;
	void **blocks = (void **)self->blocks;

	/* Behind the library's back. */
	ASSERT_EQ(0, give(bufpool_fd(self->pool), self->handles[bad]));
	if (bad)
		EXPECT_EQ(bad, bufpool_return_many(self->pool, blocks, count, 0));
	EXPECT_EQ(-ESTALE, bufpool_return_many(self->pool, blocks + bad,
					       rest + 1, 0));
	EXPECT_EQ(rest, held(bufpool_fd(self->pool)));
	if (rest)
		EXPECT_EQ(rest, bufpool_return_many(self->pool,
						    blocks + bad + 1, rest, 0));
	EXPECT_EQ(0, held(bufpool_fd(self->pool)));
}

TEST_F(library, a_block_named_twice_is_returned_once)
{
	void *blocks[3];

	ASSERT_EQ(2, bufpool_rent_many(self->pool, 1, 0, blocks, 2));
	blocks[2] = blocks[1];
	blocks[1] = blocks[0];
	EXPECT_EQ(1, bufpool_return_many(self->pool, blocks, 3, 0));
	EXPECT_EQ(-ESTALE, bufpool_return_many(self->pool, blocks + 1, 2, 0));
	EXPECT_EQ(1, held(self->fd));
	EXPECT_EQ(1, bufpool_return_many(self->pool, blocks + 2, 1, 0));
}

/* Together with the ioctls --------------------------------------------------- */

TEST_F(library, handle_and_offset_are_the_kernels)
{
	char *block = bufpool_rent(self->pool, 1, 0), *again;
	uint64_t handle, offset;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &handle));
	ASSERT_EQ(0, bufpool_offset(self->pool, block, &offset));
	again = map_at(self->fd, offset, self->info.page_size);
	ASSERT_NE(MAP_FAILED, again);
	strcpy(block, "written here");
	EXPECT_STREQ(again, "written here");
	EXPECT_EQ(0, give(self->fd, handle));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
}

TEST_F(library, a_block_rented_by_ioctl_is_adopted)
{
	struct bufpool_rent got;
	uint64_t value;
	char *block;

	ASSERT_EQ(0, rent(self->fd, 3 * self->info.page_size, &got));
	ASSERT_TRUE(block_fill(self->fd, got.offset, got.length, 0x5a));
	block = bufpool_adopt(self->pool, got.handle, got.offset);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(got.length, bufpool_block_size(self->pool, block));
	EXPECT_TRUE(filled(block, 0x5a, got.length));
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &value));
	EXPECT_EQ(got.handle, value);
	ASSERT_EQ(0, bufpool_offset(self->pool, block, &value));
	EXPECT_EQ(got.offset, value);

	EXPECT_EQ(-EEXIST, adopt_error(self->pool, got.handle, got.offset));
	EXPECT_EQ(1, held(self->fd));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, held(self->fd));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, got.handle, got.offset));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
}

TEST_F(library, adopt_refuses_what_is_no_offset)
{
	__u64 end = self->info.nr_classes * self->info.span;
	struct bufpool_rent got;

	ASSERT_EQ(0, rent(self->fd, self->info.max_rent, &got));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, got.offset + 1));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle,
				       got.offset + self->info.page_size));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, end));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, ~0ULL));
	EXPECT_EQ(1, held(self->fd));
	EXPECT_EQ(0, give(self->fd, got.handle));
}

TEST_F(library, an_adopted_handle_that_is_none_is_enoent)
{
	struct bufpool_stats stats;
	unsigned char byte;
	void *block;

	block = bufpool_adopt(self->pool, NO_HANDLE, 0);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(SIGBUS, peek(block, &byte));
	EXPECT_EQ(-ENOENT, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	EXPECT_TRUE(unchanged(self->fd, &stats));
}

TEST_F(library, a_later_rental_replaces_one_that_ended_elsewhere)
{
	struct bufpool_rent got, again;
	uint64_t handle;
	void *block;

	ASSERT_EQ(0, rent(self->fd, 1, &got));
	block = bufpool_adopt(self->pool, got.handle, got.offset);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, give(self->fd, got.handle));
	ASSERT_EQ(0, rent(self->fd, 1, &again));
	if (again.offset != got.offset)
		SKIP(return, "the pool did not give the same block");
	EXPECT_EQ(block, bufpool_adopt(self->pool, again.handle, again.offset));
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &handle));
	EXPECT_EQ(again.handle, handle);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, held(self->fd));
}

TEST_F(library, pools_of_one_client_pass_blocks)
{
	struct bufpool *shared = bufpool_fdopen(dup(self->fd), 0);
	char *here = bufpool_rent(self->pool, 1, 0), *there;
	uint64_t handle, offset;

	ASSERT_NE(NULL, shared);
	ASSERT_NE(NULL, here);
	strcpy(here, "passed on");
	ASSERT_EQ(0, bufpool_handle(self->pool, here, &handle));
	ASSERT_EQ(0, bufpool_offset(self->pool, here, &offset));
	there = bufpool_adopt(shared, handle, offset);
	ASSERT_NE(NULL, there);
	EXPECT_STREQ("passed on", there);
	EXPECT_EQ(0, bufpool_return(shared, there, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, here, 0));
	EXPECT_EQ(0, bufpool_close(shared));
}

/* Threads -------------------------------------------------------------------- */

#define THREADS		4
#define SLOTS		16
#define RACE_MS		2000

struct race {
	struct bufpool *pool;
	void *slots[SLOTS];
	void *block;
	pthread_barrier_t barrier;
	__u64 end;		/* in ms: races last for a time, not for a number */
	int over;
	int results[3];		/* how many: 0, -ESTALE, anything else */
	int rounds;
	int failures;
};

/* Put what was rented where any thread may find it, and return what was there. */
static void *exchange(void *argument)
{
	struct race *race = argument;
	uint64_t *block, *other;
	__u64 seed = (uintptr_t)&seed;

	while (now_ms() < race->end) {
		block = bufpool_rent(race->pool, 4096ULL << next_random(&seed) % 3,
				     BUFPOOL_RENT_ZERO);
		if (!block) {
			__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
			continue;
		}
		if (*block)
			__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
		*block = (uintptr_t)block;
		other = __atomic_exchange_n(&race->slots[next_random(&seed) % SLOTS],
					    block, __ATOMIC_ACQ_REL);
		if (other && (*other != (uintptr_t)other ||
			      bufpool_return(race->pool, other, 0)))
			__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&race->rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(library, threads_return_what_others_rented)
{
	struct race race = { .pool = self->pool, .end = now_ms() + RACE_MS };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, exchange, &race));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	TH_LOG("%d rounds", race.rounds);
	EXPECT_EQ(0, race.failures);
	for (i = 0; i < SLOTS; i++)
		if (race.slots[i])
			EXPECT_EQ(0, bufpool_return(self->pool, race.slots[i], 0));
	EXPECT_EQ(0, held(self->fd));
}

/* One thread's part between two barriers. */
static void race_begin(struct race *race)
{
	memset(race->results, 0, sizeof(race->results));
	race->block = bufpool_rent(race->pool, 1, 0);
	race->over = now_ms() > race->end;
	race->rounds++;
}

static void *return_together(void *argument)
{
	struct race *race = argument;
	int ret, result;

	do {
		ret = pthread_barrier_wait(&race->barrier);
		if (ret == PTHREAD_BARRIER_SERIAL_THREAD)
			race_begin(race);
		pthread_barrier_wait(&race->barrier);
		ret = bufpool_return(race->pool, race->block, 0);
		result = ret == 0 ? 0 : ret == -ESTALE ? 1 : 2;
		__atomic_add_fetch(&race->results[result], 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&race->barrier);
		if (race->results[0] != 1 || race->results[1] != THREADS - 1)
			__atomic_store_n(&race->failures, 1, __ATOMIC_RELAXED);
	} while (!race->over);
	return NULL;
}

TEST_F(library, of_many_returns_at_once_one_succeeds)
{
	struct race race = { .pool = self->pool, .end = now_ms() + RACE_MS };
	pthread_t threads[THREADS];
	int i;

	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, THREADS));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, return_together,
					    &race));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	TH_LOG("%d rounds", race.rounds);
	EXPECT_EQ(0, race.failures);
	EXPECT_EQ(0, held(self->fd));
}

/* fork ------------------------------------------------------------------------ */

struct forked {
	struct bufpool *pool;
	char *block;
	size_t page;
};

static int child_is_refused(void *argument)
{
	struct forked *forked = argument;
	void *block = forked->block;
	struct bufpool *pool = forked->pool;
	uint64_t value;

	CHECK(rent_error(pool, 1, 0) == -ECHILD);
	CHECK(timed_error(pool, 1, 0, 1) == -ECHILD);
	CHECK(bufpool_rent_many(pool, 1, 0, &block, 1) == -ECHILD);
	CHECK(bufpool_return(pool, block, 0) == -ECHILD);
	CHECK(bufpool_return_many(pool, &block, 1, 0) == -ECHILD);
	CHECK(size_error(pool, block) == -ECHILD);
	CHECK(bufpool_handle(pool, block, &value) == -ECHILD);
	CHECK(bufpool_offset(pool, block, &value) == -ECHILD);
	CHECK(adopt_error(pool, 0, 0) == -ECHILD);
	CHECK(bufpool_fd(pool) == -ECHILD);
	return 0;
}

/* What is at the block's address in the child is the child's own. */
static int child_closes(void *argument)
{
	struct forked *forked = argument;
	char *own = mmap(forked->block, forked->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(own == forked->block);
	memset(own, 0x77, forked->page);
	CHECK(bufpool_close(forked->pool) == 0);
	CHECK(filled(own, 0x77, forked->page));
	return 0;
}

static int child_opens_its_own(void *argument)
{
	struct forked *forked = argument;
	struct bufpool *pool = bufpool_open(NULL, 0);
	char *block;

	CHECK(pool);
	block = bufpool_rent(pool, 1, 0);
	CHECK(block);
	*block = 1;
	CHECK(bufpool_close(forked->pool) == 0);
	CHECK(*block == 1);
	CHECK(bufpool_return(pool, block, 0) == 0);
	CHECK(bufpool_close(pool) == 0);
	return 0;
}

static int grandchild_is_refused(void *argument)
{
	return in_child(child_is_refused, argument);
}

FIXTURE(forked)
{
	struct forked forked;
	struct bufpool_stats before;
};

FIXTURE_SETUP(forked)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	char *block;

	ASSERT_NE(NULL, pool);
	block = bufpool_rent(pool, 1, 0);
	ASSERT_NE(NULL, block);
	*block = 0x5a;
	self->forked = (struct forked){
		.pool = pool,
		.block = block,
		.page = bufpool_block_size(pool, block),
	};
	ASSERT_EQ(0, pool_stats(bufpool_fd(pool), &self->before));
}

/* Whatever the child did, the parent has what it had. */
FIXTURE_TEARDOWN(forked)
{
	struct forked *forked = &self->forked;

	EXPECT_TRUE(unchanged(bufpool_fd(forked->pool), &self->before));
	EXPECT_EQ(0x5a, *forked->block);
	EXPECT_EQ(0, bufpool_return(forked->pool, forked->block, 0));
	EXPECT_EQ(0, bufpool_close(forked->pool));
}

TEST_F(forked, every_call_in_the_child_is_echild)
{
	EXPECT_EQ(0, in_child(child_is_refused, &self->forked));
	EXPECT_EQ(0, in_child(grandchild_is_refused, &self->forked));
}

TEST_F(forked, close_in_the_child_touches_nothing)
{
	EXPECT_EQ(0, in_child(child_closes, &self->forked));
}

TEST_F(forked, the_child_may_open_its_own)
{
	EXPECT_EQ(0, in_child(child_opens_its_own, &self->forked));
}

/* Little address space --------------------------------------------------------- */

/* Leave this process @bytes more than it has. */
static int leave_address_space(unsigned long bytes)
{
	rlim_t limit = status_kib("VmSize:") * 1024UL + bytes;
	struct rlimit rlimit = { limit, RLIM_INFINITY };

	return setrlimit(RLIMIT_AS, &rlimit);
}

TEST_F(library, open_takes_half_of_what_is_left)
{
	struct bufpool *pool;
	void *mine;

	ASSERT_EQ(0, leave_address_space(1 << 30));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	mine = mmap(NULL, 450 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	EXPECT_NE(MAP_FAILED, mine);
	EXPECT_EQ(0, rent_error(pool, 1, 0));
	EXPECT_EQ(0, rent_error(pool, self->info.max_rent, 0));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_F(library, open_without_address_space_is_enomem)
{
	int fd = next_fd();

	ASSERT_EQ(0, leave_address_space(16 << 20));
	EXPECT_EQ(-ENOMEM, open_error(NULL, 0));
	EXPECT_EQ(fd, next_fd());
}

/* Rent until that is refused; how. */
static int rent_all(struct bufpool *pool, size_t size)
{
	int ret;

	do {
		ret = rent_error(pool, size, BUFPOOL_RENT_NONBLOCK);
	} while (!ret);
	return ret;
}

TEST_F(library, a_block_beyond_the_address_space_is_enomem)
{
	size_t largest = self->info.page_size << (self->info.nr_classes - 1);
	size_t classes = self->info.nr_classes;
	struct bufpool *pool;
	struct bufpool_stats stats;
	void *blocks[64];
	int fd, count;

	/* Twice what a reach of two blocks needs, and not that of four. */
	ASSERT_EQ(0, leave_address_space((4 * classes + 4) * largest));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	fd = bufpool_fd(pool);
	EXPECT_EQ(-ENOMEM, rent_all(pool, self->info.max_rent));
	count = held(fd);
	EXPECT_GT(4, count);

	/* Of several, those within reach are kept. */
	ASSERT_EQ(0, bufpool_close(pool));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	fd = bufpool_fd(pool);
	EXPECT_EQ(count, bufpool_rent_many(pool, self->info.max_rent,
					   BUFPOOL_RENT_NONBLOCK, blocks, 5));
	ASSERT_EQ(0, pool_stats(fd, &stats));
	EXPECT_EQ(count, (int)stats.client_blocks);
	EXPECT_EQ(count * self->info.max_rent, stats.client_bytes);
	EXPECT_EQ(-ENOMEM, adopt_error(pool, NO_HANDLE,
				       self->info.span - self->info.page_size));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_HARNESS_MAIN
