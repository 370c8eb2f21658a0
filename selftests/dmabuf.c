// SPDX-License-Identifier: MIT
/*
 * Blocks as dma-bufs: what one shows, how long it holds its block, and that nobody else gets
 * that meanwhile; for both kinds of blocks.
 */
#include "late.h"
#include "outside.h"
#include "parameters.h"

#include <pthread.h>
#include <sys/resource.h>

#include <linux/dma-buf.h>

#define BLOCK		(16 * PAGE)
#define STAMP		0x5717171717171717ULL
#define EXPORTS		BUFPOOL_EXPORTS_MAX

FIXTURE(dmabuf)
{
	int fd;
	int dmabuf;
	struct bufpool_rent rented;
	char *at;
};

FIXTURE_VARIANT(dmabuf)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(dmabuf, slab)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(dmabuf, pages)
{
	.flags = BUFPOOL_RENT_IO,
};

static int rent_as(int fd, __u64 size, __u32 flags, struct bufpool_rent *rented)
{
	return rent_with(fd, size, flags | BUFPOOL_RENT_NONBLOCK, 0, rented);
}

FIXTURE_SETUP(dmabuf)
{
	ASSERT_EQ(0, limit_write(MIB));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	/* what another test exported may be gone a moment after it */
	ASSERT_TRUE(BECOMES(!rent_as(self->fd, BLOCK, variant->flags, &self->rented)));
	self->at = map_block(self->fd, &self->rented);
	ASSERT_NE(MAP_FAILED, self->at);
	memset(self->at, 'd', BLOCK);
	self->dmabuf = export_block(self->fd, self->rented.handle);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("errno %d", -self->dmabuf);
}

FIXTURE_TEARDOWN(dmabuf)
{
	close(self->dmabuf);
	close(self->fd);
	parameters_restore();
}

static __u64 quarantined(int fd)
{
	return stats_of(fd).quarantined;
}

/* All others can rent all else. */
static bool others_get_it(__u64 size, __u32 flags, __u64 offset)
{
	struct bufpool_rent rented;
	int fd = pool_open();
	bool got = false;

	while (!rent_as(fd, size, flags, &rented))
		got = got || rented.offset == offset;
	close(fd);
	return got;
}

/* Another client in the place of one. */
static int reopened(int fd)
{
	close(fd);
	return pool_open();
}

/* What fdinfo of the dma-buf says. */
static bool has_line(int dmabuf, const char *line)
{
	char path[64], text[1024] = "";
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	return length > 0 && strstr(text, line);
}

TEST_F(dmabuf, is_as_large_as_the_block_and_named)
{
	EXPECT_EQ(BLOCK, lseek(self->dmabuf, 0, SEEK_END));
	EXPECT_TRUE(has_line(self->dmabuf, "exp_name:\tbufpool\n"));
	EXPECT_EQ(0, ioctl(self->dmabuf, DMA_BUF_SET_NAME, "a frame"));
	EXPECT_TRUE(has_line(self->dmabuf, "name:\ta frame\n"));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->dmabuf, F_GETFD));
}

