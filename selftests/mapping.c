// SPDX-License-Identifier: MIT
/*
 * Mappings: what may be mapped where, who sees what in it and when, and every
 * other system call that can be pointed at a mapping or at the descriptor.
 */
#include "bufpool_test.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define BLOCK	(64 * KIB)

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

FIXTURE(mapping)
{
	int fd;
	size_t page;
	struct bufpool_info info;
	struct bufpool_rent rent;
	char *at;
};

FIXTURE_SETUP(mapping)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->at = rent_mapped(self->fd, BLOCK, &self->rent);
	ASSERT_NE(NULL, self->at);
}

FIXTURE_TEARDOWN(mapping)
{
	munmap(self->at, self->rent.length);
	close(self->fd);
}

/* What may be mapped ------------------------------------------------------ */

TEST_F(mapping, private_is_einval)
{
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ | PROT_WRITE, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_NONE, MAP_PRIVATE));
}

TEST_F(mapping, exec_is_einval)
{
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_EXEC, MAP_SHARED));
}

TEST_F(mapping, exec_later_is_eacces)
{
	EXPECT_EQ(-1, mprotect(self->at, BLOCK, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->at, BLOCK,
			       PROT_READ | PROT_WRITE | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, poke(self->at, 1));
}

TEST_F(mapping, read_only_descriptor)
{
	int fd = open(POOL_DEVICE, O_RDONLY | O_CLOEXEC);
	struct bufpool_rent rented;
	char *at;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rent(fd, BLOCK, &rented));
	EXPECT_EQ(-EACCES, try_map(fd, rented.offset, BLOCK,
				   PROT_READ | PROT_WRITE, MAP_SHARED));
	at = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, rented.offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_TRUE(filled(at, 0, BLOCK));
	EXPECT_EQ(SIGSEGV, poke(at, 1));
	EXPECT_EQ(-1, mprotect(at, BLOCK, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, give_up(fd, rented.handle));
	EXPECT_EQ(SIGBUS, touch(at));
	munmap(at, BLOCK);
	close(fd);
}

TEST_F(mapping, offset_inside_a_block_is_einval)
{
	size_t in;

	for (in = self->page; in < BLOCK; in *= 2) {
		EXPECT_EQ(-EINVAL,
			  try_map(self->fd, self->rent.offset + in, self->page,
				  PROT_READ, MAP_SHARED)) {
			TH_LOG("%zu bytes in", in);
		}
	}
	EXPECT_EQ(-EINVAL, try_map(self->fd,
				   self->rent.offset + BLOCK - self->page,
				   self->page, PROT_READ, MAP_SHARED));
}

TEST_F(mapping, offset_of_any_block_of_a_class)
{
	unsigned int class;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 block = (__u64)self->info.page_size << class;
		__u64 start = class * self->info.span;
		__u64 last = start + self->info.span - block;

		EXPECT_EQ(0, try_map(self->fd, start, block, PROT_READ,
				     MAP_SHARED));
		EXPECT_EQ(0, try_map(self->fd, start + block, block, PROT_READ,
				     MAP_SHARED));
		EXPECT_EQ(0, try_map(self->fd, last, block, PROT_READ,
				     MAP_SHARED));
	}
}

TEST_F(mapping, offset_beyond_the_window_is_einval)
{
	const __u64 end = self->info.nr_classes * self->info.span;
	const __u64 offsets[] = {
		end, end + self->info.page_size, end + self->info.span,
		end * 2, 1ULL << 62, (1ULL << 63) - self->info.max_rent,
		1ULL << 63, -self->info.span, -2 * self->info.max_rent,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		EXPECT_EQ(-EINVAL, try_map(self->fd, offsets[i], self->page,
					   PROT_READ, MAP_SHARED)) {
			TH_LOG("offset %#llx", offsets[i]);
		}
	}
}

