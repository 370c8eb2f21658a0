// SPDX-License-Identifier: MIT
/*
 * Residence: a rented block stays in the page frames it is in, whatever the
 * system does to get at memory.
 */
#include "bufpool_test.h"

#include "probe.h"

#define BLOCKS		16
#define BLOCK		(64 * KIB)
#define PAGES		(BLOCKS * BLOCK / 4096)

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
		memset(at + i, block * 16 + i / 4096 + i / 512 * 3, 512);
}

static bool is_marked(const unsigned char *at, size_t size, unsigned int block)
{
	size_t i;

	for (i = 0; i < size; i += 512) {
		unsigned char want = block * 16 + i / 4096 + i / 512 * 3;

		if (!filled(at + i, want, 512))
			return false;
	}
	return true;
}

FIXTURE_SETUP(resident)
{
	size_t i, page;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->probe = open(PROBE_DEVICE, O_RDWR | O_CLOEXEC);
	if (self->probe < 0)
		return;
	for (i = 0; i < BLOCKS; i++) {
		self->at[i] = rent_mapped(self->fd, BLOCK, &self->rent[i]);
		ASSERT_NE(NULL, self->at[i]);
		mark(self->at[i], BLOCK, i);
		for (page = 0; page < BLOCK / 4096; page++) {
			__u64 pfn = pfn_of(self->probe,
					   self->at[i] + page * 4096);

			ASSERT_NE(0, pfn);
			self->pfn[i * (BLOCK / 4096) + page] = pfn;
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
		for (page = 0; page < BLOCK / 4096; page++) {
			if (pfn_of(probe, at[i] + page * 4096) !=
			    pfn[i * (BLOCK / 4096) + page])
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
	own = shared_alloc(2 * 4096);
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

/* One slab is contiguous, and so is every block. */
TEST_F(resident, blocks_are_contiguous)
{
	size_t i, page, pages = BLOCK / 4096;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (i = 0; i < BLOCKS; i++) {
		for (page = 1; page < pages; page++)
			EXPECT_EQ(self->pfn[i * pages] + page,
				  self->pfn[i * pages + page]);
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

/* A line of /proc/meminfo, most of which are numbers of KiB. */
static __u64 read_meminfo(const char *name)
{
	char line[128], *end = NULL;
	size_t len = strlen(name);
	__u64 value = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		value = strtoull(line + len + 1, &end, 10);
		break;
	}
	if (file)
		fclose(file);
	return value;
}

/* Not a page or two, but as much as is taken when memory is short. */
static bool is_swapping(__u64 since)
{
	return read_meminfo("SwapFree") + 4 * KIB < since;
}

/*
 * Take memory until the system swaps, but not more than there is and half of
 * the swap on top, so that nobody gets killed for it.
 */
static int take_memory(void *arg)
{
	const size_t step = 16 * MIB;
	__u64 since = *(__u64 *)arg;
	__u64 end = now_ms() + 3 * SOON_MS;
	__u64 most = (read_meminfo("MemAvailable") + since / 2) * KIB;
	__u64 taken;

	write_text("/proc/self/oom_score_adj", "1000");
	for (taken = 0; taken < most && now_ms() < end; taken += step) {
		char *at = mmap(NULL, step, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				-1, 0);
		size_t i;

		if (at == MAP_FAILED)
			break;
		madvise(at, step, MADV_HUGEPAGE);
		for (i = 0; i < step; i += 4096)
			at[i] = i / 4096 + 1;
		if (is_swapping(since))
			return 0;
	}
	return 1;
}

/*
 * Set memory aside for huge pages, all but some, since that takes no time: what
 * is left is used up sooner. Says how many there were before.
 */
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

static void set_nr_hugepages(__u64 count)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", count);
	write_text(NR_HUGEPAGES, text);
}

static __u64 set_memory_aside(void)
{
	__u64 before = read_meminfo("HugePages_Total");
	__u64 huge = read_meminfo("Hugepagesize");
	__u64 available = read_meminfo("MemAvailable");

	if (huge && available > 256 * KIB)
		set_nr_hugepages(before + (available - 256 * KIB) / huge);
	return before;
}

TEST_F_TIMEOUT(resident, through_memory_pressure, 120)
{
	__u64 since = read_meminfo("SwapFree"), huge;
	int ret;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	if (since < 32 * KIB)
		SKIP(return, "there is no swap, or less than 32 MiB of it");
	huge = set_memory_aside();
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
	ret = in_child(take_memory, &since);
	set_nr_hugepages(huge);
	if (ret)
		SKIP(return, "the system would not swap");
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
}

/* What madvise() has to move pages away has nothing here to move. */
TEST_F(resident, through_pageout)
{
	size_t i;

	if (self->probe < 0)
		SKIP(return, NO_PROBE);
	for (i = 0; i < BLOCKS; i++)
		madvise(self->at[i], BLOCK, 21 /* MADV_PAGEOUT */);
	EXPECT_TRUE(have_stayed(self->probe, self->at, self->pfn));
}

TEST_HARNESS_MAIN
