// SPDX-License-Identifier: MIT
/*
 * libbufpool together with the device: its descriptor, ioctls and budgets.
 */
#include "library_test.h"
#include "seccomp.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

static int fdopen_error(int fd, unsigned int flags)
{
	errno = 0;
	return bufpool_fdopen(fd, flags) ? 0 : -errno;
}

FIXTURE(device)
{
	struct bufpool *pool;
	struct bufpool_info info;
	int fd;
};

FIXTURE_SETUP(device)
{
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->fd = bufpool_fd(self->pool);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(device)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

static void ignore(int signal)
{
	(void)signal;
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

/* The device is from now on as that of a kernel without BUFPOOL_IOC_CLASS. */
static int forbid_class(void)
{
	return forbid_call_with(__NR_ioctl, 1, BUFPOOL_IOC_CLASS, ENOTTY);
}

/* Rent a block of slabs of every size, and compare its place with what is to be. */
static unsigned int count_classes(struct bufpool *pool,
				  const struct bufpool_info *info)
{
	size_t size = info->page_size;
	unsigned int class;
	uint64_t offset;
	void *block;

	for (class = 0; class < slab_classes(info); class++, size *= 2) {
		block = bufpool_rent(pool, size, 0);
		if (!block || bufpool_block_size(pool, block) != size ||
		    bufpool_offset(pool, block, &offset) ||
		    offset / info->span != class || poke(block, 1) ||
		    bufpool_return(pool, block, 0))
			break;
	}
	return class;
}

TEST(a_kernel_that_does_not_describe_its_classes)
{
	struct bufpool_class_info class = { .size = sizeof(class) };
	struct bufpool_info info;
	int fd = pool_open();
	struct bufpool *pool;

	ASSERT_EQ(0, pool_info(fd, &info));
	ASSERT_EQ(0, ioctl(fd, BUFPOOL_IOC_CLASS, &class));
	ASSERT_EQ(0, forbid_class());
	ASSERT_EQ(-1, ioctl(fd, BUFPOOL_IOC_CLASS, &class));
	ASSERT_EQ(ENOTTY, errno);
	pool = bufpool_fdopen(fd, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(slab_classes(&info), count_classes(pool, &info));
	/* those of pages are not known then */
	EXPECT_EQ(-EINVAL, bufpool_poller_for(pool, 1, BUFPOOL_POLLER_IO));
	EXPECT_EQ(-EINVAL, rent_error(pool, 1, BUFPOOL_RENT_IO));
	EXPECT_EQ(0, bufpool_close(pool));
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

TEST_F(device, descriptor_is_closed_by_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(device, pools_are_clients_of_their_own)
{
	struct bufpool *other = bufpool_open("/dev/bufpool", 0);

	ASSERT_NE(NULL, other);
	EXPECT_TRUE(are_apart(self->pool, other));
	EXPECT_EQ(0, bufpool_close(other));
}

TEST_F(device, close_returns_blocks_though_the_client_lives)
{
	struct bufpool *shared = bufpool_fdopen(dup(self->fd), 0);
	void *blocks[300];

	ASSERT_NE(NULL, shared);
	ASSERT_EQ(300, bufpool_rent_many(shared, 1, 0, blocks, 300));
	ASSERT_NE(NULL, bufpool_rent(shared, large_block(&self->info), 0));
	EXPECT_EQ(301, held(self->pool));
	EXPECT_EQ(0, bufpool_close(shared));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(device, rent_over_the_ceiling_is_edquot)
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
	EXPECT_EQ(10, held(self->pool));
	EXPECT_EQ(10, bufpool_return_many(self->pool, blocks, 10, 0));
	EXPECT_EQ(0, rent_error(self->pool, 1, 0));
}

TEST_F(exhausted, nonblocking_descriptor_is_eagain)
{
	int fd = bufpool_fd(self->pool);

	ASSERT_EQ(0, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size, 0));
}

TEST_F(exhausted, signal_is_eintr)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval soon = {
		.it_value.tv_usec = 50000,
		.it_interval.tv_usec = 50000,
	};
	struct itimerval never = { 0 };
	int count = held(self->pool);

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_EQ(-EINTR, rent_error(self->pool, self->size, 0));
	EXPECT_EQ(-EINTR, timed_error(self->pool, self->size, 0, INT64_MAX));
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(count, held(self->pool));
}

/* Return @count blocks, of which one was returned behind the library's back. */
static int revoke_many(struct bufpool *pool, void **blocks, unsigned int count)
{
	return bufpool_return_many(pool, blocks, count, BUFPOOL_RETURN_REVOKE);
}

static void return_with_one_gone(struct __test_metadata *_metadata,
				 struct bufpool *pool, int count)
{
	int bad = count / 2, rest = count - bad - 1;
	void *blocks[1000];
	uint64_t handle;

	ASSERT_EQ(count, bufpool_rent_many(pool, 1, 0, blocks, count));
	ASSERT_EQ(0, bufpool_handle(pool, blocks[bad], &handle));
	ASSERT_EQ(0, give(bufpool_fd(pool), handle));
	if (bad)
		EXPECT_EQ(bad, revoke_many(pool, blocks, count));
	EXPECT_EQ(-ESTALE, revoke_many(pool, blocks + bad, rest + 1));
	EXPECT_EQ(rest, held(pool));
	if (rest)
		EXPECT_EQ(rest, revoke_many(pool, blocks + bad + 1, rest));
	EXPECT_EQ(0, held(pool));
}

TEST_F(device, return_stops_at_what_the_kernel_refuses)
{
	static const int counts[] = { 1, 256, 257, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		return_with_one_gone(_metadata, self->pool, counts[i]);
}

TEST_F(device, a_block_that_was_not_touched_is_gone_at_once)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	unsigned char byte;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(SIGBUS, peek(block, &byte));
}

/* Together with the ioctls --------------------------------------------------- */

TEST_F(device, handle_and_offset_are_the_kernels)
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
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block,
					  BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
}

TEST_F(device, a_block_rented_by_ioctl_is_adopted)
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
	EXPECT_EQ(1, held(self->pool));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, held(self->pool));
	EXPECT_EQ(-ESTALE, adopt_error(self->pool, got.handle, got.offset));
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
}