/* Up to the end of a class's span, and not a page more. */
TEST_F(mapping, length_ends_with_the_span)
{
	unsigned int class;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 block = (__u64)self->info.page_size << class;
		__u64 last = (class + 1) * self->info.span - block;

		EXPECT_EQ(-EINVAL, try_map(self->fd, last, block + self->page,
					   PROT_READ, MAP_SHARED));
		EXPECT_EQ(-EINVAL, try_map(self->fd, last, 2 * block,
					   PROT_READ, MAP_SHARED));
		EXPECT_EQ(0, try_map(self->fd, last - block, 2 * block,
				     PROT_READ, MAP_SHARED));
		EXPECT_EQ(-EINVAL, try_map(self->fd, last - block,
					   2 * block + self->page, PROT_READ,
					   MAP_SHARED));
	}
}

TEST_F(mapping, whole_span)
{
	__u64 start = self->rent.offset - self->rent.offset % self->info.span;
	char *span;

	ASSERT_EQ(-EINVAL, try_map(self->fd, start,
				   self->info.span + self->page,
				   PROT_READ, MAP_SHARED));
	ASSERT_EQ(0, poke(self->at, 0x5a));
	span = map_at(self->fd, start, self->info.span);
	if (span == MAP_FAILED && errno == ENOMEM)
		SKIP(return, "a span is larger than the address space");
	ASSERT_NE(MAP_FAILED, span);
	EXPECT_EQ(0x5a, span[self->rent.offset - start]);
	EXPECT_EQ(SIGBUS, touch(span + self->info.span - 1));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(span + self->rent.offset - start));
	munmap(span, self->info.span);
}

TEST_F(mapping, shorter_than_a_block)
{
	char *at = map_at(self->fd, self->rent.offset, self->page);

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_EQ(0, poke(at, 0x5a));
	EXPECT_EQ(0x5a, self->at[0]);
	munmap(at, self->page);
}

/* mmap() rounds a length up; the bytes behind it are the block's. */
TEST_F(mapping, length_of_some_bytes)
{
	char *at = map_at(self->fd, self->rent.offset, BLOCK - 1);

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_EQ(0, poke(at + BLOCK - 1, 0x5a));
	EXPECT_EQ(0x5a, self->at[BLOCK - 1]);
	munmap(at, BLOCK - 1);
}

/* One mapping over three blocks, of which the client holds two. */
TEST_F(mapping, several_blocks)
{
	struct bufpool_block blocks[16];
	__u64 low = ~0ULL, high = 0;
	int i, count;
	char *at;

	count = rent_many(self->fd, BLOCK, 16, blocks);
	ASSERT_EQ(16, count);
	for (i = 0; i < count; i++) {
		if (blocks[i].offset < low)
			low = blocks[i].offset;
		if (blocks[i].offset > high)
			high = blocks[i].offset;
	}
	at = map_at(self->fd, low, high + BLOCK - low);
	ASSERT_NE(MAP_FAILED, at);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, poke(at + blocks[i].offset - low, i + 1));
	ASSERT_EQ(0, give_up(self->fd, blocks[7].handle));
	for (i = 0; i < count; i++) {
		unsigned char value = 0;
		int sig = peek(at + blocks[i].offset - low, &value);

		EXPECT_EQ(i == 7 ? SIGBUS : 0, sig);
		EXPECT_EQ(i == 7 ? 0 : i + 1, value);
	}
	munmap(at, high + BLOCK - low);
}

/* When memory is there ---------------------------------------------------- */

TEST_F(mapping, may_be_made_before_renting)
{
	struct bufpool_rent again;
	int i;

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	ASSERT_EQ(0, munmap(self->at, BLOCK));
	self->at = map_block(self->fd, &self->rent);
	ASSERT_NE(MAP_FAILED, self->at);
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(SIGBUS, poke(self->at, 1));
	for (i = 0; i < 256; i++) {
		ASSERT_EQ(0, rent(self->fd, BLOCK, &again));
		if (again.offset == self->rent.offset)
			break;
	}
	if (i == 256)
		SKIP(return, "the block did not come back");
	EXPECT_EQ(0, poke(self->at, 1));
	EXPECT_EQ(0, touch(self->at + BLOCK - 1));
}

