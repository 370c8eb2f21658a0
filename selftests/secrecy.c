// SPDX-License-Identifier: MIT
/*
 * Secrecy: what one client wrote is zero for the next, by whatever way and in
 * whatever size the blocks come.
 */
#include "bufpool_test.h"
#include "probe.h"

#define BLOCKS	32

/* The ways in which blocks leave a client. */
enum way {
	BY_RETURN, BY_CLEAR, BY_RETURN_MANY, BY_CLOSE, BY_EXIT, BY_KILL,
	BY_EXEC,
};

struct secret {
	enum way way;
	__u64 smallest, largest;	/* blocks of each size */
	int count;
};

FIXTURE(secrecy)
{
	int fd;
	struct bufpool_info info;
	struct secret *secret;
	__u64 before;
};

FIXTURE_VARIANT(secrecy)
{
	enum way way;
};

FIXTURE_VARIANT_ADD(secrecy, by_return) { .way = BY_RETURN };
FIXTURE_VARIANT_ADD(secrecy, by_clearing_return) { .way = BY_CLEAR };
FIXTURE_VARIANT_ADD(secrecy, by_return_many) { .way = BY_RETURN_MANY };
FIXTURE_VARIANT_ADD(secrecy, by_close) { .way = BY_CLOSE };
FIXTURE_VARIANT_ADD(secrecy, by_exit) { .way = BY_EXIT };
FIXTURE_VARIANT_ADD(secrecy, by_kill) { .way = BY_KILL };
FIXTURE_VARIANT_ADD(secrecy, by_exec) { .way = BY_EXEC };

FIXTURE_SETUP(secrecy)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->before = in_use(self->fd);
	self->secret = shared_alloc(sizeof(*self->secret));
	ASSERT_NE(NULL, self->secret);
	self->secret->way = variant->way;
}

FIXTURE_TEARDOWN(secrecy)
{
	close(self->fd);
}

/* Fill blocks with 0xff, and let them go. */
static int have_a_secret(void *arg)
{
	char *const argv[] = { (char *)"hold", NULL };
	char *const envp[] = { (char *)HOLD_ENV "=1", NULL };
	struct bufpool_block blocks[BLOCKS];
	struct secret *secret = arg;
	__u64 handles[BLOCKS], size;
	int fd = pool_open(), i, count = 0;

	CHECK(fd >= 0);
	for (size = secret->smallest; size <= secret->largest; size *= 2) {
		CHECK(rent_many(fd, size, secret->count, blocks + count) ==
		      secret->count);
		count += secret->count;
	}
	for (i = 0; i < count; i++) {
		CHECK(block_fill(fd, blocks[i].offset, blocks[i].length, 0xff));
		handles[i] = blocks[i].handle;
	}

	switch (secret->way) {
	case BY_RETURN:
	case BY_CLEAR:
		for (i = 0; i < count; i++)
			CHECK(!give_with(fd, handles[i],
					 secret->way == BY_CLEAR ?
					 BUFPOOL_RETURN_CLEAR : 0));
		break;
	case BY_RETURN_MANY:
		CHECK(give_many(fd, handles, count) == count);
		break;
	case BY_CLOSE:
		CHECK(!close(fd));
		break;
	case BY_EXIT:
		break;
	case BY_KILL:
		raise(SIGKILL);
		break;
	case BY_EXEC:
		i = open("/dev/null", O_RDONLY);
		CHECK(dup2(i, STDIN_FILENO) == STDIN_FILENO);
		execve("/proc/self/exe", argv, envp);
		CHECK(!"execve() does not come back");
		break;
	}
	return 0;
}

/* How many of the blocks that @fd rents now have something in them. */
static int count_leaks(int fd, __u64 size, int count)
{
	struct bufpool_block blocks[BLOCKS];
	int got = 0, leaks = 0, ret, i;

	while (got < count) {
		ret = rent_many(fd, size, count - got, blocks + got);
		if (ret < 0)
			break;
		got += ret;
	}
	for (i = 0; i < got; i++) {
		leaks += !block_is_zero(fd, blocks[i].offset, blocks[i].length);
		give(fd, blocks[i].handle);
	}
	return got ? leaks : -1;
}

TEST_F(secrecy, thirty_two_blocks)
{
	struct bufpool_stats first, second;

	self->secret->smallest = 1;
	self->secret->largest = 1;
	self->secret->count = BLOCKS;
	EXPECT_EQ(variant->way == BY_KILL ? -SIGKILL : 0,
		  in_child(have_a_secret, self->secret));
	ASSERT_TRUE(in_use_becomes(self->fd, self->before));
	ASSERT_EQ(0, pool_stats(self->fd, &first));
	EXPECT_EQ(0, count_leaks(self->fd, 1, BLOCKS));
	/* That proves something only if some of them are the same. */
	ASSERT_EQ(0, pool_stats(self->fd, &second));
	EXPECT_LT(first.reused, second.reused);
}

