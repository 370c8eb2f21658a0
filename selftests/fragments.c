// SPDX-License-Identifier: MIT
/*
 * Growth while memory is free in single pages only, between pages that cannot be
 * moved: blocks of a page need no more than that. And in pieces that a huge page-table entry
 * would reach beyond.
 */
#include "pressure.h"

#include <sys/resource.h>

#define IN_PIPE		256			/* pages that a pipe can hold */
#define PIPES		256			/* of both kinds together */
#define LEAVE		(448 * MIB)		/* of the memory, to begin with */
#define RESERVE		(96 * MIB)		/* of that, free to be had all the time */

/* Pages of two kinds in turn, so that ending one leaves single pages. */
struct pages {
	int stay[PIPES / 2][2];
	int go[PIPES / 2][2];
	int pipes;
	__u64 bytes;
};

static void __attribute__((constructor)) need_plain_objects(void)
{
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		skip_all("here a page takes more than one: objects have red zones");
}

FIXTURE(fragments)
{
	int fd;
	struct pages *pages;
	struct bufpool_info info;
	struct aside aside;
	__u64 free_before;
};

/* What is set aside for devices is free, but neither for pipes nor for blocks. */
static __u64 free_bytes(void)
{
	return (memory_number("MemFree") - memory_number("CmaFree")) * KIB;
}

static bool open_pipe(int ends[2])
{
	return !pipe2(ends, O_CLOEXEC | O_NONBLOCK) &&
	       fcntl(ends[1], F_SETPIPE_SZ, IN_PIPE * PAGE) >= 0;
}

static bool fill_pipes(struct pages *pages, int stay, int go)
{
	char *page = calloc(1, PAGE);
	int i;

	if (!page)
		return false;
	page[0] = 1;
	for (i = 0; i < IN_PIPE; i++) {
		if (write(stay, page, PAGE) != (ssize_t)PAGE ||
		    write(go, page, PAGE) != (ssize_t)PAGE)
			break;
		pages->bytes += PAGE;
	}
	free(page);
	return i == IN_PIPE;
}

/* What the system keeps back for itself. */
static __u64 kept_back(void)
{
	return vm_number("min_free_kbytes") * KIB;
}

/* Pages in pipes cannot be moved, and are taken one by one. */
static bool take_pages(struct pages *pages)
{
	__u64 least = kept_back() + RESERVE;
	int *nr = &pages->pipes;

	while (free_bytes() > least && *nr < PIPES / 2) {
		if (!open_pipe(pages->stay[*nr]) || !open_pipe(pages->go[*nr]) ||
		    !fill_pipes(pages, pages->stay[*nr][1], pages->go[*nr][1]))
			return false;
		++*nr;
	}
	return true;
}

static void give_every_other(struct pages *pages)
{
	int i;

	for (i = 0; i < pages->pipes; i++) {
		close(pages->go[i][0]);
		close(pages->go[i][1]);
	}
}

/* Huge pages take what is too much to be filled page by page. */
FIXTURE_SETUP(fragments)
{
	struct rlimit many = { 2048, 2048 };

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &many));
	write_text("/proc/sys/fs/pipe-user-pages-soft", "0");
	self->pages = calloc(1, sizeof(*self->pages));
	ASSERT_NE(NULL, self->pages);
	self->aside = set_memory_aside(LEAVE / KIB);
	EXPECT_TRUE(take_pages(self->pages));
	self->free_before = free_bytes();
	give_every_other(self->pages);
}

FIXTURE_TEARDOWN(fragments)
{
	close(self->fd);
	write_text("/sys/class/misc/bufpool/trim", "1");
	put_memory_back(&self->aside);
	parameters_restore();
}

/* What can be had of the memory in one piece, and half of the single pages. */
TEST_F(fragments, are_enough_for_pages)
{
	__u64 want = self->free_before + self->pages->bytes / 2 - kept_back();
	struct bufpool_block *blocks;
	int count;

	want -= want % MIB;
	TH_LOG("%llu MiB in one piece, %llu MiB in pages, %llu MiB to be rented",
	       self->free_before / MIB, self->pages->bytes / MIB, want / MIB);
	ASSERT_LE(RESERVE / 2, self->pages->bytes);
	blocks = calloc(want / PAGE, sizeof(*blocks));
	ASSERT_NE(NULL, blocks);
	ASSERT_EQ(0, limit_write(want));
	count = drain(self->fd, PAGE, blocks, want / PAGE);
	/* The limit may leave room for less than a slab. */
	EXPECT_LT((int)((want - self->info.slab_size) / PAGE), count);
	EXPECT_EQ((__u64)count * PAGE, in_use(self->fd));
}

