// SPDX-License-Identifier: MIT
/*
 * libbufpool's private pools: how they are chosen, and what the device does for
 * other programs and they do for themselves.
 */
#include "library_test.h"

#include <sys/resource.h>

#define SMALL	1

/* This program is about nothing else: before it asks for a device. */
static void __attribute__((constructor(101))) choose_private(void)
{
	setenv("BUFPOOL_PROVIDER", "private", 1);
}

static int open_in(const char *name, const char *value)
{
	struct bufpool *pool;

	setenv(name, value, 1);
	errno = 0;
	pool = bufpool_open(NULL, 0);
	if (!pool)
		return -errno;
	return bufpool_close(pool);
}

static __u64 limit_in(const char *text)
{
	struct bufpool_info info = { 0 };
	struct bufpool *pool;

	setenv("BUFPOOL_PRIVATE_LIMIT", text, 1);
	errno = 0;
	pool = bufpool_open(NULL, 0);
	if (!pool)
		return -errno;
	info_of(pool, &info);
	bufpool_close(pool);
	return info.limit;
}

/* What the only pool of this process has of the system's memory; or -1. */
static long memory_kib(void)
{
	char path[32], name[64] = "";
	struct stat file;
	int fd;

	for (fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof(name) - 1) > 0 &&
		    strstr(name, "memfd:bufpool"))
			return stat(path, &file) ? -1 : (long)file.st_blocks / 2;
	}
	return -1;
}

static __u64 warm_bytes(struct bufpool *pool)
{
	struct bufpool_stats stats;

	return trimmed_stats(pool, &stats) ? ~0ULL : stats.warm;
}

/* Which block of its class, as its handle says. */
static unsigned int index_of(struct bufpool *pool, const void *block)
{
	__u64 handle = 0;

	bufpool_handle(pool, block, &handle);
	return handle >> 32 & ((1U << 27) - 1);
}

static int return_handle(struct bufpool *pool, __u64 handle)
{
	return pool->provider.ops->return_many(&pool->provider, &handle, 1, 0);
}

static __u64 trim_all(struct bufpool *pool, __u64 min_size)
{
	__u64 trimmed = 0;

	if (bufpool_trim(pool, min_size, &trimmed))
		return ~0ULL;
	return trimmed;
}

/* Being chosen ----------------------------------------------------------------- */