TEST_F(dmabuf, mapped_has_the_same_bytes)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	char *at = map_at(self->dmabuf, 0, BLOCK);
	struct outsider outsider;

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
	EXPECT_TRUE(filled(at, 'd', BLOCK));
	at[BLOCK - 1] = 'e';
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	EXPECT_EQ(0, ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
	EXPECT_EQ('e', self->at[BLOCK - 1]);
	/* by this mapping nobody gets a reference */
	EXPECT_EQ(-EFAULT, outsider_take(&outsider, at, BLOCK));
	outsider_end(&outsider);
	EXPECT_EQ(-EINVAL, try_map(self->dmabuf, 0, BLOCK, PROT_READ, MAP_PRIVATE));
	/* newer kernels have their own reason */
	EXPECT_GT(0, try_map(self->dmabuf, 0, BLOCK, PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->dmabuf, 0, BLOCK + PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->dmabuf, PAGE, BLOCK, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, try_map(self->dmabuf, PAGE, BLOCK - PAGE, PROT_READ, MAP_SHARED));
	munmap(at, BLOCK);
}

static int read_in_child(void *at)
{
	CHECK(filled(at, 4, PAGE));
	return 0;
}

/* Whatever becomes of an area, each page of it has what that of the block has. */
TEST_F(dmabuf, mapped_in_part_and_moved)
{
	char *at = map_at(self->dmabuf, PAGE, BLOCK - PAGE), *to;
	__u64 i;

	ASSERT_NE(MAP_FAILED, at);
	for (i = 0; i < BLOCK / PAGE; i++)
		memset(self->at + i * PAGE, i, PAGE);
	ASSERT_EQ(0, munmap(at, PAGE));
	EXPECT_TRUE(filled(at + 2 * PAGE, 3, PAGE));
	to = map_at(self->dmabuf, 0, BLOCK);
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_EQ(to, mremap(at + PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_TRUE(filled(to, 2, PAGE));
	EXPECT_TRUE(filled(to + PAGE, 3, PAGE));
	EXPECT_TRUE(filled(to + 2 * PAGE, 2, PAGE));
	EXPECT_EQ(SIGSEGV, touch(at + PAGE));
	/* a child has it, too, also what nobody has touched yet */
	EXPECT_EQ(0, in_child(read_in_child, at + 3 * PAGE));
	EXPECT_EQ(MAP_FAILED, mremap(to, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
	munmap(to, BLOCK);
	munmap(at, BLOCK - PAGE);
}

/* The end is exact: no worker has to look. */
TEST_F(dmabuf, holds_the_block_until_it_is_closed)
{
	char *at = map_at(self->dmabuf, 0, BLOCK);

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_bytes);
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_FALSE(others_get_it(BLOCK, variant->flags, self->rented.offset));
	close(self->dmabuf);
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	EXPECT_TRUE(filled(at, 'd', BLOCK));
	munmap(at, BLOCK);
	EXPECT_EQ(0, quarantined(self->fd));
	EXPECT_TRUE(others_get_it(BLOCK, variant->flags, self->rented.offset));
	self->dmabuf = -1;
}

TEST_F(dmabuf, outlives_its_client)
{
	char *at = map_at(self->dmabuf, 0, BLOCK);
	int fd;

	ASSERT_NE(MAP_FAILED, at);
	munmap(self->at, BLOCK);
	close(self->fd);
	EXPECT_FALSE(others_get_it(BLOCK, variant->flags, self->rented.offset));
	EXPECT_TRUE(filled(at, 'd', BLOCK));
	munmap(at, BLOCK);
	fd = pool_open();
	EXPECT_EQ(BLOCK, quarantined(fd));
	close(self->dmabuf);
	EXPECT_EQ(0, quarantined(fd));
	EXPECT_EQ(0, stats_of(fd).user_held);
	self->dmabuf = -1;
	self->fd = fd;
}

/* Each is one of its own, and the last of them ends it. */
TEST_F(dmabuf, twice_is_two)
{
	int second = export_block(self->fd, self->rented.handle);

	ASSERT_LE(0, second);
	EXPECT_NE(self->dmabuf, second);
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	close(second);
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	close(self->dmabuf);
	EXPECT_EQ(0, quarantined(self->fd));
	self->dmabuf = -1;
}

/* Among others that are returned together it is the one that does not stay warm. */
TEST_F(dmabuf, returned_among_others)
{
	struct bufpool_rent others[2];
	__u64 handles[3];
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rent_as(self->fd, BLOCK, variant->flags, &others[i]));
	handles[0] = others[0].handle;
	handles[1] = self->rented.handle;
	handles[2] = others[1].handle;
	EXPECT_EQ(3, give_many(self->fd, handles, 3));
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	EXPECT_EQ(SIGBUS, touch(self->at));
	close(self->dmabuf);
	EXPECT_EQ(0, quarantined(self->fd));
	self->dmabuf = -1;
}

/* Closed in time it leaves no trace: the block stays warm as any. */
TEST_F(dmabuf, closed_before_the_return)
{
	close(self->dmabuf);
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(0, quarantined(self->fd));
	EXPECT_EQ(BLOCK, stats_of(self->fd).client_warm_bytes);
	self->dmabuf = -1;
}

/* Or while the block is returned: it is quarantined for a moment, or not at all. */
struct closer {
	unsigned int rounds;
	int dmabuf;
	unsigned int round;
	unsigned int closed;
};

static void *close_on(void *arg)
{
	struct closer *closer = arg;
	unsigned int round, spins;
	__u64 seed = random_seed();

	for (round = 1; round <= closer->rounds; round++) {
		while (word_get(&closer->round) < round)
			;
		for (spins = next_random(&seed) % 2000; spins; spins--)
			__asm__ volatile("" ::: "memory");
		close(closer->dmabuf);
		word_set(&closer->closed, round);
	}
	return NULL;
}

TEST_F(dmabuf, closed_while_it_is_returned)
{
	struct closer closer = { .rounds = often(4000) };
	struct bufpool_rent rented;
	unsigned int round;
	pthread_t thread;

	ASSERT_EQ(0, give_up(self->fd, self->rented.handle));
	close(self->dmabuf);
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_on, &closer));
	for (round = 1; round <= closer.rounds; round++) {
		ASSERT_EQ(0, rent_as(self->fd, BLOCK, variant->flags, &rented));
		closer.dmabuf = export_block(self->fd, rented.handle);
		ASSERT_LE(0, closer.dmabuf);
		word_set(&closer.round, round);
		ASSERT_EQ(0, give(self->fd, rented.handle));
		while (word_get(&closer.closed) < round)
			;
	}
	pthread_join(thread, NULL);
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).user_quarantined));
	EXPECT_EQ(0, quarantined(self->fd));
	self->dmabuf = -1;
}