/* And for a block for I/O that is much larger than any of them. */
TEST_F(fragments, are_enough_for_a_large_block_for_io)
{
	__u64 size = RESERVE / 2 < self->info.max_rent_io ? RESERVE / 3 : self->info.max_rent_io;
	struct bufpool_rent rented;
	char *at;

	while (size & (size - 1))
		size &= size - 1;
	ASSERT_EQ(0, limit_write(size));
	ASSERT_EQ(0, rent_with(self->fd, size, BUFPOOL_RENT_IO | BUFPOOL_RENT_NONBLOCK, 0,
			       &rented));
	at = map_block(self->fd, &rented);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_TRUE(filled(at, 0, rented.length));
	memset(at, 'f', rented.length);
	EXPECT_TRUE(filled(at, 'f', rented.length));
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(SIGBUS, touch(at + rented.length - 1));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
	munmap(at, rented.length);
}

/* Halves of huge pages ------------------------------------------------------------- */

#define HUGE_PAGE	(2 * MIB)
#define HALF		(HUGE_PAGE / 2)
#define HALVES		128
#define SPARE		(16 * MIB)
#define IN_PIECES	(BUFPOOL_RENT_IO | BUFPOOL_RENT_NONBLOCK)

FIXTURE(halves)
{
	int fd;
	struct aside aside;
	char *memory;		/* huge pages, of each of which the first half is free */
};

/* Each page has its own address in it. */
static bool own_halves(const char *memory)
{
	__u64 i, at;

	for (i = 0; i < HALVES; i++)
		for (at = i * HUGE_PAGE + HALF; at < (i + 1) * HUGE_PAGE; at += PAGE)
			if (*(const char *const *)(memory + at) != memory + at)
				return false;
	return true;
}

static void give_first_halves(char *memory)
{
	__u64 i, at;

	for (i = 0; i < HALVES; i++) {
		for (at = i * HUGE_PAGE; at < (i + 1) * HUGE_PAGE; at += PAGE)
			*(char **)(memory + at) = memory + at;
		madvise(memory + i * HUGE_PAGE, HALF, MADV_DONTNEED);
	}
	/* which has the system part the huge pages */
	write_text("/proc/sys/vm/drop_caches", "2");
}

FIXTURE_SETUP(halves)
{
	char *at;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	at = mmap(NULL, (HALVES + 1) * HUGE_PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, at);
	self->memory = (char *)(((uintptr_t)at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (madvise(self->memory, HALVES * HUGE_PAGE, MADV_HUGEPAGE))
		SKIP_FIXTURE("this kernel has no huge pages for programs");
	self->aside = set_memory_aside((HALVES + 16) * HUGE_PAGE / KIB + kept_back() / KIB);
	give_first_halves(self->memory);
}

FIXTURE_TEARDOWN(halves)
{
	close(self->fd);
	write_text("/sys/class/misc/bufpool/trim", "1");
	put_memory_back(&self->aside);
	parameters_restore();
}

/* However its pieces lie, a block has its own memory, and all of it. */
TEST_F(halves, no_entry_is_larger_than_its_piece)
{
	static char *at[4 * HALVES];
	struct bufpool_rent rented;
	__u64 nr, page;
	int count;

	ASSERT_EQ(0, limit_write(free_bytes() - kept_back() - SPARE));
	for (count = 0; count < 4 * HALVES; count++) {
		/* the next one begins elsewhere in a piece that is free */
		rent_with(self->fd, 8 * PAGE, IN_PIECES, 0, &rented);
		if (rent_with(self->fd, HUGE_PAGE, IN_PIECES, 0, &rented))
			break;
		at[count] = map_block(self->fd, &rented);
		ASSERT_NE(MAP_FAILED, at[count]);
		for (page = 0; page < HUGE_PAGE; page += PAGE)
			*(char **)(at[count] + page) = at[count] + page;
	}
	TH_LOG("%d blocks", count);
	ASSERT_LT(0, count);
	for (nr = 0; nr < (__u64)count; nr++)
		for (page = 0; page < HUGE_PAGE; page += PAGE)
			ASSERT_EQ(at[nr] + page, *(char **)(at[nr] + page));
	EXPECT_TRUE(own_halves(self->memory));
}

TEST_HARNESS_MAIN