TEST(the_flag_chooses)
{
	struct bufpool *pool;

	unsetenv("BUFPOOL_PROVIDER");
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(-ENOTTY, bufpool_fd(pool));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST(the_flag_is_for_open_without_a_device)
{
	EXPECT_EQ(-EINVAL, open_error("/dev/bufpool", BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(-EINVAL, open_error("", BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(NULL, bufpool_fdopen(0, BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
}

TEST(the_environment_chooses)
{
	struct bufpool *pool;

	EXPECT_EQ(0, open_in("BUFPOOL_PROVIDER", "private"));
	EXPECT_EQ(-EINVAL, open_in("BUFPOOL_PROVIDER", "Private"));
	EXPECT_EQ(-EINVAL, open_in("BUFPOOL_PROVIDER", ""));
	/* What the program says goes first. */
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_EQ(-ENOTTY, open_error("/dev/null", 0));
}

TEST(the_limit_is_an_eighth_of_the_memory)
{
	__u64 memory = (__u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	struct bufpool *pool = bufpool_open(NULL, 0);
	struct bufpool_info info;

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, info_of(pool, &info));
	EXPECT_GE(memory / 8, info.limit);
	EXPECT_LT(memory / 9, info.limit);
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST(the_environment_limits)
{
	static const char *const bad[] = {
		"", "0", "1", "M", "-1", " 1M", "1MB", "1m", "1.5M", "1T",
		"99999999999999999999", "99999999999999G",
	};
	size_t i;

	EXPECT_EQ(65536, limit_in("65536"));
	EXPECT_EQ(512 * KIB, limit_in("512K"));
	EXPECT_EQ(MIB, limit_in("1M"));
	EXPECT_EQ(3 * 1024 * MIB, limit_in("3G"));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ((__u64)-EINVAL, limit_in(bad[i]));
}

TEST(pools_do_not_share_the_limit)
{
	struct bufpool *a, *b;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "4M", 1));
	a = bufpool_open(NULL, 0);
	b = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	EXPECT_EQ(0, rent_error(a, 4 * MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, rent_error(b, 4 * MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_error(b, SMALL, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, bufpool_close(a));
	EXPECT_EQ(0, bufpool_close(b));
}

/* Blocks, in a pool of 16 MiB --------------------------------------------------- */

FIXTURE(private)
{
	struct bufpool *pool;
	size_t page;
};

FIXTURE_SETUP(private)
{
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", SMALL_LIMIT_TEXT, 1));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->page = sysconf(_SC_PAGESIZE);
}

FIXTURE_TEARDOWN(private)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

TEST_F(private, more_than_the_limit_is_edquot)
{
	struct bufpool *pool;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "1M", 1));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	EXPECT_EQ(-EDQUOT, rent_error(pool, MIB + 1, 0));
	EXPECT_EQ(0, rent_error(pool, MIB, 0));
	EXPECT_EQ(-EDQUOT, rent_error(pool, MIB + 1, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_F(private, handles_are_told_apart)
{
	void *block = bufpool_rent(self->pool, 4 * self->page, 0);
	void *second = bufpool_rent(self->pool, 4 * self->page, 0);
	__u64 first_handle, handle, offset;

	ASSERT_NE(NULL, second);
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &first_handle));
	ASSERT_EQ(0, bufpool_handle(self->pool, second, &handle));
	ASSERT_EQ(0, bufpool_offset(self->pool, second, &offset));
	EXPECT_EQ(2U << 27, first_handle >> 32);
	EXPECT_EQ((2U << 27) + 1, handle >> 32);
	EXPECT_EQ(self->pool->classes.of[2].offset + 4 * self->page, offset);

	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle + 1));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle & ~0U << 31 << 1));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle + (1000ULL << 32)));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, handle + (1ULL << 59)));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, NO_HANDLE));
	EXPECT_EQ(-ENOENT, return_handle(self->pool, 0));
	EXPECT_EQ(1, return_handle(self->pool, first_handle));
	EXPECT_EQ(-ESTALE, return_handle(self->pool, first_handle));
	EXPECT_EQ(1, return_handle(self->pool, handle));
	EXPECT_EQ(-ESTALE, return_handle(self->pool, handle));
}

TEST_F(private, block_never_rented_is_not_there)
{
	char *block = bufpool_rent(self->pool, self->page, 0);
	unsigned char byte;

	ASSERT_NE(NULL, block);
	EXPECT_EQ(0, poke(block, 1));
	EXPECT_EQ(SIGSEGV, peek(block + 1000 * self->page, &byte));
	EXPECT_EQ(SIGSEGV, poke(block + 1000 * self->page, 1));
	EXPECT_EQ(SIGSEGV, peek(self->pool->window.base +
				self->pool->classes.span, &byte));
}

TEST_F(private, a_revoked_block_is_gone_and_comes_back_zero)
{
	static const unsigned int flags[] = {
		BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE,
	};
	size_t i, size;
	char *block, *again;
	unsigned char byte;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		for (size = self->page; size <= 4 * MIB; size *= 2) {
			block = bufpool_rent(self->pool, size, 0);
			ASSERT_NE(NULL, block);
			memset(block, 0x5a, size);
			ASSERT_EQ(0, bufpool_return(self->pool, block, flags[i]));
			EXPECT_EQ(SIGSEGV, peek(block, &byte));
			EXPECT_EQ(SIGSEGV, poke(block + size - 1, 1));
			/* or another one that is kept would come */
			ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
			again = bufpool_rent(self->pool, size, 0);
			ASSERT_EQ(block, again);
			EXPECT_TRUE(filled(again, 0, size));
			ASSERT_EQ(0, bufpool_return(self->pool, again, flags[i]));
		}
	}
}

