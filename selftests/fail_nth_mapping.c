// SPDX-License-Identifier: MIT
/*
 * What a process does with its mappings of the pool, with each allocation that this needs
 * failing once: what was mapped stays so, with its bytes, unless the answer is that it does not.
 */
#include "keeper.h"
#include "nth.h"

/* Where a process has nothing: each level of page tables has to be made for a mapping. */
#define FAR		((char *)(1ULL << 45))
#define FARTHER		((char *)(1ULL << 46))
/* Of a block, apart from both of its ends */
#define MIDDLE		(4 * PAGE)
#define BYTE		0x5a

/*
 * The first touch comes from a system call, whose answer is an error where a touch of
 * the program's own would be repeated by the kernel.
 */
struct mapped {
	int fd;			/* what is mapped */
	__u64 offset;
	size_t length;
	int prot;
	int flags;		/* besides MAP_SHARED and where */
	int takes;		/* a pipe's end that takes anything */
	int gives;		/* what gives bytes to be written, or -1 */
};

static int map_far(const struct mapped *mapped)
{
	void *at = mmap(FAR, mapped->length, mapped->prot,
			MAP_SHARED | MAP_FIXED_NOREPLACE | mapped->flags, mapped->fd,
			mapped->offset);

	return at == MAP_FAILED ? -errno : 0;
}

static int touch_far(const struct mapped *mapped, void *at)
{
	ssize_t ret = mapped->gives < 0 ? write(mapped->takes, at, 1) :
					  read(mapped->gives, at, 1);

	return ret < 0 ? -errno : 0;
}

static void unmap_far(int fd, void *arg)
{
	struct mapped *mapped = arg;

	(void)fd;
	munmap(FAR, mapped->length);
}

static int run_map_and_touch(int fd, void *arg)
{
	struct mapped *mapped = arg;
	int ret = map_far(mapped);

	if (ret)
		return ret;
	ret = touch_far(mapped, FAR);
	if (ret)
		unmap_far(fd, arg);
	return ret;
}

/* What is mapped there, to begin with a block of the client */
static struct mapped mapped_block(int fd, const struct bufpool_rent *rent)
{
	int ends[2];

	CHECK(!pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	return (struct mapped){
		.fd = fd,
		.offset = rent->offset,
		.length = rent->length,
		.prot = PROT_READ | PROT_WRITE,
		.takes = ends[1],
		.gives = -1,
	};
}

static __u64 status_offset(int fd)
{
	struct bufpool_info info = { .status_offset = 0 };

	CHECK(!pool_info(fd, &info));
	return info.status_offset;
}

static __u64 stacks_offset(int fd)
{
	struct bufpool_info info = { .stacks_offset = 0 };

	CHECK(!pool_info(fd, &info));
	return info.stacks_offset;
}

/* How many rounds it took until the mapping was made and touched */
static unsigned int sweep_making(struct __test_metadata *_metadata, int nth, int fd,
				 const struct bufpool_stats *before, struct mapped *mapped,
				 int (*run)(int fd, void *arg))
{
	const struct operation operation = { .run = run, .undo = unmap_far, .arg = mapped };

	return sweep(_metadata, nth, fd, before, &operation);
}

#define SWEEP_MAKING(run) \
	sweep_making(_metadata, self->nth, self->fd, &self->before, &mapped, run)

TEST_F(nth, map_and_read)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	/* an area, and three tables */
	EXPECT_LT(4, SWEEP_MAKING(run_map_and_touch));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
}

TEST_F(nth, map_and_write)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	mapped.gives = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mapped.gives);
	EXPECT_LT(4, SWEEP_MAKING(run_map_and_touch));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
}

TEST_F(nth, map_populated)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	mapped.flags = MAP_POPULATE;
	EXPECT_LT(4, SWEEP_MAKING(run_map_and_touch));
}

TEST_F(nth, map_and_touch_the_status)
{
	struct bufpool_rent page = { .offset = status_offset(self->fd), .length = PAGE };
	struct mapped mapped = mapped_block(self->fd, &page);

	mapped.prot = PROT_READ;
	EXPECT_LT(4, SWEEP_MAKING(run_map_and_touch));
}

/* A stack's page is made at the first touch, and stays as long as the client. */
TEST_F(nth, map_and_touch_a_stack)
{
	struct bufpool_rent page = { .offset = stacks_offset(self->fd), .length = PAGE };
	struct mapped mapped = mapped_block(self->fd, &page);

	EXPECT_LT(5, SWEEP_MAKING(run_map_and_touch));
}

