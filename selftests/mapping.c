// SPDX-License-Identifier: MIT
/*
 * Mappings: what may be mapped where, and what its processes see in it and when.
 */
#include "mapping.h"

#include <sys/resource.h>

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
		__u64 block = class_size(&self->info, class);
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
		__u64 block = class_size(&self->info, class);
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

TEST_F(mapping, another_clients_block)
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

TEST_F(mapping, touch_after_another_client_rented)
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

TEST_HARNESS_MAIN