TEST_F(mapping, nobody_elses_block)
{
	int other = pool_open();
	char *at;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, poke(self->at, 0x5a));
	at = map_block(other, &self->rent);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(SIGBUS, touch(at));
	EXPECT_EQ(SIGBUS, poke(at, 0x6b));
	EXPECT_EQ(0x5a, self->at[0]);
	close(other);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void write_every_page(char *at, size_t size, size_t page)
{
	size_t i;

	for (i = 0; i < size; i += page)
		__atomic_store_n(at + i, 1, __ATOMIC_RELAXED);
}

TEST_F(mapping, one_fault_maps_the_whole_block)
{
	const size_t size = 1 * MIB;
	struct bufpool_rent rented;
	char *own = shared_alloc(size);
	char *at = rent_mapped(self->fd, size, &rented);
	long before;

	ASSERT_NE(NULL, own);
	ASSERT_NE(NULL, at);
	/* What the loop itself needs is there afterwards. */
	write_every_page(own, size, self->page);
	before = minor_faults();
	before = minor_faults();
	write_every_page(at, size, self->page);
	EXPECT_EQ(1, minor_faults() - before);
	munmap(at, size);
}

/* In whatever page the first touch is. */
TEST_F(mapping, one_fault_in_the_middle)
{
	long before;
	size_t i;

	write_every_page(shared_alloc(BLOCK), BLOCK, self->page);
	before = minor_faults();
	before = minor_faults();
	__atomic_store_n(self->at + BLOCK / 2, 1, __ATOMIC_RELAXED);
	for (i = 0; i < BLOCK; i += self->page)
		__atomic_load_n(self->at + i, __ATOMIC_RELAXED);
	EXPECT_EQ(1, minor_faults() - before);
}

TEST_F(mapping, touch_after_return_is_sigbus)
{
	size_t i;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	for (i = 0; i < BLOCK; i += self->page) {
		EXPECT_EQ(SIGBUS, touch(self->at + i));
		EXPECT_EQ(SIGBUS, poke(self->at + i, 1));
	}
}

TEST_F(mapping, touch_after_return_many_is_sigbus)
{
	struct bufpool_block blocks[8];
	__u64 handles[8];
	char *at[8];
	int i;

	ASSERT_EQ(8, rent_many(self->fd, BLOCK, 8, blocks));
	for (i = 0; i < 8; i++) {
		handles[i] = blocks[i].handle;
		at[i] = map_at(self->fd, blocks[i].offset, BLOCK);
		ASSERT_NE(MAP_FAILED, at[i]);
		ASSERT_EQ(0, poke(at[i], 1));
	}
	ASSERT_EQ(8, give_up_many(self->fd, handles, 8));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(SIGBUS, touch(at[i]));
}

TEST_F(mapping, touch_after_return_in_every_mapping)
{
	char *second = map_block(self->fd, &self->rent);
	char *third = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, self->fd,
			   self->rent.offset);

	ASSERT_NE(MAP_FAILED, second);
	ASSERT_NE(MAP_FAILED, third);
	ASSERT_EQ(0, poke(self->at, 0x5a));
	EXPECT_EQ(0x5a, second[0]);
	EXPECT_EQ(0x5a, third[0]);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(SIGBUS, touch(second));
	EXPECT_EQ(SIGBUS, touch(third));
}

TEST_F(mapping, touch_after_somebody_else_rented)
{
	struct bufpool_rent theirs;
	int other = pool_open(), i;

	ASSERT_LE(0, other);
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	for (i = 0; i < 256; i++) {
		char *at = rent_mapped(other, BLOCK, &theirs);

		ASSERT_NE(NULL, at);
		ASSERT_TRUE(filled(at, 0, BLOCK));
		memset(at, 0x6b, BLOCK);
		if (theirs.offset == self->rent.offset)
			break;
	}
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(SIGBUS, poke(self->at, 1));
	close(other);
}