TEST_F(private, a_warm_block_has_its_bytes_unless_zero_is_asked_for)
{
	char *block = bufpool_rent(self->pool, MIB, 0);

	ASSERT_NE(NULL, block);
	memset(block, 0x5a, MIB);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(block, bufpool_rent(self->pool, MIB, 0));
	EXPECT_TRUE(filled(block, 0x5a, MIB));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(block, bufpool_rent(self->pool, MIB, BUFPOOL_RENT_ZERO));
	EXPECT_TRUE(filled(block, 0, MIB));
}

TEST_F(private, the_largest_are_not_kept)
{
	char *block = bufpool_rent(self->pool, 2 * MIB, 0);

	ASSERT_NE(NULL, block);
	memset(block, 0x5a, 2 * MIB);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, warm_bytes(self->pool));
	ASSERT_EQ(block, bufpool_rent(self->pool, 2 * MIB, 0));
	EXPECT_TRUE(filled(block, 0, 2 * MIB));
}

/* Counted across the caches that threads may have above this. */
static int indices_below(struct bufpool *pool, unsigned int end, int count)
{
	int below = 0;
	void *block;

	while (count--) {
		block = bufpool_rent(pool, 4 * MIB, BUFPOOL_RENT_NONBLOCK);
		below += block && index_of(pool, block) < end;
	}
	return below;
}

TEST_F(private, the_lowest_number_goes_first)
{
	void *blocks[4];

	ASSERT_EQ(4, bufpool_rent_many(self->pool, 4 * MIB, 0, blocks, 4));
	EXPECT_EQ(3, index_of(self->pool, blocks[3]));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[2], 0));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[1], 0));
	EXPECT_EQ(2, indices_below(self->pool, 2, 2));
	EXPECT_EQ(1, indices_below(self->pool, 3, 1));
}

TEST_F(private, up_to_two_larger_sizes_serve)
{
	void *large, *block;

	large = bufpool_rent(self->pool, 4 * self->page, 0);
	ASSERT_NE(NULL, large);
	while (bufpool_rent(self->pool, self->page, BUFPOOL_RENT_NONBLOCK))
		;
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, bufpool_return(self->pool, large, 0));
	block = bufpool_rent(self->pool, self->page, BUFPOOL_RENT_NONBLOCK);
	EXPECT_EQ(large, block);
	EXPECT_EQ(4 * self->page, bufpool_block_size(self->pool, block));
}

TEST_F(private, warm_blocks_give_way)
{
	struct bufpool_stats stats;
	void *blocks[64];
	int i;

	for (i = 0; i < 64; i++) {
		blocks[i] = bufpool_rent(self->pool, 16 * self->page, 0);
		ASSERT_NE(NULL, blocks[i]);
	}
	EXPECT_EQ(64, bufpool_return_many(self->pool, blocks, 64, 0));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, rent_error(self->pool, 4 * MIB,
					BUFPOOL_RENT_NONBLOCK));
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(0, stats.warm);
	EXPECT_EQ(SMALL_LIMIT, stats.in_use);
	EXPECT_EQ(SMALL_LIMIT, stats.pinned);
	EXPECT_LT(0, stats.steals);
}

TEST_F(private, open_beyond_the_largest_file_is_efbig)
{
	struct rlimit limit = { 64 * MIB, RLIM_INFINITY };
	int fd = next_fd();

	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(-EFBIG, open_error(NULL, 0));
	EXPECT_EQ(fd, next_fd());
}

/* Memory ------------------------------------------------------------------------ */

