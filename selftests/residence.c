// SPDX-License-Identifier: MIT
/*
 * Residence: a rented block stays in the page frames it is in, whatever the
 * system does to get at memory.
 */
#include "bufpool_test.h"

#include "pressure.h"
#include "probe.h"

#define BLOCKS		16
#define IN_BLOCK	16		/* pages */
#define BLOCK		(IN_BLOCK * PAGE)
#define PAGES		(BLOCKS * IN_BLOCK)

FIXTURE(resident)
{
	int fd;
	int probe;
	struct bufpool_rent rent[BLOCKS];
	unsigned char *at[BLOCKS];
	__u64 pfn[PAGES];
};

/* Write something that tells every page from every other. */
static void mark(unsigned char *at, size_t size, unsigned int block)
{
	size_t i;

	for (i = 0; i < size; i += 512)
		memset(at + i, block * 16 + i / PAGE + i / 512 * 3, 512);
}

static bool is_marked(const unsigned char *at, size_t size, unsigned int block)
{
	size_t i;

	for (i = 0; i < size; i += 512) {
		unsigned char want = block * 16 + i / PAGE + i / 512 * 3;

		if (!filled(at + i, want, 512))
			return false;
	}
	return true;
}

FIXTURE_VARIANT(resident)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(resident, slab)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(resident, pages)
{
	.flags = BUFPOOL_RENT_IO,
};

FIXTURE_SETUP(resident)
{
	size_t i, page;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->probe = open(PROBE_DEVICE, O_RDWR | O_CLOEXEC);
	if (self->probe < 0)
		return;
	for (i = 0; i < BLOCKS; i++) {
		ASSERT_EQ(0, rent_with(self->fd, BLOCK, variant->flags | BUFPOOL_RENT_NONBLOCK, 0,
				       &self->rent[i]));
		self->at[i] = map_block(self->fd, &self->rent[i]);
		ASSERT_NE(MAP_FAILED, self->at[i]);
		mark(self->at[i], BLOCK, i);
		for (page = 0; page < IN_BLOCK; page++) {
			__u64 pfn = pfn_of(self->probe,
					   self->at[i] + page * PAGE);

			ASSERT_NE(0, pfn);
			self->pfn[i * IN_BLOCK + page] = pfn;
		}
	}
}

FIXTURE_TEARDOWN(resident)
{
	close(self->fd);
	close(self->probe);
}

/* Whether every page is where it was, and has in it what it had. */
static bool have_stayed(int probe, unsigned char *const *at, const __u64 *pfn)
{
	size_t i, page;

	for (i = 0; i < BLOCKS; i++) {
		for (page = 0; page < IN_BLOCK; page++) {
			if (pfn_of(probe, at[i] + page * PAGE) !=
			    pfn[i * IN_BLOCK + page])
				return false;
		}
		if (!is_marked(at[i], BLOCK, i))
			return false;
	}
	return true;
}

#define NO_PROBE	"there is no " PROBE_DEVICE " and no module for it"

/* Unless this fails for memory that does move, the rest says nothing. */
TEST_F(resident, the_probe_tells_the_truth)
{
	unsigned char *own;
	__u64 before;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	own = shared_alloc(2 * PAGE);
	ASSERT_NE(NULL, own);
	EXPECT_EQ(0, pfn_of(self->probe, NULL));
	EXPECT_EQ(0, pfn_of(self->probe, own));
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
	before = self->pfn[0];
	self->pfn[0] = self->pfn[1];
	EXPECT_FALSE(have_stayed(self->probe, self->at, self->pfn));
	self->pfn[0] = before;
	self->at[0][0] ^= 1;
	EXPECT_FALSE(have_stayed(self->probe, self->at, self->pfn));
}

/* One slab is contiguous, and so is every block; of pages where the system has such. */
TEST_F(resident, blocks_are_contiguous)
{
	size_t i, page;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (i = 0; i < BLOCKS; i++) {
		for (page = 1; page < IN_BLOCK; page++)
			EXPECT_EQ(self->pfn[i * IN_BLOCK] + page,
				  self->pfn[i * IN_BLOCK + page]);
	}
}

/* No frame twice: that would be one memory with two owners. */
TEST_F(resident, no_frame_is_in_two_blocks)
{
	size_t i, j;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (i = 0; i < PAGES; i++) {
		for (j = 0; j < i; j++)
			ASSERT_NE(self->pfn[j], self->pfn[i]);
	}
}

TEST_F(resident, returned_block_has_no_frame)
{
	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	ASSERT_EQ(0, give_up(self->fd, self->rent[0].handle));
	EXPECT_EQ(0, pfn_of(self->probe, self->at[0]));
	EXPECT_EQ(0, pfn_of(self->probe, self->at[0] + BLOCK - 1));
}

TEST_F(resident, through_compaction)
{
	int round;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (round = 0; round < 3; round++) {
		int ret = write_text("/proc/sys/vm/compact_memory", "1");

		if (ret == -ENOENT)
			SKIP(return, "this kernel has no compaction");
		ASSERT_EQ(0, ret);
		EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
	}
}

TEST_F(resident, through_dropping_of_caches)
{
	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
}

/* Not a page or two, but as much as is taken when memory is short. */
static bool is_swapping(void *arg)
{
	return memory_number("SwapFree") + 4 * KIB < *(__u64 *)arg;
}

static int swap(void *arg)
{
	return !take_memory(16 * MIB, is_swapping, arg);
}

TEST_F(resident, through_memory_pressure)
{
	__u64 since = memory_number("SwapFree");
	struct aside aside;
	int ret;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	if (since < 32 * KIB)
		SKIP(return, "there is no swap, or less than 32 MiB of it");
	aside = set_memory_aside(LEFT_KIB);
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
	ret = in_child(swap, &since);
	put_memory_back(&aside);
	if (ret)
		SKIP(return, "the system would not swap");
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
}

/* What madvise() has to move pages away, or to take them, has nothing here to move. */
static const int advices[] = {
	MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED, MADV_FREE, MADV_MERGEABLE, MADV_HUGEPAGE,
	MADV_NOHUGEPAGE, 25 /* MADV_COLLAPSE */, 22 /* MADV_POPULATE_READ */,
	23 /* MADV_POPULATE_WRITE */, MADV_WILLNEED, MADV_RANDOM,
};

TEST_F(resident, through_advice)
{
	size_t i, advice;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (advice = 0; advice < ARRAY_SIZE(advices); advice++) {
		for (i = 0; i < BLOCKS; i++)
			madvise(self->at[i], BLOCK, advices[advice]);
		/* what is not mapped any more is so with the next touch */
		for (i = 0; i < BLOCKS; i++)
			EXPECT_TRUE(is_marked(self->at[i], BLOCK, i));
		EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn))
			TH_LOG("madvise(%d)", advices[advice]);
	}
}

/* Whoever locks, or watches what is written, has these pages as any. */
TEST_F(resident, through_locks_and_watches)
{
	size_t i;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (i = 0; i < BLOCKS; i++)
		mlock(self->at[i], BLOCK);
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
	write_text("/proc/self/clear_refs", "4");
	write_text("/proc/self/clear_refs", "1");
	for (i = 0; i < BLOCKS; i++)
		mark(self->at[i], BLOCK, i);
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
	for (i = 0; i < BLOCKS; i++)
		munlock(self->at[i], BLOCK);
	EXPECT_EQ(0, give_up(self->fd, self->rent[0].handle));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
}

TEST_HARNESS_MAIN