TEST_F(dmabuf, only_of_what_the_client_rents)
{
	struct bufpool_export args = {
		.size = sizeof(args),
		.flags = 1,
		.handle = self->rented.handle,
	};
	int other = pool_open();

	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_EXPORT, &args));
	EXPECT_EQ(-ENOENT, export_block(other, self->rented.handle));
	EXPECT_EQ(-ENOENT, export_block(self->fd, 0));
	EXPECT_EQ(-ENOENT, export_block(self->fd, NO_HANDLE));
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(-ESTALE, export_block(self->fd, self->rented.handle));
	close(other);
}

TEST_F(dmabuf, so_many_at_a_time)
{
	int more[EXPORTS];
	int nr = 0;

	while (nr < EXPORTS && (more[nr] = export_block(self->fd, self->rented.handle)) >= 0)
		nr++;
	EXPECT_EQ(EXPORTS - 1, nr);
	EXPECT_EQ(-EBUSY, more[nr]);
	while (nr)
		close(more[--nr]);
	nr = export_block(self->fd, self->rented.handle);
	EXPECT_LE(0, nr);
	close(nr);
}

/* What was written by that alone the next owner does not find. */
TEST_F(dmabuf, written_by_nothing_else)
{
	struct bufpool_rent rented;
	int dmabuf;
	bool zero;
	char *at;

	ASSERT_EQ(0, give_up(self->fd, self->rented.handle));
	close(self->dmabuf);
	ASSERT_EQ(0, rent_as(self->fd, BLOCK, variant->flags, &rented));
	dmabuf = export_block(self->fd, rented.handle);
	ASSERT_LE(0, dmabuf);
	at = map_at(dmabuf, 0, BLOCK);
	ASSERT_NE(MAP_FAILED, at);
	memset(at, 's', BLOCK);
	munmap(at, BLOCK);
	close(dmabuf);
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(0, quarantined(self->fd));
	self->fd = reopened(self->fd);
	/* another may come first */
	do {
		ASSERT_EQ(0, rent_as(self->fd, BLOCK, variant->flags, &self->rented));
		zero = block_is_zero(self->fd, self->rented.offset, BLOCK);
	} while (zero && self->rented.offset != rented.offset);
	EXPECT_TRUE(zero);
	self->dmabuf = -1;
}

