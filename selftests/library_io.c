// SPDX-License-Identifier: MIT
/*
 * libbufpool: blocks for the kernel's I/O, and blocks as dma-bufs.
 */
#include "library_test.h"

#include <poll.h>

#define IO		BUFPOOL_RENT_IO
#define HUGE		(2 * MIB)
#define PAIRS		1000

/* Bytes in the largest block that is kept at all */
#define KEPT_BLOCK_MOST	MIB

FIXTURE(io)
{
	struct bufpool *pool;
	struct bufpool_info info;
	__u64 largest;		/* of which a test may have one */
};

FIXTURE_SETUP(io)
{
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(0, info_of(self->pool, &self->info));
	if (!self->info.max_rent_io)
		SKIP_FIXTURE("there are no blocks for I/O");
	self->largest = self->info.max_rent_io;
	while (self->largest > self->info.limit / 2)
		self->largest /= 2;
}

FIXTURE_TEARDOWN(io)
{
	if (self->pool)
		EXPECT_EQ(0, bufpool_close(self->pool));
}

static __u64 rents_of(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return bufpool_stats(pool, &stats) ? ~0ULL : stats.client_rents;
}

static __u64 kept_of(struct bufpool *pool)
{
	struct bufpool_counters counters = { .size = sizeof(counters) };

	return bufpool_counters(pool, &counters) ? ~0ULL : counters.kept_blocks;
}

/* The class that a block's handle names; its backing is that of no class on an error. */
static struct bufpool_class_info class_of(struct bufpool *pool, const void *block)
{
	struct bufpool_class_info class = { .size = sizeof(class), .backing = ~0U };
	uint64_t handle;

	if (!bufpool_handle(pool, block, &handle))
		bufpool_class(pool, bufpool_handle_class(handle), &class);
	return class;
}

/* Whether addresses and offsets begin huge pages together. */
static bool is_huge_in_step(struct bufpool *pool, const void *block)
{
	uint64_t offset;

	return !bufpool_offset(pool, block, &offset) &&
	       (uintptr_t)block % HUGE == offset % HUGE;
}

/* Renting ------------------------------------------------------------------------ */

TEST_F(io, blocks_are_large_enough_aligned_and_zero)
{
	size_t size, asked;
	char *block;
	int less;

	for (size = PAGE; size <= self->largest; size *= 2) {
		for (less = 0; less < 2; less++) {
			asked = size - less;
			block = bufpool_rent(self->pool, asked, IO | BUFPOOL_RENT_ZERO);
			ASSERT_NE(NULL, block) {
				TH_LOG("%zu bytes: errno %d", asked, errno);
			}
			EXPECT_EQ(size, bufpool_block_size(self->pool, block));
			EXPECT_EQ(0, (uintptr_t)block % size);
			if (size >= HUGE)
				EXPECT_TRUE(is_huge_in_step(self->pool, block));
			EXPECT_EQ(BUFPOOL_BACKING_PAGES,
				  class_of(self->pool, block).backing);
			EXPECT_TRUE(filled(block, 0, size));
			memset(block, 0xa5, size);
			EXPECT_EQ(block, bufpool_block_of(self->pool, block + size - 1, NULL));
			EXPECT_EQ(-EINVAL, block_error(self->pool, block + 1));
			EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
			EXPECT_EQ(-ESTALE, block_error(self->pool, block));
		}
	}
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(io, refusals)
{
	size_t more = self->info.max_rent_io + 1;
	void *block = self;

	EXPECT_EQ(-EINVAL, rent_error(self->pool, 0, IO));
	EXPECT_EQ(-EMSGSIZE, rent_error(self->pool, more, IO));
	EXPECT_EQ(-EMSGSIZE, rent_error(self->pool, SIZE_MAX, IO));
	EXPECT_EQ(-EINVAL, rent_error(self->pool, 1, IO | BAD_FLAG));
	EXPECT_EQ(-EINVAL, rent_error(self->pool, 1, IO | BUFPOOL_RENT_ALL));
	EXPECT_EQ(-EINVAL, rent_error(NULL, 1, IO));
	EXPECT_EQ(-EINVAL, timed_error(self->pool, 0, IO, 0));
	EXPECT_EQ(-EMSGSIZE, timed_error(self->pool, more, IO, 0));
	EXPECT_EQ(-EINVAL, timed_error(self->pool, 1, IO, BUFPOOL_FOREVER - 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 0, IO, &block, 1));
	EXPECT_EQ(-EMSGSIZE, bufpool_rent_many(self->pool, more, IO, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 1, IO, &block, 0));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 1, IO, NULL, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 1, IO | BAD_FLAG, &block, 1));
	EXPECT_EQ((void *)self, block);
	EXPECT_EQ(0, held(self->pool));
}

