// SPDX-License-Identifier: MIT
/*
 * Large blocks, which one entry may map: they are as all others are, in whatever way their
 * mappings are parted, moved and shared.
 */
#include "outside.h"
#include "effort.h"
#include "random.h"

#include <pthread.h>
#include <sys/utsname.h>

#define HUGE		(2 * MIB)
#define BLOCKS		8

FIXTURE(huge)
{
	int fd;
	__u64 size;
	struct bufpool_rent rented;
	char *at;
};

FIXTURE_VARIANT(huge)
{
	__u32 flags;
	__u64 size;
};

FIXTURE_VARIANT_ADD(huge, slab_2m)
{
	.flags = 0,
	.size = HUGE,
};

FIXTURE_VARIANT_ADD(huge, slab_4m)
{
	.flags = 0,
	.size = 2 * HUGE,
};

FIXTURE_VARIANT_ADD(huge, pages_2m)
{
	.flags = BUFPOOL_RENT_IO,
	.size = HUGE,
};

FIXTURE_VARIANT_ADD(huge, pages_8m)
{
	.flags = BUFPOOL_RENT_IO,
	.size = 4 * HUGE,
};

FIXTURE_SETUP(huge)
{
	struct bufpool_info info;
	__u64 most;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	most = variant->flags ? info.max_rent_io : info.max_rent;
	self->size = variant->size < most ? variant->size : most;
	ASSERT_EQ(0, rent_with(self->fd, self->size, variant->flags, 0, &self->rented));
	self->at = map_block(self->fd, &self->rented);
	ASSERT_NE(MAP_FAILED, self->at);
}

FIXTURE_TEARDOWN(huge)
{
	close(self->fd);
}

/* KiB of this process's page tables */
static long page_tables(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	long kib = -1;

	while (kib < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPTE: %ld kB", &kib) != 1)
			kib = -1;
	fclose(file);
	return kib;
}

/* Where huge pages have another size than here there is nothing to be seen. */
static bool is_huge_page(__u64 size)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	unsigned long long found = 0;

	if (!file)
		return false;
	if (fscanf(file, "%llu", &found) != 1)
		found = 0;
	fclose(file);
	return found == size;
}

/* It takes a huge entry of a slab for a mistake. */
static bool kernel_checks_page_tables(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	bool found = false;
	char line[256];

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " __page_table_check_pmd_set");
	if (file)
		fclose(file);
	return found;
}

/*
 * From 6.12 to 6.14 no entry that get_user_pages() takes is huge; and where the allocator
 * looks for mistakes, its objects are not aligned.
 */
static bool kernel_can(__u32 flags)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (!flags)
		return often(8) == 8 && !kernel_checks_page_tables();
	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major != 6 || minor < 12 || minor > 14;
}

/* Write to each page what tells it from the others. */
static void mark(char *at, __u64 size)
{
	__u64 i;

	for (i = 0; i < size; i += PAGE)
		*(__u64 *)(at + i) = i + 1;
}

/* What is wrong in the pages from one offset on up to another: how many are. */
static unsigned int wrong(const char *at, __u64 from, __u64 to)
{
	unsigned int nr = 0;

	for (; from < to; from += PAGE)
		nr += *(const __u64 *)(at + from) != from + 1;
	return nr;
}

/* Pages that can be touched */
static unsigned int reachable(const char *at, __u64 size)
{
	unsigned int nr = 0;
	__u64 i;

	for (i = 0; i < size; i += PAGE)
		nr += !touch(at + i);
	return nr;
}

TEST_F(huge, mmap_aligns_for_it)
{
	if (!is_huge_page(HUGE))
		SKIP(return, "huge pages have not 2 MiB here");
	EXPECT_EQ(0, self->rented.offset % HUGE);
	EXPECT_EQ(0, (uintptr_t)self->at % HUGE);
}

