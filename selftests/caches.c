// SPDX-License-Identifier: MIT
/*
 * What the kernel's allocator holds for the pool is what the pool says is pinned: it
 * keeps no free slabs of its own beside that, beyond limit and shrinker.
 */
#include "processor.h"
#include "slabinfo.h"

#define MOST		4096
#define LIMIT		(64 * MIB)
#define ALLOWANCE	(512 * KIB)	/* what may be in the allocator's hands just now */

FIXTURE(caches)
{
	int fd;
	struct bufpool_block blocks[MOST];
	const char *missing;	/* why this cannot be done here */
};

FIXTURE_SETUP(caches)
{
	self->missing = slabinfo_missing();
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
}

FIXTURE_TEARDOWN(caches)
{
	close(self->fd);
	parameters_restore();
}

static bool is_honest(int fd)
{
	__u64 pinned = stats_of(fd).pinned, held = held_by_caches();

	return held >= pinned && held <= pinned + ALLOWANCE;
}

static void say(struct __test_metadata *_metadata, int fd)
{
	TH_LOG("pinned %llu KiB, in the caches %llu KiB", stats_of(fd).pinned / KIB,
	       held_by_caches() / KIB);
}

/* Blocks of every size, from each processor. Return: how many. */
static int rent_all_sizes(int fd, struct bufpool_block *blocks)
{
	const int nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct bufpool_info info;
	int count = 0, cpu;
	__u64 size;

	if (pool_info(fd, &info))
		return -1;
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		pin(0, cpu);
		for (size = info.page_size; size <= MIB; size *= 2) {
			int ret = rent_many(fd, size, 4, blocks + count);

			if (ret > 0)
				count += ret;
		}
	}
	return count;
}

TEST_F(caches, hold_what_is_pinned)
{
	int count, i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	count = rent_all_sizes(self->fd, self->blocks);
	ASSERT_LT(0, count);
	say(_metadata, self->fd);
	EXPECT_TRUE(is_honest(self->fd));
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	say(_metadata, self->fd);
	EXPECT_TRUE(BECOMES(is_honest(self->fd)));
}

/* Given back, they are the kernel's at once, or as soon as the worker ran. */
TEST_F(caches, hold_nothing_after_a_trim)
{
	int count, i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	count = rent_all_sizes(self->fd, self->blocks);
	ASSERT_LT(0, count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_TRUE(BECOMES(is_honest(self->fd)));
	say(_metadata, self->fd);
	EXPECT_GT(MIB, stats_of(self->fd).pinned);
}

/* Nor of what a lower limit has it give back. */
TEST_F(caches, hold_nothing_over_a_lower_limit)
{
	int count, i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	count = rent_all_sizes(self->fd, self->blocks);
	ASSERT_LT(0, count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	ASSERT_EQ(0, limit_write(4 * MIB));
	EXPECT_TRUE(BECOMES(is_honest(self->fd)));
	say(_metadata, self->fd);
	EXPECT_GE(4 * MIB, stats_of(self->fd).pinned);
}

/* Nor of slabs that gave way to other sizes. */
TEST_F(caches, hold_nothing_of_what_gave_way)
{
	struct bufpool_block large[16];
	struct bufpool_info info;
	int count, i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	/* nor does anybody else have the allocator let go of anything meanwhile */
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, limit_write(ARRAY_SIZE(large) * MIB));
	count = drain(self->fd, info.slab_size / 2, self->blocks, MOST);
	ASSERT_LE((int)(ARRAY_SIZE(large) * MIB / info.slab_size), count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	ASSERT_EQ((int)ARRAY_SIZE(large), rent_many(self->fd, MIB, ARRAY_SIZE(large), large));
	say(_metadata, self->fd);
	EXPECT_TRUE(BECOMES(is_honest(self->fd)));
}

/* Who looks at the allocator reads of each cache what it is for. */
TEST_F(caches, are_named)
{
	char names[3][64];
	unsigned int i;

	snprintf(names[0], sizeof(names[0]), "/sys/kernel/slab/bufpool-%lluk", PAGE / KIB);
	snprintf(names[1], sizeof(names[1]), "/sys/kernel/slab/bufpool-%lluk-table", PAGE / KIB);
	snprintf(names[2], sizeof(names[2]), "/sys/kernel/slab/bufpool-branch");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_EQ(0, access(names[i], F_OK)) {
			TH_LOG("%s", names[i]);
		}
}

TEST_HARNESS_MAIN