/* Where there is no descriptor for one there is none, and the block is as it was. */
TEST_F(dmabuf, without_a_descriptor)
{
	struct rlimit before, few;

	close(self->dmabuf);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = self->dmabuf;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_EQ(-EMFILE, export_block(self->fd, self->rented.handle));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(0, quarantined(self->fd));
	EXPECT_EQ(BLOCK, stats_of(self->fd).client_warm_bytes);
	self->dmabuf = -1;
}

/* A pipe has it still when the dma-buf ends, and then nothing. */
TEST_F(dmabuf, ends_before_other_references)
{
	struct outsider outsider;

	if (!variant->flags)
		SKIP(return, "nothing else can have such a block");
	ASSERT_EQ(0, outsider_take(&outsider, self->at, BLOCK));
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	close(self->dmabuf);
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	EXPECT_TRUE(outsider_has(&outsider, 'd'));
	outsider_end(&outsider);
	/* nothing tells of that, and nobody asks for blocks */
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
	self->dmabuf = -1;
}

/* A device has it attached and mapped, and so does the kernel, when all others have gone. */
TEST_F(dmabuf, a_device_has_it_to_the_end)
{
	int late = late_open();
	char *at = map_at(self->dmabuf, 0, BLOCK);
	__u64 *words = (__u64 *)at, *last = words + BLOCK / sizeof(*words) - 1;

	if (late < 0)
		SKIP(return, "there is no module bufpool_late");
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, late_write_dmabuf(late, self->dmabuf, STAMP, 200));
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	close(self->dmabuf);
	/* it begins with the first */
	EXPECT_TRUE(BECOMES(__atomic_load_n(last, __ATOMIC_RELAXED) == STAMP));
	EXPECT_EQ(STAMP, words[0]);
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	munmap(at, BLOCK);
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
	close(late);
	self->dmabuf = -1;
}

/* The largest, which may be in pieces; others see it as one. */
TEST_F(dmabuf, the_largest)
{
	struct bufpool_info info;
	int late = late_open(), dmabuf;
	struct bufpool_rent rented;
	__u64 *words, nr;
	char *at;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	parameters_restore();
	nr = variant->flags ? info.max_rent_io : large_block(&info);
	ASSERT_EQ(0, rent_as(self->fd, nr, variant->flags, &rented));
	at = map_block(self->fd, &rented);
	ASSERT_NE(MAP_FAILED, at);
	dmabuf = export_block(self->fd, rented.handle);
	ASSERT_LE(0, dmabuf);
	words = map_at(dmabuf, 0, nr);
	ASSERT_NE(MAP_FAILED, words);
	nr /= sizeof(*words);
	while (nr--)
		((__u64 *)at)[nr] = nr;
	for (nr = 0; nr < rented.length / sizeof(*words) && words[nr] == nr; nr++)
		;
	EXPECT_EQ(rented.length / sizeof(*words), nr);
	if (late >= 0) {
		EXPECT_EQ(0, late_write_dmabuf(late, dmabuf, STAMP, 0));
		EXPECT_TRUE(BECOMES(__atomic_load_n(words, __ATOMIC_RELAXED) == STAMP));
		EXPECT_TRUE(BECOMES(((__u64 *)at)[nr - 1] == STAMP));
	}
	munmap(words, rented.length);
	close(dmabuf);
	close(late);
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	munmap(at, rented.length);
	/* the device lets go of it after it has written, which is more than the next limit */
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
}

TEST_HARNESS_MAIN
