// SPDX-License-Identifier: MIT
/*
 * How many mappings a client may have, and what counts as one.
 */
#include "mapping.h"

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

	/* The status page does not count. */
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

/* Pages of a block that count as one mapping of it */
#define COUNTED	1024

/* Fills in what a class is; and as how many one mapping of its blocks counts, or -errno. */
static int class_counts(int fd, unsigned int nr, struct bufpool_class_info *class)
{
	int ret;

	memset(class, 0, sizeof(*class));
	class->size = sizeof(*class);
	class->nr = nr;
	ret = pool_ioctl(fd, BUFPOOL_IOC_CLASS, class);
	if (ret)
		return ret;
	return (class->block_size / PAGE + COUNTED - 1) / COUNTED;
}

/* So nobody who takes a block has more than that many page-table entries to clear. */
TEST_F(mapping, bound_is_lower_for_large_blocks)
{
	struct bufpool_class_info class;
	unsigned int nr;

	for (nr = 0; nr < self->info.nr_classes; nr++) {
		int count = class_counts(self->fd, nr, &class), fd;

		ASSERT_LE(1, count);
		if (class.block_size < COUNTED * self->page)
			continue;
		fd = pool_open();
		ASSERT_LE(0, fd);
		EXPECT_EQ(BUFPOOL_MAPPINGS_MAX / count, room_for_mappings(fd, class.offset));
		/* what is left would do for none of these */
		EXPECT_GT(count, room_for_mappings(fd, self->rent.offset));
		close(fd);
	}
}

/* Of large blocks too, whatever is done with mappings, it is the same when they are gone. */
TEST_F(mapping, bound_counts_large_blocks_as_they_come_and_go)
{
	unsigned int nr = self->info.nr_classes - 1;
	struct bufpool_class_info class;
	int count = class_counts(self->fd, nr, &class), fd = pool_open(), i;
	const size_t page = self->page;
	char *at, *to;

	ASSERT_LE(1, count);
	ASSERT_LE(0, fd);
	to = shared_alloc(page);
	ASSERT_NE(NULL, to);
	for (i = 0; i < 10; i++) {
		at = map_at(fd, class.offset, 2 * class.block_size);
		ASSERT_NE(MAP_FAILED, at);
		ASSERT_EQ(0, mprotect(at + page, page, PROT_READ));
		ASSERT_EQ(to, mremap(at + 5 * page, page, page,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		ASSERT_EQ(0, munmap(at + class.block_size, page));
		ASSERT_EQ(0, munmap(at, 2 * class.block_size));
		ASSERT_EQ(0, munmap(to, page));
	}
	EXPECT_EQ(BUFPOOL_MAPPINGS_MAX / count, room_for_mappings(fd, class.offset));
	close(fd);
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

TEST_HARNESS_MAIN
