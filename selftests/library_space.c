// SPDX-License-Identifier: MIT
/*
 * libbufpool: the addresses and the descriptors that a pool takes
 */
#include "library_test.h"

#include <stdio.h>
#include <sys/resource.h>

#define SECONDS	120

/* Address space of a pool with this limit, in KiB */
static long space_of(const char *limit)
{
	long before = status_kib("VmSize:"), ret;
	struct bufpool *pool;

	setenv("BUFPOOL_PRIVATE_LIMIT", limit, 1);
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ret = pool ? status_kib("VmSize:") - before : -1;
	if (bufpool_close(pool))
		return -1;
	return status_kib("VmSize:") - before > 64 ? -1 : ret;
}

/* Sizes from a page to 4 MiB */
static long classes(void)
{
	return __builtin_ctzl(4 * MIB / PAGE) + 1;
}

#if __SIZEOF_LONG__ == 8

/* What is kept has a page for each of 4,096 threads and each size; there are 32 at the most. */
#define KEPT	(32L * 4096 * PAGE / 1024)

/* For each class, as much as the limit; the tables of 16 times that; what is kept */
TEST(space_is_in_proportion_to_the_limit)
{
	long small = space_of("16M"), large = space_of("256M");

	EXPECT_LT(classes() * 16 * 1024, small);
	EXPECT_GT(classes() * 16 * 1024 * 2 + KEPT, small);
	EXPECT_LT(small + classes() * 200 * 1024, large);
	EXPECT_GT(classes() * 256 * 1024 * 2 + KEPT, large);
}

#else

/* Where there is little, one pool leaves most of it. */
TEST(space_is_in_proportion_to_the_limit)
{
	long most = space_of("3G");

	EXPECT_LE(classes() * 32 * 1024, most);
	EXPECT_GT(600 * 1024, most);
}

#endif

/* For each size that is used, and not more than the limit or what 32 bits have room for */
TEST(blocks_for_io_take_space_when_they_are_used)
{
	long limit = 256 * 1024, before, most = 0;
	struct bufpool *pool;
	size_t size;
	char *block;

	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "256M", 1));
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	for (size = 64 * MIB; size >= PAGE; size /= 4) {
		before = status_kib("VmSize:");
		block = bufpool_rent(pool, size, BUFPOOL_RENT_IO);
		ASSERT_NE(NULL, block) {
			TH_LOG("%zu bytes: errno %d", size, errno);
		}
		block[size - 1] = 1;
		EXPECT_EQ(0, rent_error(pool, size, BUFPOOL_RENT_IO));
		ASSERT_EQ(0, bufpool_return(pool, block, 0));
		if (status_kib("VmSize:") - before > most)
			most = status_kib("VmSize:") - before;
	}
	EXPECT_LE(64 * 1024, most);
	EXPECT_GT(limit + limit / 2, most);
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Each with a block in use */
static int use_many(struct bufpool **pools, char **blocks, int count)
{
	int i, used;

	for (used = 0; used < count; used++) {
		pools[used] = bufpool_open(NULL, 0);
		if (!pools[used])
			break;
		blocks[used] = bufpool_rent(pools[used], 100000, 0);
		if (!blocks[used])
			break;
		memset(blocks[used], used, 100000);
	}
	for (i = 0; i < used; i++)
		if (!filled(blocks[i], i & 0xff, 100000) ||
		    bufpool_return(pools[i], blocks[i], 0) || bufpool_close(pools[i]))
			return -1;
	return used;
}

static int at_once(int count)
{
	struct bufpool **pools = calloc(count, sizeof(*pools));
	char **blocks = calloc(count, sizeof(*blocks));

	return use_many(pools, blocks, count);
}

TEST(a_process_has_many_pools)
{
	struct rlimit files;
	int count = private_chosen() && !SANITIZED ? 1000 : 100;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = files.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	if (sizeof(long) == 4)
		count = 10;
	setenv("BUFPOOL_PRIVATE_LIMIT", "1G", 1);
	EXPECT_EQ(count, at_once(count));
	EXPECT_EQ(count, at_once(count));
}

/*
 * One line of /proc/self/smaps for each mapping: how many there are in a range, and in *@with
 * of how many the kernel says this
 */