/* After one of them was rented, too; and also where a size is nearly another */
TEST_F(io, the_others_stay_as_large_as_they_are)
{
	void *block = bufpool_rent(self->pool, PAGE, IO);
	unsigned int bit;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-EMSGSIZE, rent_error(self->pool, self->info.max_rent + 1, 0));
	EXPECT_EQ(-EINVAL, rent_error(self->pool, 0, 0));
	for (bit = 30; bit < 8 * sizeof(size_t); bit++) {
		EXPECT_EQ(-EMSGSIZE, rent_error(self->pool, PAGE | (size_t)1 << bit, 0));
		EXPECT_EQ(-EMSGSIZE, rent_error(self->pool, PAGE | (size_t)1 << bit, IO));
	}
	EXPECT_EQ(-EMSGSIZE, rent_error(self->pool, ~(size_t)PAGE, 0));
}

/* In whatever order they are rented and returned */
TEST_F(io, each_kind_comes_from_its_own_classes)
{
	static const unsigned int backings[] = {
		BUFPOOL_BACKING_SLAB, BUFPOOL_BACKING_PAGES
	};
	void *blocks[16];
	size_t size;
	int i, round;

	for (size = 1; size <= KEPT_BLOCK_MOST; size *= 16) {
		for (round = 0; round < 8; round++) {
			for (i = 0; i < 16; i++) {
				blocks[i] = bufpool_rent(self->pool, size, i % 2 ? IO : 0);
				ASSERT_NE(NULL, blocks[i]);
				EXPECT_EQ(backings[i % 2],
					  class_of(self->pool, blocks[i]).backing);
			}
			for (i = 0; i < 16; i++)
				ASSERT_EQ(0, bufpool_return(self->pool,
							    blocks[(i * 5 + round) % 16], 0));
		}
	}
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(io, flags_go_together)
{
	char *block = bufpool_rent(self->pool, 2 * PAGE, IO | BUFPOOL_RENT_NONBLOCK);
	void *again;

	ASSERT_NE(NULL, block);
	memset(block, 1, 2 * PAGE);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	again = bufpool_rent(self->pool, 2 * PAGE, IO | BUFPOOL_RENT_ZERO |
						   BUFPOOL_RENT_NONBLOCK);
	ASSERT_NE(NULL, again);
	EXPECT_TRUE(filled(again, 0, 2 * PAGE));
	ASSERT_EQ(0, bufpool_return(self->pool, again, BUFPOOL_RETURN_CLEAR));
	again = bufpool_rent_timed(self->pool, 2 * PAGE, IO, BUFPOOL_FOREVER);
	ASSERT_NE(NULL, again);
	ASSERT_EQ(0, bufpool_return(self->pool, again, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(io, many_are_rented_at_once)
{
	static void *blocks[600];
	struct bufpool_stats stats;
	int i;

	ASSERT_EQ(600, bufpool_rent_many(self->pool, PAGE, IO | BUFPOOL_RENT_ALL, blocks, 600));
	ASSERT_EQ(600, held(self->pool));
	for (i = 0; i < 600; i++)
		memset(blocks[i], i, PAGE);
	for (i = 0; i < 600; i++)
		EXPECT_TRUE(filled(blocks[i], i & 0xff, PAGE));
	EXPECT_EQ(600, bufpool_return_many(self->pool, blocks, 600, 0));
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(0, stats.client_blocks);
	/* more than there can be, or than there are addresses for */
	i = bufpool_rent_many(self->pool, self->largest, IO | BUFPOOL_RENT_ALL, blocks, 600);
	EXPECT_TRUE(i == -EAGAIN ||
		    (i == -ENOMEM && (sizeof(long) == 4 || in_valgrind())));
	EXPECT_EQ(0, held(self->pool));
}

/* What is full is full for both kinds, and what comes back of one serves the other. */
TEST_F(exhausted, both_kinds_have_one_limit)
{
	struct bufpool_info info;

	ASSERT_EQ(0, info_of(self->pool, &info));
	if (!info.max_rent_io)
		SKIP(return, "there are no blocks for I/O");
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, self->size, IO | BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, IO, NSEC_PER_MSEC));
	EXPECT_EQ(-ETIMEDOUT, timed_error(self->pool, self->size, IO, 0));
	EXPECT_EQ(-EDQUOT, rent_error(self->pool, 2 * SMALL_LIMIT, IO));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(0, timed_error(self->pool, self->size, IO, 60 * 1000 * NSEC_PER_MSEC));
}

/* Not even where nothing else is free: the smallest of one kind are no larger. */
TEST_F(exhausted, the_other_kind_does_not_serve_instead)
{
	struct bufpool_provider *provider = &self->pool->provider;
	struct bufpool_info info;
	struct bufpool_block got;
	void *block;

	ASSERT_EQ(0, info_of(self->pool, &info));
	if (!info.max_rent_io)
		SKIP(return, "there are no blocks for I/O");
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	/* warm */
	ASSERT_EQ(1, provider->ops->rent_many(provider, PAGE, IO, 0, &got, 1));
	ASSERT_EQ(1, provider->ops->return_many(provider, &got.handle, 1, 0));
	block = bufpool_rent(self->pool, self->size, 0);
	ASSERT_NE(NULL, block);
	EXPECT_EQ(self->size, bufpool_block_size(self->pool, block));
	EXPECT_EQ(BUFPOOL_BACKING_SLAB, class_of(self->pool, block).backing);
}

/* What is kept ------------------------------------------------------------------- */

TEST_F(io, a_pair_makes_no_call)
{
	size_t size;
	void *block;
	__u64 rents;
	int i;

	for (size = 1; size <= KEPT_BLOCK_MOST; size *= 2) {
		/* the first of a class is not kept with others */
		for (i = 0; i < 2; i++) {
			block = bufpool_rent(self->pool, size, IO);
			ASSERT_NE(NULL, block);
			ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		}
		rents = rents_of(self->pool);
		for (i = 0; i < PAIRS; i++) {
			ASSERT_EQ(block, bufpool_rent(self->pool, size, IO));
			ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		}
		EXPECT_EQ(rents, rents_of(self->pool));
	}
}

TEST_F(io, a_large_block_is_not_kept)
{
	void *block = bufpool_rent(self->pool, KEPT_BLOCK_MOST + 1, IO);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, rented_of(self->pool));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, rented_of(self->pool));
}