/* The mapping outlives the descriptor, and keeps the client alive. */
TEST_F(mapping, outlives_the_descriptor)
{
	int other = pool_open();
	__u64 before = in_use(other);

	ASSERT_LE(0, other);
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	EXPECT_EQ(before, in_use(other));
	ASSERT_EQ(0, munmap(self->at, BLOCK));
	EXPECT_TRUE(in_use_becomes(other, before - BLOCK));
	close(other);
}

/* Processes --------------------------------------------------------------- */

struct shared {
	int fd;
	struct bufpool_rent rent;
	char *at;
	unsigned int step;
};

static struct shared *share(int fd, const struct bufpool_rent *rent, char *at)
{
	struct shared *shared = shared_alloc(sizeof(*shared));

	if (shared) {
		shared->fd = fd;
		shared->rent = *rent;
		shared->at = at;
	}
	return shared;
}

static int touch_is_segv(void *arg)
{
	struct shared *shared = arg;

	CHECK(touch(shared->at) == SIGSEGV);
	CHECK(poke(shared->at, 1) == SIGSEGV);
	return 0;
}

TEST_F(mapping, child_does_not_inherit)
{
	struct shared *shared = share(self->fd, &self->rent, self->at);

	ASSERT_NE(NULL, shared);
	ASSERT_EQ(0, poke(self->at, 0x5a));
	EXPECT_EQ(0, in_child(touch_is_segv, shared));
	EXPECT_EQ(0x5a, self->at[0]);
}

