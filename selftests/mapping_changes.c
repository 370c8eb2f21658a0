// SPDX-License-Identifier: MIT
/*
 * Changes of a mapping: munmap(), mremap() and mprotect() of all of it or of a
 * part, before and after the first touch.
 */
#include "mapping.h"

FIXTURE(hole)
{
	int fd;
	struct bufpool_rent rent;
	char *at;
};

FIXTURE_VARIANT(hole)
{
	size_t start;
};

FIXTURE_VARIANT_ADD(hole, first) { .start = 0 };
FIXTURE_VARIANT_ADD(hole, middle) { .start = 4 };
FIXTURE_VARIANT_ADD(hole, last) { .start = 15 };

FIXTURE_SETUP(hole)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->at = rent_mapped(self->fd, BLOCK, &self->rent);
	ASSERT_NE(NULL, self->at);
}

FIXTURE_TEARDOWN(hole)
{
	munmap(self->at, BLOCK);
	close(self->fd);
}

/* A page of a block that was touched is unmapped: the others stay. */
TEST_F(hole, after_touch)
{
	size_t page = sysconf(_SC_PAGESIZE), i;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, munmap(self->at + variant->start * page, page));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i == variant->start ? SIGSEGV : 0,
			  touch(self->at + i * page));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i == variant->start ? SIGSEGV : SIGBUS,
			  touch(self->at + i * page));
}

/* It is unmapped before the first touch: each part faults by itself. */
TEST_F(hole, before_touch)
{
	size_t page = sysconf(_SC_PAGESIZE), i;

	ASSERT_EQ(0, munmap(self->at + variant->start * page, page));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i == variant->start ? SIGSEGV : 0,
			  poke(self->at + i * page, i));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i == variant->start ? SIGSEGV : SIGBUS,
			  touch(self->at + i * page));
}

/* Other memory is put over a page: it is left alone by the return. */
TEST_F(hole, filled_with_other_memory)
{
	size_t page = sysconf(_SC_PAGESIZE), i;
	char *other = self->at + variant->start * page;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(other, mmap(other, page, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memset(other, 0x6b, page);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i == variant->start ? 0 : SIGBUS,
			  touch(self->at + i * page));
	EXPECT_TRUE(filled(other, 0x6b, page));
}

TEST_F(hole, moved_elsewhere)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *from = self->at + variant->start * page, *to, *moved;

	memset(self->at, 0x5a, BLOCK);
	*from = 0x6b;
	to = shared_alloc(page);
	ASSERT_NE(NULL, to);
	moved = mremap(from, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_EQ(to, moved);
	EXPECT_EQ(0x6b, moved[0]);
	EXPECT_EQ(0x5a, moved[1]);
	EXPECT_EQ(SIGSEGV, touch(from));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(moved));
	munmap(moved, page);
}

TEST_F(mapping, mremap_moves)
{
	char *to = shared_alloc(BLOCK), *moved;

	memset(self->at, 0x5a, BLOCK);
	moved = mremap(self->at, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to);
	ASSERT_EQ(to, moved);
	EXPECT_TRUE(filled(moved, 0x5a, BLOCK));
	EXPECT_EQ(SIGSEGV, touch(self->at));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(moved));
	munmap(moved, BLOCK);
}

/* Moved before the first touch, it faults at its new place. */
TEST_F(mapping, mremap_moves_untouched)
{
	char *to = shared_alloc(BLOCK), *moved;

	moved = mremap(self->at, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to);
	ASSERT_EQ(to, moved);
	EXPECT_EQ(0, poke(moved, 1));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(moved));
	munmap(moved, BLOCK);
}

TEST_F(mapping, mremap_shrinks)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(self->at, mremap(self->at, BLOCK, self->page, 0));
	EXPECT_EQ(0x5a, self->at[0]);
	EXPECT_EQ(SIGSEGV, touch(self->at + self->page));
}

TEST_F(mapping, mremap_does_not_grow)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(MAP_FAILED, mremap(self->at, BLOCK, 2 * BLOCK,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->at, BLOCK, BLOCK + self->page, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

/* For other shared mappings, an old size of 0 makes a second mapping. */
TEST_F(mapping, mremap_does_not_duplicate)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(MAP_FAILED, mremap(self->at, 0, BLOCK, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
#ifdef MREMAP_DONTUNMAP
	EXPECT_EQ(MAP_FAILED, mremap(self->at, BLOCK, BLOCK,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	EXPECT_EQ(EINVAL, errno);
#endif
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

TEST_F(mapping, mprotect_cycle)
{
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, mprotect(self->at, BLOCK, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(self->at));
	ASSERT_EQ(0, mprotect(self->at, BLOCK, PROT_READ));
	EXPECT_EQ(0, touch(self->at));
	EXPECT_EQ(SIGSEGV, poke(self->at, 1));
	ASSERT_EQ(0, mprotect(self->at, BLOCK, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, poke(self->at, 0x5a));
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

TEST_F(mapping, mprotect_before_touch)
{
	ASSERT_EQ(0, mprotect(self->at + self->page, self->page, PROT_READ));
	EXPECT_EQ(0, poke(self->at, 1));
	EXPECT_EQ(0, touch(self->at + self->page));
	EXPECT_EQ(SIGSEGV, poke(self->at + self->page, 1));
	ASSERT_EQ(0, mprotect(self->at + self->page, self->page,
			      PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, poke(self->at + self->page, 1));
}

TEST_F(mapping, protected_mapping_is_revoked_too)
{
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, mprotect(self->at, BLOCK, PROT_NONE));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	ASSERT_EQ(0, mprotect(self->at, BLOCK, PROT_READ | PROT_WRITE));
	EXPECT_EQ(SIGBUS, touch(self->at));
}

TEST_HARNESS_MAIN