static unsigned int maps_in(const void *from, size_t length, const char *flag,
			    unsigned int *with)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	unsigned int count = 0;
	bool is_in = false;
	char line[512];

	*with = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			is_in = start - (unsigned long)from < length;
		if (!is_in || strncmp(line, "VmFlags:", 8))
			continue;
		count++;
		*with += !!strstr(line, flag);
	}
	if (file)
		fclose(file);
	return count;
}

static bool all_have(const void *from, size_t length, const char *flag)
{
	unsigned int with, count = maps_in(from, length, flag, &with);

	return count && with == count;
}

static bool none_has(const void *from, size_t length, const char *flag)
{
	unsigned int with, count = maps_in(from, length, flag, &with);

	return count && !with;
}

static size_t window_length(const struct bufpool *pool)
{
	return pool->classes.nr_slab * bufpool_window_reach(&pool->window);
}

static size_t stacks_length(const struct bufpool *pool)
{
	return pool->provider.nr_stacks * PAGE;
}

TEST_F(library, no_core_has_its_blocks)
{
	const struct bufpool *pool = self->pool;
	char *block = bufpool_rent(self->pool, 6000, 0);
	unsigned int with;

	ASSERT_NE(NULL, block);
	*block = 1;
	EXPECT_LE(pool->classes.nr_slab,
		  maps_in(pool->window.base, window_length(pool), "", &with));
	EXPECT_TRUE(all_have(pool->window.base, window_length(pool), " dd"));
}

/* They have addresses for all blocks that there could be. */
TEST_F(library, no_core_has_its_tables)
{
	const struct bufpool *pool = self->pool;

	ASSERT_NE(NULL, bufpool_rent(self->pool, 6000, 0));
	EXPECT_TRUE(all_have(pool->rentals.table, pool->rentals.length, " dd"));
	if (pool->provider.nr_stacks)
		EXPECT_TRUE(all_have(pool->provider.stacks, stacks_length(pool), " dd"));
}

/* A huge page would be more memory than is used. */
TEST_F(library, huge_pages_are_not_wanted)
{
	const struct bufpool *pool = self->pool;

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "this kernel has none");
	ASSERT_NE(NULL, bufpool_rent(self->pool, 6000, 0));
	EXPECT_TRUE(all_have(pool->rentals.table, pool->rentals.length, " nh"));
	/* the kernel's are no memory that they could be of */
	if (!private_chosen())
		return;
	EXPECT_TRUE(all_have(pool->window.base, window_length(pool), " nh"));
	EXPECT_TRUE(all_have(pool->provider.stacks, stacks_length(pool), " nh"));
}

TEST_F(library, its_tables_are_not_locked)
{
	struct bufpool *pool;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	ASSERT_NE(NULL, bufpool_rent(pool, 6000, 0));
	EXPECT_TRUE(none_has(pool->rentals.table, pool->rentals.length, " lo"));
	EXPECT_EQ(0, bufpool_close(pool));
}

/* As if there were no addresses */
TEST_F(library, more_than_may_be_locked_is_enomem)
{
	struct rlimit limit = { PAGE, PAGE };

	if (SANITIZED)
		SKIP(return, "it needs memory of its own");
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	if (!getuid())
		ASSERT_TRUE(become(65534, ONLY_OPEN));
	ASSERT_EQ(0, bufpool_close(bufpool_open(NULL, 0)));
	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	EXPECT_EQ(-ENOMEM, open_error(NULL, 0));
	ASSERT_NE(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	EXPECT_EQ(-ENOMEM, open_error(NULL, 0));
}

static char *last_mapped(const struct bufpool *pool)
{
	struct bufpool_place first = { .class = pool->classes.nr_slab - 1 };

	return (char *)bufpool_window_address(&pool->window, &first) +
	       pool->window.mapped[first.class];
}

/* Growing: 32 bits have no address space for that --------------------------------- */

#if __SIZEOF_LONG__ == 8

#define LARGEST		(4 * MIB)
#define FIRST		(1024 / 4)	/* of the largest blocks are mapped at first */
#define BEYOND		(FIRST + 50)

FIXTURE(roomy)
{
	struct bufpool *pool;
	char *blocks[BEYOND];
};

FIXTURE_SETUP(roomy)
{
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "4G", 1));
	self->pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(roomy)
{
	if (self->pool)
		EXPECT_EQ(0, bufpool_close(self->pool));
}