/* Nor can it be told to. */
TEST_F(mapping, dofork_is_einval)
{
	struct shared *shared = share(self->fd, &self->rent, self->at);

	ASSERT_NE(NULL, shared);
	ASSERT_EQ(0, poke(self->at, 0x5a));
	EXPECT_EQ(-1, madvise(self->at, BLOCK, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, madvise(self->at, BLOCK / 2, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, in_child(touch_is_segv, shared));
}

static int see_until_returned(void *arg)
{
	struct shared *shared = arg;

	CHECK(filled(shared->at, 0x5a, BLOCK));
	CHECK(!poke(shared->at, 0x5a));
	word_set(&shared->step, 1);
	CHECK(word_reaches(&shared->step, 2));
	CHECK(touch(shared->at) == SIGBUS);
	CHECK(poke(shared->at, 1) == SIGBUS);
	CHECK(touch(shared->at + BLOCK - 1) == SIGBUS);
	return 0;
}

static int map_and_see_until_returned(void *arg)
{
	struct shared *shared = arg;

	shared->at = map_block(shared->fd, &shared->rent);
	CHECK(shared->at != MAP_FAILED);
	return see_until_returned(arg);
}

TEST_F(mapping, child_maps_by_itself)
{
	struct shared *shared = share(self->fd, &self->rent, NULL);
	pid_t pid;

	ASSERT_NE(NULL, shared);
	memset(self->at, 0x5a, BLOCK);
	pid = spawn(map_and_see_until_returned, shared);
	ASSERT_TRUE(word_reaches(&shared->step, 1));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	word_set(&shared->step, 2);
	EXPECT_EQ(0, reap(pid));
}

/* Changes of a mapping ---------------------------------------------------- */

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

/* How many ---------------------------------------------------------------- */

/*
 * Map a page as often as it is allowed; how often, or -errno if it is refused for
 * anything but too many mappings. Nothing is unmapped.
 */
static int room_for_mappings(int fd, __u64 offset)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int count;

	for (count = 0; map_at(fd, offset, page) != MAP_FAILED; count++)
		;
	return errno == ENOMEM ? count : -errno;
}

TEST_F(mapping, bound_is_the_clients)
{
	struct bufpool_status *status = map_status(self->fd);
	int other = pool_open();

	/* That page is the pool's, and costs nobody anything. */
	ASSERT_NE(NULL, status);
	ASSERT_LE(0, other);
	EXPECT_EQ(BUFPOOL_MAPPINGS_MAX - 1,
		  room_for_mappings(self->fd, self->rent.offset));
	EXPECT_NE(MAP_FAILED, map_at(other, self->rent.offset, self->page));
	EXPECT_EQ(0, munmap(self->at, BLOCK));
	EXPECT_EQ(1, room_for_mappings(self->fd, self->rent.offset));
	close(other);
}

static int map_and_end(void *arg)
{
	struct shared *shared = arg;

	CHECK(map_block(shared->fd, &shared->rent) != MAP_FAILED);
	if (shared->step)
		raise(SIGKILL);
	return 0;
}

/* Whatever is done with mappings, when they are gone there is all the room again. */
TEST_F(mapping, bound_counts_what_there_is)
{
	struct shared *shared = share(self->fd, &self->rent, self->at);
	const size_t page = self->page;
	char *at = self->at, *to = shared_alloc(BLOCK);
	int i;

	ASSERT_NE(NULL, shared);
	ASSERT_NE(NULL, to);
	for (i = 0; i < 10; i++) {
		/* What is refused. */
		EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
					   PROT_READ, MAP_PRIVATE));
		EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset + page,
					   page, PROT_READ, MAP_SHARED));
		/* What is over when its process is. */
		shared->step = i % 2;
		EXPECT_EQ(i % 2 ? -SIGKILL : 0, in_child(map_and_end, shared));
		/* Split in five, and moved away in parts. */
		ASSERT_EQ(0, mprotect(at + page, page, PROT_READ));
		ASSERT_EQ(0, mprotect(at + 3 * page, page, PROT_NONE));
		ASSERT_EQ(to, mremap(at + 5 * page, page, page,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		ASSERT_EQ(0, munmap(at + 7 * page, page));
		ASSERT_EQ(at + 9 * page,
			  mmap(at + 9 * page, page, PROT_READ,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		/* Replaced by one as before, and that moved there and back. */
		ASSERT_EQ(0, munmap(to, page));
		ASSERT_EQ(at, mmap(at, BLOCK, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, self->fd,
				   self->rent.offset));
		ASSERT_EQ(to, mremap(at, BLOCK, BLOCK,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		ASSERT_EQ(at, mremap(to, BLOCK, BLOCK,
				     MREMAP_MAYMOVE | MREMAP_FIXED, at));
	}
	EXPECT_EQ(BUFPOOL_MAPPINGS_MAX - 1,
		  room_for_mappings(self->fd, self->rent.offset));
}

/* A client with as many mappings of one block as there may be. */
FIXTURE(most)
{
	int fd;
	size_t page;
	struct bufpool_rent rent;
	char *at[BUFPOOL_MAPPINGS_MAX];
};

FIXTURE_SETUP(most)
{
	int i;

	self->page = sysconf(_SC_PAGESIZE);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++) {
		self->at[i] = map_block(self->fd, &self->rent);
		ASSERT_NE(MAP_FAILED, self->at[i]);
	}
}

FIXTURE_TEARDOWN(most)
{
	close(self->fd);
}

TEST_F(most, one_more_is_enomem)
{
	struct bufpool_stats before = stats_of(self->fd);

	EXPECT_EQ(-ENOMEM, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_SHARED));
	EXPECT_EQ(-ENOMEM, try_map(self->fd, 0, self->page, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_PRIVATE));
	EXPECT_TRUE(unchanged(self->fd, &before));
	ASSERT_EQ(0, munmap(self->at[0], BLOCK));
	EXPECT_EQ(0, try_map(self->fd, self->rent.offset, BLOCK, PROT_READ,
			     MAP_SHARED));
	self->at[0] = map_block(self->fd, &self->rent);
	ASSERT_NE(MAP_FAILED, self->at[0]);
	EXPECT_EQ(-ENOMEM, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_SHARED));
}

/* A part of a mapping would be one more. */
TEST_F(most, split_is_enomem)
{
	char *at = self->at[2], *to = shared_alloc(BLOCK);
	size_t page = self->page, i;

	ASSERT_NE(NULL, to);
	memset(at, 0x5a, BLOCK);
	EXPECT_EQ(-1, mprotect(at + page, page, PROT_READ));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(-1, munmap(at + page, page));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(MAP_FAILED, mremap(at + page, page, page,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(ENOMEM, errno);
	for (i = 0; i < BLOCK; i += page)
		EXPECT_EQ(0, poke(at + i, 0x5a));
	EXPECT_TRUE(filled(at, 0x5a, BLOCK));
	/* Room for two more is what a page in the middle needs. */
	ASSERT_EQ(0, munmap(self->at[0], BLOCK));
	ASSERT_EQ(0, munmap(self->at[1], BLOCK));
	EXPECT_EQ(0, mprotect(at + page, page, PROT_READ));
	EXPECT_EQ(SIGSEGV, poke(at + page, 1));
	EXPECT_EQ(-ENOMEM, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_SHARED));
}

TEST_F(most, whole_one_moves)
{
	char *at = self->at[0], *to = shared_alloc(BLOCK);

	ASSERT_NE(NULL, to);
	memset(at, 0x5a, BLOCK);
	ASSERT_EQ(to, mremap(at, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to));
	EXPECT_EQ(SIGSEGV, touch(at));
	EXPECT_TRUE(filled(to, 0x5a, BLOCK));
	EXPECT_EQ(-ENOMEM, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_SHARED));
}

TEST_F(most, are_all_revoked)
{
	int i;

	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++)
		ASSERT_EQ(0, poke(self->at[i], 0x5a));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++)
		ASSERT_EQ(SIGBUS, touch(self->at[i]));
}