TEST_F(private, idle_memory_beyond_a_bound_goes_back)
{
	void *blocks[12];
	int i;

	ASSERT_EQ(12, bufpool_rent_many(self->pool, MIB, 0, blocks, 12));
	for (i = 0; i < 12; i++)
		memset(blocks[i], 1, MIB);
	EXPECT_EQ(12 * 1024, memory_kib());
	ASSERT_EQ(12, bufpool_return_many(self->pool, blocks, 12, 0));
	EXPECT_GE(SMALL_LIMIT / 4, warm_bytes(self->pool));
	EXPECT_GE((long)(SMALL_LIMIT / 4 / KIB), memory_kib());
}

TEST_F(private, trim_gives_all_of_it_back)
{
	void *blocks[32];
	int i;

	ASSERT_EQ(32, bufpool_rent_many(self->pool, 16 * self->page, 0, blocks,
					32));
	for (i = 0; i < 32; i++)
		memset(blocks[i], 1, 16 * self->page);
	ASSERT_EQ(32, bufpool_return_many(self->pool, blocks, 32, 0));
	EXPECT_EQ(0, trim_all(self->pool, 16 * self->page + 1));
	EXPECT_EQ(32 * 16 * self->page, trim_all(self->pool, 16 * self->page));
	EXPECT_EQ(0, trim_all(self->pool, 0));
	EXPECT_EQ(0, warm_bytes(self->pool));
	EXPECT_EQ(0, memory_kib());
	EXPECT_EQ(SIGSEGV, touch(blocks[0]));
}

/* Being cancelled ----------------------------------------------------------------- */

struct doomed {
	struct bufpool *pool;
	void *block;
	int result;
	bool survived;
};

/* This thread has been cancelled already. */
static void *return_doomed(void *argument)
{
	struct doomed *doomed = argument;

	pthread_cancel(pthread_self());
	doomed->result = bufpool_return(doomed->pool, doomed->block,
					BUFPOOL_RETURN_REVOKE);
	doomed->survived = true;
	pthread_testcancel();
	return NULL;
}

static void *close_doomed(void *argument)
{
	struct doomed *doomed = argument;

	pthread_cancel(pthread_self());
	doomed->result = bufpool_close(doomed->pool);
	doomed->survived = true;
	pthread_testcancel();
	return NULL;
}

/* Whether it got through its call, and was cancelled only then. */
static bool outlives(void *(*body)(void *), struct doomed *doomed)
{
	pthread_t thread;
	void *result;

	return !pthread_create(&thread, NULL, body, doomed) &&
	       !pthread_join(thread, &result) && doomed->survived &&
	       !doomed->result && result == PTHREAD_CANCELED;
}

TEST_F(private, a_return_is_not_cancelled)
{
	struct doomed doomed = { .pool = self->pool };

	doomed.block = bufpool_rent(self->pool, SMALL, 0);
	ASSERT_NE(NULL, doomed.block);
	ASSERT_TRUE(outlives(return_doomed, &doomed));
	EXPECT_EQ(0, held(self->pool));
}

TEST(close_is_not_cancelled)
{
	struct doomed doomed = { .pool = bufpool_open(NULL, 0) };

	ASSERT_NE(NULL, doomed.pool);
	EXPECT_TRUE(outlives(close_doomed, &doomed));
	EXPECT_EQ(-1, memory_kib());
}

/* Waiting ------------------------------------------------------------------------- */

#define WAITERS	4

struct turn {
	struct bufpool *pool;
	size_t size;
	int64_t timeout_ns;
	unsigned int *order;	/* in which waiters were served */
	unsigned int mine;	/* which was this one; 0 is none */
	int error;
	void *block;
	pthread_t thread;
};

static void *wait_turn(void *argument)
{
	struct turn *turn = argument;

	turn->block = bufpool_rent_timed(turn->pool, turn->size, 0,
					 turn->timeout_ns);
	if (turn->block)
		turn->mine = __atomic_add_fetch(turn->order, 1, __ATOMIC_ACQ_REL);
	else
		turn->error = errno;
	return NULL;
}

static void *do_nothing(void *argument)
{
	return argument;
}

/* Much longer than a thread takes to come to its wait, however slow that is now. */
static int64_t patient_ns(void)
{
	__u64 start = now_ms();

	in_thread(do_nothing, NULL);
	return (now_ms() - start + 10) * 20 * NSEC_PER_MSEC;
}