/* A table of entries for each 2 MiB is what it costs otherwise: those there are none of. */
TEST_F(huge, needs_no_page_tables)
{
	struct bufpool_rent more[BLOCKS];
	char *at[BLOCKS];
	long before;
	int i;

	if (!is_huge_page(HUGE))
		SKIP(return, "huge pages have not 2 MiB here");
	if (!kernel_can(variant->flags))
		SKIP(return, "this kernel maps these blocks page by page");
	mark(self->at, self->size);
	for (i = 0; i < BLOCKS; i++) {
		ASSERT_EQ(0, rent_with(self->fd, self->size, variant->flags, 0, &more[i]));
		at[i] = map_block(self->fd, &more[i]);
		ASSERT_NE(MAP_FAILED, at[i]);
	}
	before = page_tables();
	for (i = 0; i < BLOCKS; i++)
		mark(at[i], self->size);
	TH_LOG("%ld KiB of page tables for %llu MiB", page_tables() - before,
	       BLOCKS * self->size / MIB);
	EXPECT_GT(BLOCKS * (long)(PAGE / KIB), page_tables() - before);
}

TEST_F(huge, revoked_as_a_whole)
{
	mark(self->at, self->size);
	EXPECT_EQ(0, wrong(self->at, 0, self->size));
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, reachable(self->at, self->size));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
	munmap(self->at, self->size);
}

TEST_F(huge, parted_by_munmap)
{
	mark(self->at, self->size);
	EXPECT_EQ(0, munmap(self->at + self->size / 2, PAGE));
	EXPECT_EQ(0, wrong(self->at, 0, self->size / 2));
	EXPECT_EQ(0, wrong(self->at, self->size / 2 + PAGE, self->size));
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, reachable(self->at, self->size));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
}

TEST_F(huge, parted_by_mprotect)
{
	mark(self->at, self->size);
	EXPECT_EQ(0, mprotect(self->at + self->size / 4, PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, poke(self->at + self->size / 4, 1));
	EXPECT_EQ(0, wrong(self->at, 0, self->size));
	EXPECT_EQ(0, mprotect(self->at, self->size, PROT_READ));
	EXPECT_EQ(SIGSEGV, poke(self->at, 1));
	EXPECT_EQ(0, wrong(self->at, 0, self->size));
	EXPECT_EQ(0, mprotect(self->at, self->size, PROT_READ | PROT_WRITE));
	mark(self->at, self->size);
	EXPECT_EQ(0, wrong(self->at, 0, self->size));
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, reachable(self->at, self->size));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
}

/* To where it can be mapped by huge entries, and to where it cannot. */
TEST_F(huge, moved)
{
	char *room = mmap(NULL, 4 * self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = room + (HUGE - (uintptr_t)room % HUGE), *odd = aligned + PAGE;

	ASSERT_NE(MAP_FAILED, room);
	mark(self->at, self->size);
	ASSERT_EQ(aligned, mremap(self->at, self->size, self->size,
				  MREMAP_MAYMOVE | MREMAP_FIXED, aligned));
	EXPECT_EQ(0, wrong(aligned, 0, self->size));
	odd += self->size;
	ASSERT_EQ(odd, mremap(aligned, self->size, self->size,
			      MREMAP_MAYMOVE | MREMAP_FIXED, odd));
	EXPECT_EQ(0, wrong(odd, 0, self->size));
	mark(odd, self->size);
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, reachable(odd, self->size));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
}

/* Half of it here, all of it there, and once at an odd address. */
TEST_F(huge, mapped_in_several_ways)
{
	char *room = mmap(NULL, 2 * self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *half = map_at(self->fd, self->rented.offset, self->size / 2);
	char *odd = room + (HUGE - (uintptr_t)room % HUGE) - PAGE;

	ASSERT_NE(MAP_FAILED, room);
	ASSERT_NE(MAP_FAILED, half);
	ASSERT_EQ(odd, mmap(odd, self->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    self->fd, self->rented.offset));
	mark(odd, self->size);
	EXPECT_EQ(0, wrong(self->at, 0, self->size));
	EXPECT_EQ(0, wrong(half, 0, self->size / 2));
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, reachable(self->at, self->size));
	EXPECT_EQ(0, reachable(half, self->size / 2));
	EXPECT_EQ(0, reachable(odd, self->size));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
}