/* Advice, locks and the like ---------------------------------------------- */

struct advice {
	const char *name;
	int advice;
	int answer;	/* 0, or the errno */
};

TEST_F(mapping, advice_takes_nothing_away)
{
	const struct advice table[] = {
		{ "NORMAL", MADV_NORMAL, 0 },
		{ "RANDOM", MADV_RANDOM, 0 },
		{ "SEQUENTIAL", MADV_SEQUENTIAL, 0 },
		{ "DONTNEED", MADV_DONTNEED, EINVAL },
		{ "FREE", MADV_FREE, EINVAL },
		{ "REMOVE", MADV_REMOVE, ENODEV },
		{ "DODUMP", MADV_DODUMP, EINVAL },
		{ "COLD", MADV_COLD, EINVAL },
		{ "PAGEOUT", MADV_PAGEOUT, EINVAL },
		{ "POPULATE_READ", MADV_POPULATE_READ, EINVAL },
		{ "POPULATE_WRITE", MADV_POPULATE_WRITE, EINVAL },
	};
	const int optional[] = {
		MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_WILLNEED,
	};
	size_t i;

	memset(self->at, 0x5a, BLOCK);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		int ret = madvise(self->at, BLOCK, table[i].advice);

		EXPECT_EQ(table[i].answer, ret ? errno : 0) {
			TH_LOG("MADV_%s", table[i].name);
		}
		EXPECT_TRUE(filled(self->at, 0x5a, BLOCK)) {
			TH_LOG("MADV_%s", table[i].name);
		}
	}
	/* Whether these are known depends on the kernel's configuration. */
	for (i = 0; i < ARRAY_SIZE(optional); i++) {
		madvise(self->at, BLOCK, optional[i]);
		EXPECT_TRUE(filled(self->at, 0x5a, BLOCK)) {
			TH_LOG("advice %d", optional[i]);
		}
	}
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
}

TEST_F(mapping, mlock_is_harmless)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(0, mlock(self->at, BLOCK));
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(0, munlock(self->at, BLOCK));
}

TEST_F(mapping, mlockall_future_is_harmless)
{
	char *at;

	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	at = map_block(self->fd, &self->rent);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, poke(at, 0x5a));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(at));
	munlockall();
}

/* Nothing can be populated where nothing is held. */
TEST_F(mapping, populate_is_harmless)
{
	char *at;

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	at = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, self->fd, self->rent.offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(SIGBUS, touch(at));
}

TEST_F(mapping, msync)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(0, msync(self->at, BLOCK, MS_ASYNC));
	EXPECT_EQ(0, msync(self->at, BLOCK, MS_ASYNC | MS_INVALIDATE));
	EXPECT_EQ(-1, msync(self->at, BLOCK, MS_SYNC));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