static bool waiting_is(struct bufpool *pool, unsigned int count)
{
	return __atomic_load_n(&pool->provider.status->waiting,
			       __ATOMIC_RELAXED) == count;
}

static bool waiting_becomes(struct bufpool *pool, unsigned int count)
{
	return BECOMES(waiting_is(pool, count));
}

/* The thread waits when this returns, behind those that do already. */
static bool start_waiting(struct turn *turn, unsigned int count)
{
	return !pthread_create(&turn->thread, NULL, wait_turn, turn) &&
	       waiting_becomes(turn->pool, count);
}

/* Where the status says who waits for blocks of @size */
static unsigned int waiting_of(struct bufpool *pool, size_t size)
{
	unsigned int nr = bufpool_classes_for(&pool->classes, size);

	return __atomic_load_n(&pool->provider.status->waiting_of[nr], __ATOMIC_RELAXED);
}

/* A block of the next two sizes is as good. */
TEST_F(exhausted, status_tells_for_which_size)
{
	struct turn turn = { .pool = self->pool, .size = 2 * PAGE };
	unsigned int order = 0;

	turn.order = &order;
	ASSERT_TRUE(start_waiting(&turn, 1));
	EXPECT_EQ(0, waiting_of(self->pool, PAGE));
	EXPECT_EQ(1, waiting_of(self->pool, 2 * PAGE));
	EXPECT_EQ(1, waiting_of(self->pool, 4 * PAGE));
	EXPECT_EQ(1, waiting_of(self->pool, 8 * PAGE));
	EXPECT_EQ(0, waiting_of(self->pool, 16 * PAGE));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(turn.thread, NULL));
	EXPECT_EQ(0, waiting_of(self->pool, 2 * PAGE));
	EXPECT_EQ(0, waiting_of(self->pool, 8 * PAGE));
}

TEST_F(exhausted, waiters_are_served_in_order)
{
	struct turn turns[WAITERS];
	unsigned int order = 0, i;
	void *block = self->block;

	for (i = 0; i < WAITERS; i++) {
		turns[i] = (struct turn){
			.pool = self->pool, .size = self->size, .order = &order,
		};
		ASSERT_TRUE(start_waiting(&turns[i], i + 1));
	}
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, SMALL, BUFPOOL_RENT_NONBLOCK));
	for (i = 0; i < WAITERS; i++) {
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		ASSERT_EQ(0, pthread_join(turns[i].thread, NULL));
		EXPECT_EQ(i + 1, turns[i].mine);
		EXPECT_TRUE(waiting_becomes(self->pool, WAITERS - 1 - i));
		block = turns[i].block;
		ASSERT_NE(NULL, block);
	}
}

TEST_F(exhausted, timed_out_waiter_leaves_no_hole)
{
	struct turn first = {
		.pool = self->pool, .size = self->size,
		.timeout_ns = patient_ns(),
	};
	struct turn second = { .pool = self->pool, .size = self->size };
	unsigned int order = 0;

	first.order = &order;
	second.order = &order;
	ASSERT_TRUE(start_waiting(&first, 1));
	ASSERT_EQ(0, pthread_create(&second.thread, NULL, wait_turn, &second));
	ASSERT_EQ(0, pthread_join(first.thread, NULL));
	EXPECT_EQ(ETIMEDOUT, first.error);
	ASSERT_TRUE(waiting_becomes(self->pool, 1));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(second.thread, NULL));
	EXPECT_EQ(1, second.mine);
}