TEST_F(roomy, more_is_mapped_as_it_is_rented)
{
	long before = status_kib("VmSize:");
	int i;

	ASSERT_EQ(BEYOND, bufpool_rent_many(self->pool, LARGEST, 0, (void **)self->blocks,
					    BEYOND));
	EXPECT_LE(before + 50 * (long)(LARGEST / KIB), status_kib("VmSize:"));
	for (i = 0; i < BEYOND; i += 49)
		self->blocks[i][i] = i;
	for (i = 0; i < BEYOND; i += 49) {
		EXPECT_EQ((char)i, self->blocks[i][i]);
		EXPECT_EQ(LARGEST, bufpool_block_size(self->pool, self->blocks[i]));
		EXPECT_EQ(self->blocks[i],
			  bufpool_block_of(self->pool, self->blocks[i] + 5, NULL));
	}
	EXPECT_EQ(BEYOND, bufpool_return_many(self->pool, (void **)self->blocks, BEYOND, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, self->blocks[BEYOND - 1], 0));
}

#define LITTLE	(8L << 30)

/* Where there is not what the limit would want, most of what there is stays the program's. */
TEST(a_pool_takes_a_part_of_what_is_left)
{
	long before = status_kib("VmSize:");
	struct rlimit limit = { before * KIB + LITTLE, RLIM_INFINITY };
	struct bufpool *pool;

	if (SANITIZED)
		SKIP(return, "it has address space of its own");
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "64G", 1));
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	EXPECT_GT(before + LITTLE / 3 / (long)KIB, status_kib("VmSize:"));
	EXPECT_EQ(0, rent_error(pool, LARGEST, 0));
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_GT(before + 64, status_kib("VmSize:"));
}