TEST_F(mapping, file_calls_on_the_descriptor)
{
	int ends[2];
	int fd = self->fd;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, fsync(fd));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, fdatasync(fd));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, fallocate(fd, 0, 0, BLOCK));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				self->rent.offset, BLOCK));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, readahead(fd, 0, BLOCK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	EXPECT_EQ(-1, sendfile(ends[1], fd, NULL, BLOCK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, splice(fd, NULL, ends[1], NULL, BLOCK,
			     SPLICE_F_NONBLOCK));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(-1, splice(ends[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	EXPECT_EQ(0, give_up(fd, self->rent.handle));
}

/* What the kernel itself reads and writes --------------------------------- */

TEST_F(mapping, write_from_a_block)
{
	char seen[4096];
	int ends[2];

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(sizeof(seen), write(ends[1], self->at, sizeof(seen)));
	ASSERT_EQ(sizeof(seen), read(ends[0], seen, sizeof(seen)));
	EXPECT_TRUE(filled(seen, 0x5a, sizeof(seen)));
}

/* The first touch is the kernel's. */
TEST_F(mapping, read_into_an_untouched_block)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), ends[2];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(5, write(ends[1], "hello", 5));
	ASSERT_EQ(5, read(ends[0], self->at + 100, 5));
	EXPECT_EQ(0, memcmp(self->at + 100, "hello", 5));
	EXPECT_EQ((ssize_t)BLOCK, read(fd, self->at, BLOCK));
	EXPECT_TRUE(filled(self->at, 0, BLOCK));
	close(fd);
}

TEST_F(mapping, read_into_a_returned_block_is_efault)
{
	int ends[2];

	ASSERT_EQ(0, poke(self->at, 1));
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(-1, write(ends[1], self->at, 1));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(-1, read(ends[0], self->at, 1));
	EXPECT_EQ(EFAULT, errno);
}

/* An ioctl's argument may itself be in a block. */
TEST_F(mapping, argument_in_a_block)
{
	struct bufpool_rent *rented = (void *)self->at;
	struct bufpool_return *back = (void *)(self->at + self->page);

	ASSERT_EQ(0, rent(self->fd, 1, rented));
	ASSERT_EQ(0, give_up(self->fd, rented->handle));
	/* A block that is given back by what is written in it. */
	back->size = sizeof(*back);
	back->flags = BUFPOOL_RETURN_REVOKE;
	back->handle = self->rent.handle;
	EXPECT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN, back));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN, back));
}

/* A page reference would outlive the return: none is to be had. */
TEST_F(mapping, vmsplice_is_efault)
{
	struct iovec iov = { .iov_base = self->at, .iov_len = self->page };
	int ends[2];

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, vmsplice(ends[1], &iov, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EFAULT, errno);
}

static int read_parent_memory(void *arg)
{
	struct shared *shared = arg;
	char seen[16];
	struct iovec local = { .iov_base = seen, .iov_len = sizeof(seen) };
	struct iovec remote = {
		.iov_base = shared->at,
		.iov_len = sizeof(seen),
	};

	struct iovec ordinary = { .iov_base = shared, .iov_len = 1 };

	if (process_vm_readv(getppid(), &local, 1, &ordinary, 1, 0) != 1)
		return KSFT_SKIP;
	CHECK(process_vm_readv(getppid(), &local, 1, &remote, 1, 0) == -1);
	CHECK(errno == EFAULT);
	return 0;
}

TEST_F(mapping, process_vm_readv_is_refused)
{
	struct shared *shared = share(self->fd, &self->rent, self->at);
	int ret;

	ASSERT_NE(NULL, shared);
	memset(self->at, 0x5a, BLOCK);
	ret = in_child(read_parent_memory, shared);
	if (ret == KSFT_SKIP)
		SKIP(return, "this kernel has no process_vm_readv");
	EXPECT_EQ(0, ret);
}