/* Room for a small block is there, but not before the large waiter gives up. */
TEST_F(exhausted, timed_out_waiter_lets_the_next_one_go_on)
{
	struct turn large = {
		.pool = self->pool, .size = self->size,
		.timeout_ns = patient_ns(),
	};
	struct turn small = { .pool = self->pool, .size = SMALL };
	unsigned int order = 0;
	void *half;

	large.order = &order;
	small.order = &order;
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	half = bufpool_rent(self->pool, self->size / 2, BUFPOOL_RENT_NONBLOCK);
	ASSERT_NE(NULL, half);
	ASSERT_TRUE(start_waiting(&large, 1));
	ASSERT_EQ(0, pthread_create(&small.thread, NULL, wait_turn, &small));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
	EXPECT_EQ(ETIMEDOUT, large.error);
	ASSERT_EQ(0, pthread_join(small.thread, NULL));
	EXPECT_EQ(0, small.error);
	EXPECT_NE(NULL, small.block);
}

TEST_F(exhausted, a_waiter_is_not_cancelled)
{
	struct turn turn = { .pool = self->pool, .size = self->size };
	unsigned int order = 0;

	turn.order = &order;
	ASSERT_TRUE(start_waiting(&turn, 1));
	ASSERT_EQ(0, pthread_cancel(turn.thread));
	sleep_ms(20);
	EXPECT_TRUE(waiting_becomes(self->pool, 1));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, pthread_join(turn.thread, NULL));
	EXPECT_EQ(1, turn.mine);
}

/*
 * Small blocks come back one by one, and each time a waiter wants just that
 * size; a large one needs the room of four.
 */
TEST_F(private, a_large_block_comes_among_small_ones)
{
	unsigned int order = 0, last = 0, i;
	struct turn large = {
		.pool = self->pool, .size = 4 * MIB, .order = &order,
	};
	struct turn small[100];
	void *blocks[16];

	ASSERT_EQ(16, bufpool_rent_many(self->pool, MIB, 0, blocks, 16));
	ASSERT_TRUE(start_waiting(&large, 1));
	for (i = 0; i < 100; i++) {
		last = i;
		small[i] = (struct turn){
			.pool = self->pool, .size = MIB, .order = &order,
		};
		ASSERT_TRUE(start_waiting(&small[i], 2));
		ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
		if (!waiting_is(self->pool, 1))
			break;
		ASSERT_EQ(0, pthread_join(small[i].thread, NULL));
		blocks[0] = small[i].block;
	}
	ASSERT_GT(99, last);
	EXPECT_LT(0, last);
	EXPECT_EQ(3, bufpool_return_many(self->pool, blocks + 1, 3, 0));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
	EXPECT_EQ(last + 1, large.mine);
	EXPECT_EQ(0, bufpool_return(self->pool, blocks[4], 0));
	ASSERT_EQ(0, pthread_join(small[last].thread, NULL));
	EXPECT_EQ(last + 2, small[last].mine);
}

#define PAIRS	10000

/* Blocks of another size stay with the threads that use them; without a call. */
TEST_F(private, a_large_waiter_takes_nothing_in_vain)
{
	unsigned int order = 0, i;
	struct turn large = {
		.pool = self->pool, .size = 4 * MIB, .order = &order,
	};
	struct bufpool_stats before, after;
	void *blocks[13], *block = bufpool_rent(self->pool, SMALL, 0);

	ASSERT_EQ(13, bufpool_rent_many(self->pool, MIB, 0, blocks, 13));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_TRUE(start_waiting(&large, 1));
	ASSERT_EQ(0, bufpool_stats(self->pool, &before));
	for (i = 0; i < PAIRS; i++) {
		if (i % (PAIRS / 10) == 0)
			sleep_ms(20);
		block = bufpool_rent(self->pool, SMALL, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	ASSERT_EQ(0, bufpool_stats(self->pool, &after));
	EXPECT_EQ(before.client_rents, after.client_rents);
	EXPECT_EQ(before.client_returns, after.client_returns);
	/* What it gets is what makes room: these are kept first, of a size like any other. */
	EXPECT_EQ(2, bufpool_return_many(self->pool, blocks, 2, 0));
	ASSERT_EQ(0, pthread_join(large.thread, NULL));
	EXPECT_NE(NULL, large.block);
}

TEST_HARNESS_MAIN
