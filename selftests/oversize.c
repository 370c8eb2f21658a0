// SPDX-License-Identifier: MIT
/*
 * Blocks above max_pooled, of which there are none by default: the module is loaded
 * anew for these tests, from where BUFPOOL_KO says.
 */
#include "kmod.h"
#include "line.h"
#include "parameters.h"
#include "waiting.h"

#define MAX_POOLED	(1 * MIB)

FIXTURE(oversize)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_stats before;
	struct bufpool_rent rent;
};

/* A process that ends gives its descriptor back a moment later. */
static int reload(const char *parameters)
{
	const char *ko = getenv("BUFPOOL_KO");
	int ret, tries = 1000;

	do {
		ret = module_remove("bufpool");
	} while (ret == -EAGAIN && --tries && !usleep(1000));
	return ret && ret != -ENOENT ? ret :
	       module_insert(ko ? ko : "./bufpool.ko", parameters);
}

FIXTURE_SETUP(oversize)
{
	ASSERT_EQ(0, reload("max_pooled=1M"));
	parameters_save();
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(MAX_POOLED, self->info.max_pooled);
	ASSERT_LT(MAX_POOLED, self->info.max_rent);
	self->before = stats_of(self->fd);
}

FIXTURE_TEARDOWN(oversize)
{
	close(self->fd);
	EXPECT_EQ(0, reload(""));
}

/* Their memory goes back to the system with the block. */
TEST_F(oversize, is_freed_on_return)
{
	struct bufpool_stats before, during, after;
	struct bufpool_rent rented;
	__u64 size;

	for (size = MAX_POOLED + 1; size <= large_block(&self->info);
	     size = 2 * rented.length) {
		void *at;

		before = stats_of(self->fd);
		at = rent_mapped(self->fd, size, &rented);
		ASSERT_NE(NULL, at);
		memset(at, 0xff, rented.length);
		during = stats_of(self->fd);
		EXPECT_EQ(before.in_use + rented.length, during.in_use);
		EXPECT_EQ(before.pinned + rented.length, during.pinned);
		EXPECT_EQ(before.slabs_created + 1, during.slabs_created);

		ASSERT_EQ(0, give(self->fd, rented.handle));
		after = stats_of(self->fd);
		EXPECT_EQ(before.in_use, after.in_use);
		EXPECT_EQ(before.pinned, after.pinned);
		EXPECT_EQ(before.slabs_destroyed + 1, after.slabs_destroyed);
		EXPECT_EQ(SIGBUS, touch(at));
		munmap(at, rented.length);
	}
}

TEST_F(oversize, is_never_warm)
{
	ASSERT_EQ(0, parameter_write("warm_bytes", 64 * MIB));
	ASSERT_EQ(0, rent(self->fd, MAX_POOLED + 1, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(self->before.pinned, stats_of(self->fd).pinned);
}

/* It leaves room for many waiters. */
TEST_F(oversize, serves_several_waiters)
{
	static const __u64 sizes[] = {
		4 * KIB, 64 * KIB, 4 * KIB, 256 * KIB, 512 * KIB, 64 * KIB,
	};
	struct line *line = shared_alloc(sizeof(*line));
	pid_t pids[ARRAY_SIZE(sizes)];
	unsigned int i;

	ASSERT_NE(NULL, line);
	ASSERT_EQ(0, limit_write(large_block(&self->info)));
	ASSERT_EQ(0, rent(self->fd, large_block(&self->info), &self->rent));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pids[i] = enqueue(line, i, sizes[i]);
		ASSERT_LT(0, pids[i]);
	}
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_TRUE(only_served(line, ARRAY_SIZE(sizes)));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(0, dismiss(line, i, pids[i]));
}

TEST_HARNESS_MAIN