TEST_F(device, adopt_refuses_what_is_no_offset)
{
	__u64 end = self->info.nr_classes * self->info.span;
	struct bufpool_rent got;

	ASSERT_EQ(0, rent(self->fd, large_block(&self->info), &got));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, got.offset + 1));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle,
				       got.offset + self->info.page_size));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, end));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, ~0ULL));
	EXPECT_EQ(1, held(self->pool));
	EXPECT_EQ(0, give(self->fd, got.handle));
}

TEST_F(device, an_adopted_handle_that_is_none_is_enoent)
{
	struct bufpool_stats stats;
	unsigned char byte;
	void *block;

	/* another block's, and one of this block that was never given out */
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, NO_HANDLE, 0));
	block = bufpool_adopt(self->pool, ~0U, 0);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(SIGBUS, peek(block, &byte));
	EXPECT_EQ(-ENOENT, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	EXPECT_TRUE(untouched(self->pool, &stats));
}

TEST_F(device, a_later_rental_replaces_one_that_ended_elsewhere)
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
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(device, pools_of_one_client_pass_blocks)
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
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, here,
					  BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(0, bufpool_close(shared));
}

#define STACKS		128

/* How many of the client's first stacks a thread of this process has. */
static int owned_stacks(int fd, __u64 stacks_offset)
{
	char *stacks = map_at(fd, stacks_offset, STACKS * PAGE);
	int nr, owned = 0;

	if (stacks == MAP_FAILED)
		return -errno;
	for (nr = 0; nr < STACKS; nr++)
		owned += ((struct bufpool_stack *)(stacks + nr * PAGE))->owner == (__u32)getpid();
	munmap(stacks, STACKS * PAGE);
	return owned;
}

/* The stacks of a pool that is closed are for others of its client. */
TEST_F(device, a_closed_pool_leaves_its_stacks)
{
	int before = owned_stacks(self->fd, self->info.stacks_offset);
	struct bufpool *shared = bufpool_fdopen(dup(self->fd), 0);

	ASSERT_LE(0, before);
	ASSERT_NE(NULL, shared);
	EXPECT_EQ(0, bufpool_return(shared, bufpool_rent(shared, 1, 0), 0));
	EXPECT_LT(before, owned_stacks(self->fd, self->info.stacks_offset));
	EXPECT_EQ(0, bufpool_close(shared));
	EXPECT_EQ(before, owned_stacks(self->fd, self->info.stacks_offset));
}

/* Little address space --------------------------------------------------------- */

/* Leave this process @bytes more than it has. */
static int leave_address_space(unsigned long bytes)
{
	rlim_t limit = status_kib("VmSize:") * 1024UL + bytes;
	struct rlimit rlimit = { limit, RLIM_INFINITY };

	return setrlimit(RLIMIT_AS, &rlimit);
}