/* Read first, and written then; by a mapping that cannot be written, and one that can. */
TEST_F(huge, read_before_it_is_written)
{
	char *reader = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd,
			    self->rented.offset);

	ASSERT_NE(MAP_FAILED, reader);
	EXPECT_TRUE(filled(reader, 0, self->size));
	EXPECT_TRUE(filled(self->at, 0, self->size));
	mark(self->at, self->size);
	EXPECT_EQ(0, wrong(reader, 0, self->size));
	EXPECT_EQ(SIGSEGV, poke(reader, 1));
}

/* While mm watches what is written, entries cannot be written at first. */
static int write_watched(void *arg)
{
	char *at = arg;

	if (write_text("/proc/self/clear_refs", "4"))
		return 2;
	touch(at);
	at[0] = 'w';
	at[HUGE / 2] = 'x';
	CHECK(at[0] == 'w' && at[HUGE / 2] == 'x');
	return 0;
}

TEST_F(huge, written_while_that_is_watched)
{
	int ret;

	/* in a thread's time: a fault that comes again and again would not end */
	alarm(60);
	ret = write_watched(self->at);
	if (ret)
		SKIP(return, "this kernel does not watch what is written");
	mark(self->at, self->size);
	EXPECT_EQ(0, wrong(self->at, 0, self->size));
	alarm(0);
}

/* By a huge entry nobody comes by a reference to what holds none. */
TEST_F(huge, only_blocks_for_io_can_be_referenced)
{
	struct outsider outsider;

	memset(self->at, 'h', self->size);
	if (!variant->flags) {
		EXPECT_EQ(-EFAULT, outsider_take(&outsider, self->at, PAGE));
		EXPECT_EQ(-EFAULT, outsider_take(&outsider, self->at + self->size - PAGE, PAGE));
		return;
	}
	ASSERT_EQ(0, outsider_take(&outsider, self->at + self->size - 4 * PAGE, 4 * PAGE));
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, reachable(self->at, self->size));
	EXPECT_EQ(self->size, stats_of(self->fd).quarantined);
	EXPECT_TRUE(outsider_has(&outsider, 'h'));
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).quarantined));
	outsider_end(&outsider);
}

/* What the threads of a race share. */
struct race {
	int fd;
	__u64 size;
	__u32 flags;
	char *at;
	__u64 offset;
	unsigned int stop;
	unsigned int touches;
};

static void *touch_all(void *arg)
{
	struct race *race = arg;
	__u64 seed = now_ms() + (uintptr_t)&seed;

	while (!word_get(&race->stop)) {
		touch(race->at + next_random(&seed) % race->size);
		__atomic_add_fetch(&race->touches, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Part the mapping, and make it whole again. */
static void *part_all(void *arg)
{
	struct race *race = arg;
	__u64 seed = now_ms() + (uintptr_t)&seed, at;

	while (!word_get(&race->stop)) {
		at = next_random(&seed) % race->size / PAGE * PAGE;
		if (at % 2)
			mprotect(race->at + at, PAGE, PROT_READ);
		else
			madvise(race->at + at, PAGE, MADV_DONTNEED);
		mmap(race->at, race->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		     race->fd, race->offset);
	}
	return NULL;
}

/* Rented and revoked all the time, while some touch it, and one parts and maps it anew. */
TEST_F(huge, races_of_faults_and_revocation)
{
	struct race race = {
		.fd = self->fd, .size = self->size, .flags = variant->flags, .at = self->at,
		.offset = self->rented.offset,
	};
	struct effort effort = effort_begin(often(300), 1);
	struct bufpool_rent rented = self->rented;
	pthread_t threads[3];
	unsigned int nr = 0;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i ? touch_all : part_all, &race));
	while (effort_goes_on(&effort, nr)) {
		touch(self->at + self->size / 2);
		ASSERT_EQ(0, give_up(self->fd, rented.handle));
		ASSERT_EQ(0, rent_with(self->fd, self->size, variant->flags, 0, &rented));
		nr++;
	}
	word_set(&race.stop, 1);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(0, reachable(self->at, self->size));
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).quarantined));
	TH_LOG("%u revocations, %u touches", nr, race.touches);
}

TEST_HARNESS_MAIN