TEST_F(mapping, direct_io_is_efault)
{
	const char *const devices[] = {
		"/dev/ram0", "/dev/zram1", "/dev/zram0", "/dev/vda",
		"/dev/sda", "/dev/loop0",
	};
	char *own = shared_alloc(self->page);
	size_t i;
	int fd;

	ASSERT_NE(NULL, own);
	memset(self->at, 0x5a, BLOCK);
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		fd = open(devices[i], O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (pread(fd, own, self->page, 0) != (ssize_t)self->page) {
			close(fd);
			continue;
		}
		EXPECT_EQ(-1, pread(fd, self->at, self->page, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
		close(fd);
		return;
	}
	SKIP(return, "there is no block device to read directly");
}

/* Debuggers --------------------------------------------------------------- */

static int be_traced(void *arg)
{
	struct shared *shared = arg;

	shared->at = map_block(shared->fd, &shared->rent);
	CHECK(shared->at != MAP_FAILED);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 77;
	raise(SIGSTOP);
	return 0;
}

/* A child that maps the block and stops; NULL where it cannot be traced. */
static struct shared *start_traced(int fd, const struct bufpool_rent *rent,
				   pid_t *pid)
{
	struct shared *shared = share(fd, rent, NULL);
	int status;

	if (!shared)
		return NULL;
	*pid = spawn(be_traced, shared);
	if (waitpid(*pid, &status, WUNTRACED) != *pid || !WIFSTOPPED(status))
		return NULL;
	return shared;
}

static void end_traced(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

TEST_F(mapping, debugger_peeks)
{
	struct shared *shared;
	long word;
	pid_t pid;

	memset(self->at, 0x5a, BLOCK);
	memset(&word, 0x5a, sizeof(word));
	shared = start_traced(self->fd, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	errno = 0;
	EXPECT_EQ(word, ptrace(PTRACE_PEEKDATA, pid, shared->at, NULL));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(word, ptrace(PTRACE_PEEKDATA, pid,
			       shared->at + BLOCK - sizeof(word), NULL));

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, pid, shared->at, NULL));
	EXPECT_EQ(EIO, errno);
	end_traced(pid);
}

TEST_F(mapping, debugger_reads_memory)
{
	struct shared *shared;
	char path[64], *seen = shared_alloc(BLOCK);
	pid_t pid;
	int fd;

	memset(self->at, 0x5a, BLOCK);
	shared = start_traced(self->fd, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ((ssize_t)BLOCK, pread(fd, seen, BLOCK,
					(uintptr_t)shared->at));
	EXPECT_TRUE(filled(seen, 0x5a, BLOCK));

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(-1, pread(fd, seen, BLOCK, (uintptr_t)shared->at));
	EXPECT_EQ(EIO, errno);
	end_traced(pid);
	close(fd);
}

/* Somebody else's block is as far from a debugger as from its program. */
TEST_F(mapping, debugger_sees_no_foreign_block)
{
	int other = pool_open();
	struct shared *shared;
	pid_t pid;

	ASSERT_LE(0, other);
	memset(self->at, 0x5a, BLOCK);
	shared = start_traced(other, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, pid, shared->at, NULL));
	EXPECT_EQ(EIO, errno);
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, shared->at, 0L));
	EXPECT_EQ(EIO, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	end_traced(pid);
}

/* Not inherited, not in a core dump, not growing: as smaps shows it. */
TEST_F(mapping, flags_in_smaps)
{
	unsigned long start, end;
	char line[512];
	bool mine = false, seen = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	if (!smaps)
		SKIP(return, "there is no /proc/self/smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			mine = start == (uintptr_t)self->at;
		if (!mine || strncmp(line, "VmFlags:", 8))
			continue;
		seen = true;
		EXPECT_NE(NULL, strstr(line, " dd"));
		EXPECT_NE(NULL, strstr(line, " dc"));
		EXPECT_NE(NULL, strstr(line, " de"));
		EXPECT_NE(NULL, strstr(line, " pf"));
		EXPECT_EQ(NULL, strstr(line, " me"));
	}
	fclose(smaps);
	EXPECT_TRUE(seen);
}

TEST_HARNESS_MAIN