TEST_F(nth, map_and_touch_a_dma_buf)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	mapped.fd = export_block(self->fd, self->rent.handle);
	ASSERT_LE(0, mapped.fd);
	mapped.offset = 0;
	EXPECT_LT(4, SWEEP_MAKING(run_map_and_touch));
}

/* All of it at once, where the processor can */
TEST_F(nth, map_and_touch_a_huge_block)
{
	struct bufpool_rent rented;
	struct bufpool_info info;
	struct mapped mapped;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, rent_with(self->fd, largest_within(&info, 4 * MIB),
			       BUFPOOL_RENT_IO | BUFPOOL_RENT_NONBLOCK, 0, &rented));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	mapped = mapped_block(self->fd, &rented);
	EXPECT_LT(3, SWEEP_MAKING(run_map_and_touch));
	EXPECT_EQ(0, give(self->fd, rented.handle));
}

/* A block takes the place of its own middle, in an area that is to be read only. */
static int run_map_over(int fd, void *arg)
{
	struct mapped *mapped = arg;
	int ret = run_map_and_touch(fd, arg);

	if (ret)
		return ret;
	if (mmap(FAR + MIDDLE, MIDDLE, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		 mapped->offset) == MAP_FAILED)
		ret = -errno;
	ret = ret ?: touch_far(mapped, FAR + MIDDLE) ?: touch_far(mapped, FAR + 2 * MIDDLE);
	if (ret)
		unmap_far(fd, arg);
	return ret;
}

TEST_F(nth, map_over)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	EXPECT_LT(7, SWEEP_MAKING(run_map_over));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
}

/* The area is there before, whole, and is so after a failure. */
static bool is_whole(int fd, void *arg)
{
	struct mapped *mapped = arg;
	unsigned char byte;
	size_t at;

	(void)fd;
	for (at = 0; at < mapped->length; at += PAGE)
		if (peek(FAR + at, &byte) || byte != BYTE || poke(FAR + at, BYTE))
			return false;
	return true;
}

static void map_whole(struct mapped *mapped)
{
	CHECK(!map_far(mapped));
	memset(FAR, BYTE, mapped->length);
}

static void map_again(int fd, void *arg)
{
	unmap_far(fd, arg);
	map_whole(arg);
}

static int run_unmap_the_middle(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	return munmap(FAR + MIDDLE, MIDDLE) ? -errno : 0;
}

static int run_protect_the_middle(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	return mprotect(FAR + MIDDLE, MIDDLE, PROT_READ) ? -errno : 0;
}

static int run_move(int fd, void *arg)
{
	struct mapped *mapped = arg;

	(void)fd;
	if (mremap(FAR, mapped->length, mapped->length, MREMAP_MAYMOVE | MREMAP_FIXED,
		   FARTHER) == MAP_FAILED)
		return -errno;
	return 0;
}

static void move_back(int fd, void *arg)
{
	struct mapped *mapped = arg;

	CHECK(mremap(FARTHER, mapped->length, mapped->length, MREMAP_MAYMOVE | MREMAP_FIXED,
		     FAR) == FAR);
	CHECK(is_whole(fd, arg));
}

/* How many rounds it took until the block's mapping was changed */
static unsigned int sweep_change(struct __test_metadata *_metadata, int nth,
				 const struct bufpool_stats *before, struct mapped *mapped,
				 int (*run)(int fd, void *arg),
				 void (*undo)(int fd, void *arg))
{
	const struct operation operation = {
		.run = run,
		.undo = undo,
		.is_whole = is_whole,
		.arg = mapped,
	};

	map_whole(mapped);
	return sweep(_metadata, nth, mapped->fd, before, &operation);
}

TEST_F(nth, unmap_the_middle)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	EXPECT_LT(1, sweep_change(_metadata, self->nth, &self->before, &mapped,
				  run_unmap_the_middle, map_again));
}

TEST_F(nth, protect_the_middle)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	EXPECT_LT(1, sweep_change(_metadata, self->nth, &self->before, &mapped,
				  run_protect_the_middle, map_again));
}

TEST_F(nth, move)
{
	struct mapped mapped = mapped_block(self->fd, &self->rent);

	EXPECT_LT(1, sweep_change(_metadata, self->nth, &self->before, &mapped,
				  run_move, move_back));
}

TEST_HARNESS_MAIN