/* The program may have what it likes where a pool could grow. */
TEST_F(roomy, it_does_not_grow_over_what_is_there)
{
	char *there = mmap(last_mapped(self->pool) + 2 * LARGEST, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ASSERT_NE(MAP_FAILED, there);
	memset(there, 7, 4096);
	EXPECT_EQ(FIRST + 2, bufpool_rent_many(self->pool, LARGEST, 0,
					       (void **)self->blocks, FIRST + 10));
	EXPECT_EQ(-ENOMEM, rent_error(self->pool, LARGEST, 0));
	EXPECT_TRUE(filled(there, 7, 4096));
	/* other sizes, and what has been mapped, go on */
	EXPECT_EQ(0, rent_error(self->pool, MIB, 0));
	ASSERT_EQ(0, bufpool_return(self->pool, self->blocks[FIRST + 1], 0));
	EXPECT_EQ(0, rent_error(self->pool, LARGEST, 0));
	ASSERT_EQ(0, munmap(there, 4096));
	EXPECT_EQ(0, rent_error(self->pool, LARGEST, 0));
}

/* Nor into a file that has got the number of the pool's own. */
TEST_F(roomy, it_does_not_grow_into_another_file)
{
	int fd = next_fd() - 1, file = memfd_create("own", MFD_CLOEXEC), ret;

	ASSERT_LE(0, file);
	ASSERT_EQ(fd, dup2(file, fd));
	ret = bufpool_rent_many(self->pool, LARGEST, BUFPOOL_RENT_NONBLOCK,
				(void **)self->blocks, BEYOND);
	EXPECT_GE(FIRST, ret);
	EXPECT_EQ(0, lseek(file, 0, SEEK_END));
	close(file);
	close(fd);
}

#endif

TEST_F(library, what_lies_between_is_no_block)
{
	char *after = last_mapped(self->pool);

	EXPECT_EQ(-ENOENT, block_error(self->pool, after));
	EXPECT_EQ(-ENOENT, block_error(self->pool, after + self->info.max_rent));
}

/* Descriptors -------------------------------------------------------------------- */

static int descriptor_of(const struct bufpool *pool)
{
	return private_chosen() ? next_fd() - 1 : pool->provider.file.fd;
}

/* The program closes what is not its own, and something else gets the number. */
TEST_F(library, another_file_with_its_number_is_left_alone)
{
	char *block = bufpool_rent(self->pool, 5000, 0), read_back[16] = "";
	int fd = descriptor_of(self->pool), file = memfd_create("own", MFD_CLOEXEC);

	ASSERT_NE(NULL, block);
	ASSERT_LE(0, file);
	ASSERT_EQ(16, pwrite(file, "the programs own", 16, 0));
	memset(block, 1, 5000);
	ASSERT_EQ(fd, dup2(file, fd));
	/* what would make a hole in it, and what the kernel is asked for */
	bufpool_return(self->pool, block, BUFPOOL_RETURN_REVOKE);
	block = bufpool_rent(self->pool, 5000, 0);
	if (private_chosen()) {
		ASSERT_NE(NULL, block);
		EXPECT_TRUE(filled(block, 0, 5000));
	}
	EXPECT_EQ(0, bufpool_close(self->pool));
	self->pool = NULL;
	EXPECT_LE(0, fcntl(fd, F_GETFD));
	EXPECT_EQ(16, pread(fd, read_back, 16, 0));
	EXPECT_EQ(0, memcmp(read_back, "the programs own", 16));
}

/* The same of what a private pool tells pollers by. */
TEST(another_file_with_a_pollers_number_is_left_alone)
{
	int file = memfd_create("own", MFD_CLOEXEC), first, poller;
	void *block, *last = NULL;
	struct bufpool *pool;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", SMALL_LIMIT_TEXT, 1));
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	first = next_fd();
	poller = bufpool_poller(pool, 1);
	ASSERT_EQ(first + 2, poller);
	ASSERT_EQ(first, dup2(file, first));
	ASSERT_EQ(first + 1, dup2(file, first + 1));
	EXPECT_EQ(-EBADF, bufpool_poller(pool, 1));
	/* no byte is to be there any more, and then one */
	while ((block = bufpool_rent(pool, MIB, BUFPOOL_RENT_NONBLOCK)))
		last = block;
	ASSERT_EQ(0, bufpool_return(pool, last, BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(0, lseek(file, 0, SEEK_END));
	EXPECT_EQ(0, bufpool_close(pool));
	EXPECT_LE(0, fcntl(first, F_GETFD));
	EXPECT_LE(0, fcntl(first + 1, F_GETFD));
}

TEST_F(library, a_closed_descriptor_is_an_error_and_no_more)
{
	int fd = descriptor_of(self->pool);

	ASSERT_EQ(0, close(fd));
	if (!private_chosen())
		EXPECT_EQ(-EBADF, rent_error(self->pool, self->info.max_rent, 0));
	EXPECT_EQ(0, bufpool_close(self->pool));
	self->pool = NULL;
}

/* Whether no program that is run has one of those from @fd on, which there are @count of */
static bool are_closed_by_exec(int fd, int count)
{
	for (; count; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 && fd > 1000)
			return false;
		if (flags < 0)
			continue;
		if (!(flags & FD_CLOEXEC))
			return false;
		count--;
	}
	return true;
}

TEST(descriptors_are_closed_by_exec)
{
	int first = next_fd(), before = count_entries("/proc/self/fd"), poller;
	struct bufpool *pool = bufpool_open(NULL, 0);

	ASSERT_NE(NULL, pool);
	poller = bufpool_poller(pool, 1);
	ASSERT_LT(first, poller);
	EXPECT_TRUE(are_closed_by_exec(first, count_entries("/proc/self/fd") - before));
	EXPECT_EQ(0, bufpool_close(pool));
	close(poller);
}

/* Whoever can open it, by /proc, cannot take the memory away or have it grow. */
TEST(the_memory_of_a_private_pool_is_sealed)
{
	int fd = next_fd();
	struct bufpool *pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);

	ASSERT_NE(NULL, pool);
	EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
		  fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST(without_descriptors_open_is_emfile)
{
	int last = next_fd();
	struct rlimit files = { .rlim_cur = last, .rlim_max = last };

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	EXPECT_EQ(-EMFILE, open_error(NULL, 0));
	EXPECT_EQ(-EMFILE, open_error(NULL, BUFPOOL_OPEN_PRIVATE));
}

TEST_HARNESS_MAIN