TEST_F(device, open_takes_half_of_what_is_left)
{
	struct bufpool *pool;
	void *mine;

	/* What is kept has a page for each stack. */
	ASSERT_EQ(0, leave_address_space(PAGE << 19));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	mine = mmap(NULL, (PAGE << 19) / 5 * 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	EXPECT_NE(MAP_FAILED, mine);
	EXPECT_EQ(0, rent_error(pool, 1, 0));
	EXPECT_EQ(0, rent_error(pool, large_block(&self->info), 0));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_F(device, open_without_address_space_is_enomem)
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

TEST_F(device, a_block_beyond_the_address_space_is_enomem)
{
	size_t largest = self->info.max_rent;
	size_t classes = slab_classes(&self->info);
	struct bufpool *pool;
	struct bufpool_stats stats;
	void *blocks[64];
	int count;

	if (5 * largest > self->info.limit)
		SKIP(return, "the pool has no room for so many of the largest blocks");
	/* Blocks are made anew, and so those with the lowest offsets are had. */
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	/* Twice what a reach of two blocks needs, and not that of four. */
	ASSERT_EQ(0, leave_address_space((4 * classes + 4) * largest));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(-ENOMEM, rent_all(pool, self->info.max_rent));
	count = held(pool);
	EXPECT_GT(4, count);

	/* Of several, those within reach are kept. */
	ASSERT_EQ(0, bufpool_close(pool));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(count, bufpool_rent_many(pool, self->info.max_rent,
					   BUFPOOL_RENT_NONBLOCK, blocks, 5));
	ASSERT_EQ(0, trimmed_stats(pool, &stats));
	EXPECT_EQ(count, (int)stats.client_blocks);
	EXPECT_EQ(count * self->info.max_rent, stats.client_bytes);
	EXPECT_EQ(-ENOMEM, adopt_error(pool, NO_HANDLE,
				       self->info.span - self->info.page_size));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Others ---------------------------------------------------------------------- */

static int wait_for_block(void *arg)
{
	int fd = open(POOL_DEVICE, O_RDWR | O_CLOEXEC);
	struct bufpool_rent block;

	CHECK(rent_with(fd, *(__u64 *)arg, 0, 0, &block) == 0);
	return 0;
}

static int rent_at_once(void *arg)
{
	int fd = open(POOL_DEVICE, O_RDWR | O_CLOEXEC);
	struct bufpool_rent block;

	CHECK(rent(fd, *(__u64 *)arg, &block) == 0);
	return 0;
}

/* All of a small pool, but for two blocks that are kept here, is in use. */
TEST(other_processes_get_what_an_idle_one_keeps)
{
	/* the largest that is kept */
	__u64 size = 1 * MIB;
	struct bufpool *pool;
	void *blocks[16];
	int count;

	ASSERT_EQ(0, limit_write(SMALL_LIMIT));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	count = bufpool_rent_many(pool, size, BUFPOOL_RENT_NONBLOCK, blocks, 16);
	ASSERT_LT(3, count);
	ASSERT_EQ(0, bufpool_return(pool, blocks[0], 0));
	EXPECT_EQ(0, in_child(wait_for_block, &size));
	EXPECT_EQ(0, in_child(rent_at_once, &size));
	EXPECT_EQ(-ESTALE, bufpool_return(pool, blocks[0], 0));
	EXPECT_EQ(0, bufpool_return(pool, blocks[1], 0));
	EXPECT_EQ(0, in_child(rent_at_once, &size));
	EXPECT_EQ(0, bufpool_close(pool));
	limit_restore();
}

#define SLEEPERS	8

/* Use the pool, and sleep between two barriers. */
static void *use_and_sleep(void *argument)
{
	struct idler *idler = argument;
	void *blocks[16];
	int i;

	for (i = 0; i < 16; i++)
		blocks[i] = bufpool_rent(idler->pool, idler->size, 0);
	for (i = 0; i < 16; i++)
		if (bufpool_return(idler->pool, blocks[i], 0))
			return argument;
	pthread_barrier_wait(&idler->barrier);
	pthread_barrier_wait(&idler->barrier);
	return NULL;
}

FIXTURE(sleepers)
{
	struct idler idler;
	pthread_t threads[SLEEPERS];
};

/* Nothing goes by itself, unless the test says so. */
FIXTURE_SETUP(sleepers)
{
	int i;

	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	self->idler.size = 4 * PAGE;
	self->idler.pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->idler.pool);
	ASSERT_EQ(0, pthread_barrier_init(&self->idler.barrier, NULL, SLEEPERS + 1));
	for (i = 0; i < SLEEPERS; i++)
		ASSERT_EQ(0, pthread_create(&self->threads[i], NULL, use_and_sleep,
					    &self->idler));
	pthread_barrier_wait(&self->idler.barrier);
	ASSERT_LE(SLEEPERS * 16, rented_of(self->idler.pool));
}

FIXTURE_TEARDOWN(sleepers)
{
	void *failed;
	int i;

	pthread_barrier_wait(&self->idler.barrier);
	for (i = 0; i < SLEEPERS; i++) {
		ASSERT_EQ(0, pthread_join(self->threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
	EXPECT_EQ(0, bufpool_close(self->idler.pool));
	parameters_restore();
}

TEST_F(sleepers, what_they_keep_goes_with_time)
{
	ASSERT_EQ(0, parameter_write("trim_ms", 200));
	EXPECT_TRUE(BECOMES(!rented_of(self->idler.pool)));
}

TEST_F(sleepers, what_they_keep_goes_by_roots_trim)
{
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_EQ(0, rented_of(self->idler.pool));
}

/* I/O ---------------------------------------------------------------------------- */

/* How much the kernel copies out of a block by a reference of its own; or -errno */
static ssize_t copied(void *block, size_t size)
{
	struct iovec from = { block, size }, to = { malloc(size), size };
	ssize_t ret = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	ret = ret < 0 ? -errno : ret;
	if (ret > 0 && memcmp(to.iov_base, block, ret))
		ret = -EIO;
	free(to.iov_base);
	return ret;
}

TEST_F(library, the_kernels_io_takes_blocks_for_it)
{
	size_t size;
	void *block;

	for (size = PAGE; size <= 4 * MIB; size *= 4) {
		block = bufpool_rent(self->pool, size, BUFPOOL_RENT_IO);
		ASSERT_NE(NULL, block);
		memset(block, 0x5a, size);
		EXPECT_EQ(size, copied(block, size));
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	block = bufpool_rent(self->pool, PAGE, 0);
	ASSERT_NE(NULL, block);
	memset(block, 0x5a, PAGE);
	EXPECT_EQ(-EFAULT, copied(block, PAGE));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
}

/* A pipe has a reference to it, as a socket has after MSG_ZEROCOPY. */
TEST_F(library, a_block_is_returned_while_the_kernel_reads_it)
{
	char *block = bufpool_rent(self->pool, PAGE, BUFPOOL_RENT_IO), read_back[16], *others[64];
	struct iovec sent = { block, 16 };
	int fds[2], i;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	memset(block, 'x', PAGE);
	ASSERT_EQ(16, vmsplice(fds[1], &sent, 1, 0));
	ASSERT_EQ(0, bufpool_return(self->pool, block, BUFPOOL_RETURN_REVOKE));
	/* nobody else gets the memory, not even this program */
	for (i = 0; i < 64; i++) {
		others[i] = bufpool_rent(self->pool, PAGE, BUFPOOL_RENT_IO);
		ASSERT_NE(NULL, others[i]);
		EXPECT_NE(block, others[i]);
		memset(others[i], 'y', PAGE);
	}
	ASSERT_EQ(16, read(fds[0], read_back, 16));
	EXPECT_TRUE(filled(read_back, 'x', 16));
	EXPECT_EQ(64, bufpool_return_many(self->pool, (void **)others, 64, 0));
	close(fds[0]);
	close(fds[1]);
}

/* dma-bufs ----------------------------------------------------------------------- */

/* What is written there is in the dma-buf, and nobody has the memory before its end. */
TEST_F(library, a_dmabuf_has_the_memory)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };
	unsigned int flags[2] = { 0, BUFPOOL_RENT_IO };
	char *block, *at;
	int i, fd;

	for (i = 0; i < 2; i++) {
		block = bufpool_rent(self->pool, 4 * PAGE, flags[i]);
		ASSERT_NE(NULL, block);
		memset(block, 0x5a, 4 * PAGE);
		fd = bufpool_export(self->pool, block);
		if (fd == -EOPNOTSUPP || fd == -ENOTTY)
			SKIP(return, "the kernel has no dma-bufs");
		ASSERT_LE(0, fd);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		at = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, at);
		EXPECT_TRUE(filled(at, 0x5a, 4 * PAGE));
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_EQ(0, bufpool_stats(self->pool, &stats));
		EXPECT_LE(4 * PAGE, stats.quarantined);
		EXPECT_LE(4 * PAGE, stats.user_quarantined);
		EXPECT_TRUE(filled(at, 0x5a, 4 * PAGE));
		ASSERT_EQ(0, munmap(at, 4 * PAGE));
		ASSERT_EQ(0, close(fd));
	}
	EXPECT_EQ(0, held(self->pool));
}

TEST_HARNESS_MAIN