/* So the kernel may go on with its I/O. */
TEST_F(io, a_revoked_block_is_not_kept)
{
	char *block = bufpool_rent(self->pool, PAGE, IO);
	unsigned char byte;

	ASSERT_NE(NULL, block);
	*block = 1;
	ASSERT_EQ(0, bufpool_return(self->pool, block, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(0, kept_of(self->pool));
	EXPECT_EQ(gone_signal(), peek(block, &byte));
}

static void *rent_and_return(void *argument)
{
	struct bufpool *pool = argument;
	void *block = bufpool_rent(pool, 1, IO);

	return block && !bufpool_return(pool, block, 0) ? block : NULL;
}

TEST_F(io, threads_return_what_others_rented)
{
	void *block, *mine;
	int i;

	for (i = 0; i < 100; i++) {
		block = bufpool_rent(self->pool, 1, IO);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(0, return_elsewhere(self->pool, block));
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	}
	mine = in_thread(rent_and_return, self->pool);
	EXPECT_NE(NULL, mine);
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(io, trim_takes_what_is_kept)
{
	void *block = bufpool_rent(self->pool, 4 * PAGE, IO);

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_LT(0, kept_of(self->pool));
	EXPECT_EQ(0, bufpool_trim(self->pool, 4 * PAGE, NULL));
	EXPECT_EQ(0, kept_of(self->pool));
	EXPECT_EQ(0, rented_of(self->pool));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
}

/* Addresses ---------------------------------------------------------------------- */

/* What is rarely wanted takes none before it is. */
TEST_F(io, a_class_is_opened_by_its_first_block)
{
	struct bufpool_window *window = &self->pool->window;
	unsigned int class, open = 0;
	void *block;

	for (class = 0; class < self->pool->classes.count; class++)
		EXPECT_EQ(bufpool_class_is_slab(&self->pool->classes, class),
			  !!bufpool_window_mapped(window, class));
	block = bufpool_rent(self->pool, PAGE, IO);
	ASSERT_NE(NULL, block);
	for (class = self->pool->classes.nr_slab; class < self->pool->classes.count; class++)
		open += !!bufpool_window_mapped(window, class);
	EXPECT_EQ(1, open);
}

/* Sanitizers map more as they go along: for a while, or for little. */
TEST(close_leaves_nothing_behind)
{
	int maps = 0, slack = SANITIZED ? 20 : 0, i;
	struct bufpool_info info;
	struct bufpool *pool;
	long size = 0;

	for (i = 0; i < 10; i++) {
		pool = bufpool_open(NULL, 0);
		ASSERT_NE(NULL, pool);
		ASSERT_EQ(0, info_of(pool, &info));
		if (info.max_rent_io) {
			ASSERT_NE(NULL, bufpool_rent(pool, 1, IO));
			ASSERT_NE(NULL, bufpool_rent(pool, 4 * MIB, IO));
		}
		ASSERT_EQ(0, bufpool_close(pool));
		if (i != 4)
			continue;
		maps = count_maps();
		size = status_kib("VmSize:");
	}
	EXPECT_GE(maps + slack, count_maps());
	if (!SANITIZED && !in_valgrind())
		EXPECT_EQ(size, status_kib("VmSize:"));
}

/* Whatever its class covers, only the block may become resident. */
TEST_F(io, mlockall_takes_little_memory)
{
	char *block;
	long before;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	before = status_kib("VmRSS:");
	block = bufpool_rent(self->pool, 16 * PAGE, IO);
	ASSERT_NE(NULL, block);
	memset(block, 1, 16 * PAGE);
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	EXPECT_GT(before + 1024 + 16 * (long)PAGE / 1024, status_kib("VmRSS:"));
	ASSERT_EQ(0, munlockall());
}

/* Of the same client, by another program: in a class that is not open here */
TEST_F(io, a_block_is_adopted)
{
	struct bufpool_provider *provider = &self->pool->provider;
	struct bufpool_block got;
	char *block;

	ASSERT_EQ(1, provider->ops->rent_many(provider, 8 * PAGE, IO, 0, &got, 1));
	EXPECT_EQ(-EINVAL, adopt_error(self->pool, got.handle, got.offset + PAGE));
	block = bufpool_adopt(self->pool, got.handle, got.offset);
	ASSERT_NE(NULL, block);
	memset(block, 7, 8 * PAGE);
	EXPECT_EQ(8 * PAGE, bufpool_block_size(self->pool, block));
	EXPECT_EQ(-EEXIST, adopt_error(self->pool, got.handle, got.offset));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* fork --------------------------------------------------------------------------- */

struct forked {
	struct bufpool *pool;
	char *block;
};

static int child_has_no_block(void *argument)
{
	struct forked *forked = argument;
	unsigned char byte;

	CHECK(peek(forked->block, &byte) == SIGSEGV);
	CHECK(rent_error(forked->pool, 1, IO) == -ECHILD);
	CHECK(bufpool_return(forked->pool, forked->block, 0) == -ECHILD);
	CHECK(bufpool_export(forked->pool, forked->block) == -ECHILD);
	CHECK(bufpool_poller_for(forked->pool, 1, BUFPOOL_POLLER_IO) == -ECHILD);
	CHECK(bufpool_close(forked->pool) == 0);
	return 0;
}

TEST_F(io, a_child_has_no_block)
{
	struct forked forked = { self->pool, bufpool_rent(self->pool, MIB, IO) };

	ASSERT_NE(NULL, forked.block);
	memset(forked.block, 3, MIB);
	EXPECT_EQ(0, in_child(child_has_no_block, &forked));
	EXPECT_TRUE(filled(forked.block, 3, MIB));
	EXPECT_EQ(0, bufpool_return(self->pool, forked.block, 0));
}

/* Strictness --------------------------------------------------------------------- */

TEST(a_strict_pool_sees_a_use_after_return)
{
	struct bufpool_info info;
	struct bufpool *pool;
	unsigned char byte;
	char *block, *other;
	size_t size;

	ASSERT_EQ(0, setenv("BUFPOOL_STRICT", "1", 1));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, info_of(pool, &info));
	EXPECT_EQ(-EINVAL, rent_error(pool, 0, IO));
	EXPECT_EQ(info.max_rent_io ? -EMSGSIZE : -EINVAL,
		  rent_error(pool, info.max_rent_io + 1, IO));
	for (size = PAGE; size <= info.max_rent_io && size <= info.limit / 4; size *= 8) {
		block = bufpool_rent(pool, size, IO);
		ASSERT_NE(NULL, block);
		memset(block, 1, size);
		ASSERT_EQ(0, bufpool_return(pool, block, 0));
		other = bufpool_rent(pool, size, IO);
		ASSERT_NE(NULL, other);
		EXPECT_NE(block, other);
		EXPECT_EQ(gone_signal(), peek(block, &byte));
		EXPECT_EQ(-ESTALE, bufpool_return(pool, block, 0));
		ASSERT_EQ(0, bufpool_return(pool, other, 0));
	}
	EXPECT_EQ(0, bufpool_close(pool));
	unsetenv("BUFPOOL_STRICT");
}

/* Polling ------------------------------------------------------------------------ */

TEST_F(io, poller_refusals)
{
	size_t more = self->info.max_rent_io + 1;

	EXPECT_EQ(-EINVAL, bufpool_poller_for(NULL, 1, BUFPOOL_POLLER_IO));
	EXPECT_EQ(-EINVAL, bufpool_poller_for(self->pool, 0, BUFPOOL_POLLER_IO));
	EXPECT_EQ(-EINVAL, bufpool_poller_for(self->pool, 1, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_poller_for(self->pool, 1, BUFPOOL_POLLER_IO << 1));
	EXPECT_EQ(-EMSGSIZE, bufpool_poller_for(self->pool, more, BUFPOOL_POLLER_IO));
	EXPECT_EQ(-EMSGSIZE, bufpool_poller_for(self->pool, self->info.max_rent + 1, 0));
}

TEST_F(exhausted, a_poller_tells_of_blocks_for_io)
{
	struct bufpool_info info;
	int poller;

	ASSERT_EQ(0, info_of(self->pool, &info));
	if (!info.max_rent_io)
		SKIP(return, "there are no blocks for I/O");
	poller = bufpool_poller_for(self->pool, self->size, BUFPOOL_POLLER_IO);
	ASSERT_LE(0, poller);
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	ASSERT_EQ(0, bufpool_return(self->pool, self->block, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(POLLIN, poll_now(poller, POLLIN));
	EXPECT_EQ(0, rent_error(self->pool, self->size, IO));
	EXPECT_EQ(0, poll_now(poller, POLLIN));
	close(poller);
}

/* dma-bufs ----------------------------------------------------------------------- */

/* A provider that has them, whatever the pool's own has */
FIXTURE(exporting)
{
	struct bufpool *pool;
	struct bufpool_provider_ops ops;
};

static struct {
	int error;
	int fd;				/* the last one */
	struct bufpool_rental *returned; /* while it is exported */
} exported;

static int export_somehow(struct bufpool_provider *provider, __u64 handle)
{
	(void)provider;
	(void)handle;
	if (exported.error)
		return exported.error;
	if (exported.returned)
		bufpool_rental_set(exported.returned, bufpool_state(BUFPOOL_RETURNED, 0));
	exported.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return exported.fd;
}

FIXTURE_SETUP(exporting)
{
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->ops = *self->pool->provider.ops;
	self->ops.export = export_somehow;
	self->pool->provider.ops = &self->ops;
	memset(&exported, 0, sizeof(exported));
}

FIXTURE_TEARDOWN(exporting)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

/* Return a block, and look whether others of its size are kept. */
static bool is_kept(struct bufpool *pool, void *block, int (*give)(struct bufpool *, void *))
{
	__u64 before = kept_of(pool);

	return !give(pool, block) && kept_of(pool) == before + 1;
}

static int give_plainly(struct bufpool *pool, void *block)
{
	return bufpool_return(pool, block, 0);
}

static int give_with_others(struct bufpool *pool, void *block)
{
	return bufpool_return_many(pool, &block, 1, 0) == 1 ? 0 : -EIO;
}

/* A block that was exported goes to the provider, by whatever call it is returned. */
TEST_F(exporting, an_exported_block_is_not_kept)
{
	static int (*const give[])(struct bufpool *, void *) = {
		give_plainly, give_with_others, return_elsewhere
	};
	unsigned int i;
	void *block;
	int fd;

	for (i = 0; i < ARRAY_SIZE(give); i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		EXPECT_TRUE(is_kept(self->pool, block, give[i]));
		block = bufpool_rent(self->pool, 1, 0);
		fd = bufpool_export(self->pool, block);
		ASSERT_LE(0, fd);
		EXPECT_EQ(exported.fd, fd);
		EXPECT_LT(0, bufpool_block_size(self->pool, block));
		EXPECT_FALSE(is_kept(self->pool, block, give[i]));
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
		close(fd);
	}
	EXPECT_EQ(0, held(self->pool));
}

struct export_job {
	struct bufpool *pool;
	void *block;
};

static void *export_job(void *argument)
{
	struct export_job *job = argument;

	return (void *)(intptr_t)bufpool_export(job->pool, job->block);
}

TEST_F(exporting, another_thread_may_export_it)
{
	struct export_job job = { self->pool, bufpool_rent(self->pool, 1, 0) };
	int fd;

	ASSERT_NE(NULL, job.block);
	fd = (intptr_t)in_thread(export_job, &job);
	ASSERT_LE(0, fd);
	EXPECT_FALSE(is_kept(self->pool, job.block, give_plainly));
	close(fd);
	/* twice is as good */
	job.block = bufpool_rent(self->pool, 1, 0);
	fd = bufpool_export(self->pool, job.block);
	ASSERT_LE(0, fd);
	close(fd);
	fd = (intptr_t)in_thread(export_job, &job);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_FALSE(is_kept(self->pool, job.block, give_plainly));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(exporting, an_export_that_fails_changes_nothing)
{
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	exported.error = -EBUSY;
	EXPECT_EQ(-EBUSY, bufpool_export(self->pool, block));
	EXPECT_TRUE(is_kept(self->pool, block, give_plainly));
}

/* By another thread, in that moment */
TEST_F(exporting, of_a_block_that_is_just_returned_nothing_is_left)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	struct bufpool_place place;
	struct bufpool_rental *rental;
	__u32 state;
	int ret;

	ASSERT_NE(NULL, block);
	rental = bufpool_pool_find(self->pool, block, &place, &ret);
	ASSERT_NE(NULL, rental);
	state = bufpool_rental_state(rental);
	exported.returned = rental;
	EXPECT_EQ(-ESTALE, bufpool_export(self->pool, block));
	EXPECT_EQ(-1, fcntl(exported.fd, F_GETFD));
	bufpool_rental_set(rental, state);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

TEST_F(library, export_refusals)
{
	char *block = bufpool_rent(self->pool, 4 * PAGE, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(-EINVAL, bufpool_export(NULL, block));
	EXPECT_EQ(-EINVAL, bufpool_export(self->pool, NULL));
	EXPECT_EQ(-EINVAL, bufpool_export(self->pool, block + PAGE));
	EXPECT_EQ(-ENOENT, bufpool_export(self->pool, self));
	if (private_chosen())
		EXPECT_EQ(-EOPNOTSUPP, bufpool_export(self->pool, block));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, bufpool_export(self->pool, block));
}

TEST_HARNESS_MAIN