TEST_F(secrecy, every_class)
{
	__u64 size;

	self->secret->smallest = self->info.page_size;
	self->secret->largest = large_block(&self->info);
	self->secret->count = 1;
	EXPECT_EQ(variant->way == BY_KILL ? -SIGKILL : 0,
		  in_child(have_a_secret, self->secret));
	ASSERT_TRUE(in_use_becomes(self->fd, self->before));
	for (size = self->info.page_size; size <= large_block(&self->info);
	     size *= 2) {
		/* All of a slab, since those of it that are clean come first. */
		int count = size < self->info.slab_size ?
			    self->info.slab_size / size : 1;

		EXPECT_EQ(0, count_leaks(self->fd, size, count)) {
			TH_LOG("blocks of %llu bytes", size);
		}
	}
}

/* Slabs that change their class take no secrets along. */
TEST_F(secrecy, from_class_to_class)
{
	self->secret->smallest = 1 * MIB;
	self->secret->largest = 1 * MIB;
	self->secret->count = 2;
	ASSERT_EQ(0, limit_write(2 * MIB));
	EXPECT_EQ(variant->way == BY_KILL ? -SIGKILL : 0,
		  in_child(have_a_secret, self->secret));
	ASSERT_TRUE(in_use_becomes(self->fd, self->before));
	EXPECT_EQ(0, count_leaks(self->fd, 1, BLOCKS));
	EXPECT_EQ(0, count_leaks(self->fd, 64 * KIB, BLOCKS));
	limit_restore();
}

/* The same client finds its own blocks empty as well, if it says so. */
TEST(own_blocks_are_zero_again)
{
	struct bufpool_rent rented;
	int fd = pool_open(), i;
	char *at;

	ASSERT_LE(0, fd);
	for (i = 0; i < 12; i++) {
		__u32 give_flags = i % 4, rent_flags = BUFPOOL_RENT_NONBLOCK;

		ASSERT_EQ(0, rent_with(fd, 64 * KIB, rent_flags, 0, &rented));
		at = map_block(fd, &rented);
		ASSERT_NE(MAP_FAILED, at);
		memset(at, 0xff, rented.length);
		ASSERT_EQ(0, give_with(fd, rented.handle, give_flags));
		munmap(at, rented.length);

		if (!give_flags)
			rent_flags |= BUFPOOL_RENT_ZERO;
		ASSERT_EQ(0, rent_with(fd, 64 * KIB, rent_flags, 0, &rented));
		EXPECT_TRUE(block_is_zero(fd, rented.offset, rented.length)) {
			TH_LOG("returned with %#x", give_flags);
		}
		ASSERT_EQ(0, give(fd, rented.handle));
	}
}

/* A single byte in the last place is a secret too. */
TEST(last_byte_is_zero_again)
{
	struct bufpool_rent rented;
	int one = pool_open(), other = pool_open(), i;

	ASSERT_LE(0, one);
	ASSERT_LE(0, other);
	for (i = 0; i < 8; i++) {
		char *at = rent_mapped(one, 64 * KIB, &rented);

		ASSERT_NE(NULL, at);
		at[rented.length - 1] = 0x5a;
		ASSERT_EQ(0, give(one, rented.handle));
		munmap(at, rented.length);
		ASSERT_EQ(0, count_leaks(other, 64 * KIB, 8));
	}
}

/* What the kernel wrote for a program is one as well. */
TEST(block_written_by_read_is_zero_again)
{
	struct bufpool_rent rented;
	int one = pool_open(), other = pool_open(), ends[2];
	char *at;

	ASSERT_LE(0, one);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, pipe(ends));
	at = rent_mapped(one, 1, &rented);
	ASSERT_NE(NULL, at);
	ASSERT_EQ(6, write(ends[1], "secret", 6));
	ASSERT_EQ(6, read(ends[0], at + 1000, 6));
	ASSERT_EQ(0, give(one, rented.handle));
	EXPECT_EQ(0, count_leaks(other, 1, BLOCKS));
}

#define CLEARED	16

/* It is zero when the call returns, and not only for the next owner. */
TEST(cleared_memory_is_zero)
{
	int probe = open(PROBE_DEVICE, O_RDWR | O_CLOEXEC), fd = pool_open(), i;
	__u64 pfns[CLEARED], handles[CLEARED];

	if (probe < 0)
		SKIP(return, "there is no " PROBE_DEVICE " and no module for it");
	ASSERT_LE(0, fd);
	/* nobody else gets that memory meanwhile */
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	for (i = 0; i < CLEARED; i++) {
		struct bufpool_rent rented;
		char *at = rent_mapped(fd, MIB, &rented);

		ASSERT_NE(NULL, at);
		memset(at, 0x5a, MIB);
		handles[i] = rented.handle;
		pfns[i] = pfn_of(probe, at + MIB - PAGE);
		ASSERT_NE(0, pfns[i]);
		EXPECT_FALSE(pfn_is_zero(probe, pfns[i]));
		munmap(at, MIB);
	}
	ASSERT_EQ(CLEARED, give_many_with(fd, handles, CLEARED, BUFPOOL_RETURN_CLEAR));
	/* by itself the pool zeroes one after the other, and some time */
	for (i = 0; i < CLEARED; i++)
		EXPECT_TRUE(pfn_is_zero(probe, pfns[i]));
	close(probe);
	close(fd);
	parameters_restore();
}

TEST_HARNESS_MAIN
