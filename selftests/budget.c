// SPDX-License-Identifier: MIT
/*
 * Budgets: what may be written, the pool's limit, a client's ceiling, and counters
 * that never say anything else.
 */
#include "effort.h"

#include <sched.h>

#define LIMIT	(4 * MIB)
#define BLOCK	(64 * KIB)
#define MOST	64		/* blocks within the limit */
#define ALICE	4711
#define BOB	4712

FIXTURE(budget)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_block blocks[MOST];
	struct bufpool_rent rent;
	struct bufpool_stats before;
};

FIXTURE_SETUP(budget)
{
	ASSERT_EQ(0, limit_write(LIMIT));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(budget)
{
	close(self->fd);
	parameters_restore();
}

/* What may be written ----------------------------------------------------------- */

TEST_F(budget, no_rubbish)
{
	static const char *const rubbish[] = {
		"\n", "rubbish", "-1", "12x", "K", "1MM", "4M 4M", "0x", "1e6",
		"18446744073709551616", "99999999999G", " ", "+", "1.5",
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(parameters); i++) {
		__u64 before = parameter_read(parameters[i]);

		for (j = 0; j < ARRAY_SIZE(rubbish); j++) {
			EXPECT_EQ(-EINVAL, parameter_write_text(parameters[i],
								rubbish[j])) {
				TH_LOG("%s of '%s'", parameters[i], rubbish[j]);
			}
			EXPECT_EQ(before, parameter_read(parameters[i]));
		}
	}
}

struct range {
	const char *name;
	__u64 good[4];
	__u64 bad[4];		/* 0 ends it, but for the first */
};

TEST_F(budget, ranges)
{
	const struct range ranges[] = {
		{ "limit", { 1 * MIB, 2 * MIB, 64 * MIB },
		  { 0, PAGE, self->info.slab_size - 1, UINT64_MAX } },
		{ "quota", { 0, PAGE, 1 * MIB, INT64_MAX },
		  { 1, PAGE - 1, 1ULL << 63 } },
		{ "share", { 0, PAGE, 1 * MIB, INT64_MAX },
		  { 1, PAGE - 1, 1ULL << 63 } },
		{ "floor", { 0, 1, 1 * MIB, 64 * MIB },
		  { 1ULL << 62, UINT64_MAX } },
		{ "warm_blocks", { 0, 1, 64, 65535 },
		  { 65536, 1ULL << 32, UINT64_MAX } },
		{ "warm_bytes", { 0, 1, PAGE, 64 * MIB },
		  { 1ULL << 62, UINT64_MAX } },
		{ "trim_ms", { 10, 100, 10000, 3600000 },
		  { 0, 9, 3600001, UINT64_MAX } },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct range *range = &ranges[i];

		for (j = 0; j < 4 && (!j || range->good[j]); j++) {
			EXPECT_EQ(0, parameter_write(range->name,
						     range->good[j])) {
				TH_LOG("%s=%llu", range->name, range->good[j]);
			}
			EXPECT_EQ(range->good[j], parameter_read(range->name));
		}
		for (j = 0; j < 4 && (!j || range->bad[j]); j++) {
			__u64 before = parameter_read(range->name);

			EXPECT_EQ(-EINVAL, parameter_write(range->name,
							   range->bad[j])) {
				TH_LOG("%s=%llu", range->name, range->bad[j]);
			}
			EXPECT_EQ(before, parameter_read(range->name));
		}
	}
}

TEST_F(budget, suffixes)
{
	EXPECT_EQ(0, parameter_write_text("quota", "64K"));
	EXPECT_EQ(64 * KIB, parameter_read("quota"));
	EXPECT_EQ(0, parameter_write_text("floor", "3M\n"));
	EXPECT_EQ(3 * MIB, parameter_read("floor"));
	EXPECT_EQ(0, parameter_write_text("warm_bytes", "1M"));
	EXPECT_EQ(1 * MIB, parameter_read("warm_bytes"));
	/* A number of something else takes none. */
	EXPECT_EQ(-EINVAL, parameter_write_text("warm_blocks", "1K"));
	EXPECT_EQ(-EINVAL, parameter_write_text("trim_ms", "1K"));
}

static int write_without_root(void *arg)
{
	size_t i;

	(void)arg;
	CHECK(become(ALICE, 0));
	for (i = 0; i < ARRAY_SIZE(parameters); i++)
		CHECK(parameter_write(parameters[i], 1 * MIB) == -EACCES);
	return 0;
}

TEST_F(budget, only_root_writes)
{
	EXPECT_EQ(0, in_child(write_without_root, NULL));
}

/* The limit ------------------------------------------------------------------------ */

/* Lowered, nothing is taken away; what comes back is not given again, but goes. */
TEST_F(budget, lower_limit_shrinks_as_blocks_come_back)
{
	struct bufpool_stats now;
	int i;

	ASSERT_EQ(MOST, rent_many(self->fd, BLOCK, MOST, self->blocks));
	for (i = 0; i < MOST; i++)
		ASSERT_TRUE(block_fill(self->fd, self->blocks[i].offset, BLOCK,
				       i + 1));
	ASSERT_EQ(0, limit_write(1 * MIB));
	now = stats_of(self->fd);
	EXPECT_EQ(LIMIT, now.in_use);
	EXPECT_EQ(LIMIT, now.pinned);
	for (i = 0; i < MOST - 16; i++) {
		EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
		EXPECT_EQ(-EAGAIN, rent(self->fd, 1, &self->rent));
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		now = stats_of(self->fd);
		EXPECT_EQ(LIMIT - (i + 1) * BLOCK, now.in_use);
		EXPECT_LE(now.in_use + now.warm, now.pinned);
		/* No more than the free blocks of one slab are kept. */
		EXPECT_GE(now.in_use + self->info.slab_size - BLOCK,
			  now.pinned);
		EXPECT_EQ(0, now.warm);
	}
	for (; i < MOST; i++) {
		char *at = map_at(self->fd, self->blocks[i].offset, BLOCK);

		ASSERT_NE(MAP_FAILED, at);
		EXPECT_TRUE(filled(at, i + 1, BLOCK));
		munmap(at, BLOCK);
	}
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->blocks[MOST - 1].handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &self->rent));
}

/* Warm blocks of all clients are given back at once. */
TEST_F(budget, lower_limit_takes_warm_blocks)
{
	struct bufpool_stats now;
	char *at;
	int i;

	ASSERT_EQ(MOST, rent_many(self->fd, BLOCK, MOST, self->blocks));
	at = map_at(self->fd, self->blocks[0].offset, BLOCK);
	ASSERT_NE(MAP_FAILED, at);
	memset(at, 0x5a, BLOCK);
	for (i = 0; i < MOST; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	EXPECT_EQ(LIMIT, stats_of(self->fd).warm);
	ASSERT_EQ(0, limit_write(1 * MIB));
	now = stats_of(self->fd);
	EXPECT_GE(1 * MIB, now.pinned);
	EXPECT_GE(1 * MIB, now.warm);
	EXPECT_EQ(SIGBUS, touch(at));
	ASSERT_EQ(0, limit_write(LIMIT));
	EXPECT_EQ(MOST, rent_many(self->fd, BLOCK, MOST, self->blocks));
}

/* Below what one block of the largest size needs. */
TEST_F(budget, lower_limit_makes_some_sizes_impossible)
{
	if (self->info.max_rent <= 1 * MIB)
		SKIP(return, "no block is larger than the lowest limit");
	ASSERT_EQ(0, rent(self->fd, 2 * MIB, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	ASSERT_EQ(0, limit_write(1 * MIB));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 2 * MIB, &self->rent));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, 2 * MIB, 0, 0, &self->rent));
	ASSERT_EQ(0, limit_write(LIMIT));
	EXPECT_EQ(0, rent(self->fd, 2 * MIB, &self->rent));
}

/* Up and down, while nothing is done. */
TEST_F(budget, limit_up_and_down)
{
	int i;

	ASSERT_EQ(8, rent_many(self->fd, BLOCK, 8, self->blocks));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, limit_write(i & 1 ? LIMIT : 1 * MIB));
		EXPECT_EQ(8 * BLOCK, stats_of(self->fd).in_use);
		ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
		ASSERT_EQ(0, give(self->fd, self->rent.handle));
	}
}

/* The ceiling ---------------------------------------------------------------------- */

TEST_F(budget, ceiling_counts_bytes_of_every_size)
{
	struct bufpool_rent small;

	ASSERT_EQ(0, set_ceiling(self->fd, 32 * PAGE));
	ASSERT_EQ(0, rent(self->fd, 16 * PAGE, &self->rent));
	ASSERT_EQ(0, rent(self->fd, 1, &small));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 16 * PAGE, &self->rent));
	ASSERT_EQ(0, rent(self->fd, 8 * PAGE, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 8 * PAGE, &self->rent));
	EXPECT_EQ(1, rent_many(self->fd, 4 * PAGE, 8, self->blocks));
	EXPECT_EQ((16 + 8 + 4 + 1) * PAGE, stats_of(self->fd).client_bytes);
}

TEST_F(budget, ceiling_below_what_is_held)
{
	int i;

	ASSERT_EQ(8, rent_many(self->fd, BLOCK, 8, self->blocks));
	ASSERT_EQ(0, set_ceiling(self->fd, 4 * BLOCK));
	EXPECT_EQ(8 * BLOCK, stats_of(self->fd).client_bytes);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	}
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->blocks[4].handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
}

TEST_F(budget, ceiling_holds_after_every_failure)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = BLOCK,
		.count = 4,
		.blocks = 8,
	};
	int i;

	ASSERT_EQ(0, set_ceiling(self->fd, 4 * BLOCK));
	for (i = 0; i < 50; i++) {
		EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY,
					      &many));
		EXPECT_EQ(-EDQUOT, rent(self->fd, 5 * BLOCK, &self->rent));
		EXPECT_EQ(-EMSGSIZE, rent(self->fd, self->info.max_rent + 1,
					  &self->rent));
	}
	EXPECT_EQ(4, rent_many(self->fd, BLOCK, 8, self->blocks));
	EXPECT_EQ(-EDQUOT, rent_many(self->fd, BLOCK, 8, self->blocks));
}

static int lower_and_raise(void *arg)
{
	struct bufpool_rent rented;
	int fd = *(int *)arg;

	CHECK(become(ALICE, 0));
	CHECK(set_ceiling(fd, 3 * BLOCK) == -EPERM);
	CHECK(!set_ceiling(fd, 2 * BLOCK));
	CHECK(!set_ceiling(fd, 1 * BLOCK));
	CHECK(!set_ceiling(fd, 1 * BLOCK));
	CHECK(set_ceiling(fd, 2 * BLOCK) == -EPERM);
	CHECK(set_ceiling(fd, UINT64_MAX) == -EPERM);
	CHECK(stats_of(fd).client_ceiling == BLOCK);
	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(rent(fd, 1, &rented) == -EDQUOT);
	return 0;
}

/* A launcher sets it for the program that it hands the descriptor to. */
TEST_F(budget, ceiling_is_raised_by_the_privileged)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 2 * BLOCK));
	EXPECT_EQ(0, in_child(lower_and_raise, &self->fd));
	EXPECT_EQ(0, set_ceiling(self->fd, 2 * BLOCK));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(0, set_ceiling(self->fd, UINT64_MAX));
	EXPECT_EQ(UINT64_MAX, stats_of(self->fd).client_ceiling);
}

/* Not by where it opens, but by what it may. */
static int raise_with_the_capability(void *arg)
{
	int fd;

	(void)arg;
	CHECK(become(ALICE, ONLY_OPEN | CAP_TO_MASK(CAP_SYS_RESOURCE)));
	fd = pool_open();
	CHECK(fd >= 0);
	CHECK(!set_ceiling(fd, BLOCK));
	CHECK(!set_ceiling(fd, 2 * BLOCK));
	CHECK(become(ALICE, 0));
	CHECK(set_ceiling(fd, 3 * BLOCK) == -EPERM);
	return 0;
}

TEST_F(budget, ceiling_needs_the_capability_not_root)
{
	EXPECT_EQ(0, in_child(raise_with_the_capability, NULL));
}

/* Counters that never drift ----------------------------------------------------------- */

#define STORMERS	4

static int open_or_fail(void)
{
	int fd = pool_open();

	CHECK(fd >= 0);
	return fd;
}

struct storm {
	unsigned int stop;
	unsigned int samples;
	unsigned int actions[STORMERS];
	unsigned int refusals[STORMERS];
	__u64 seeds[STORMERS];
	__u64 most_in_use;
	__u64 most_held;
};

struct stormer {
	struct storm *storm;
	int number;
	uid_t uid;
};

/* Rent and return, of every size and in every way. */
static int be_stormy(void *arg)
{
	const struct stormer *stormer = arg;
	struct storm *storm = stormer->storm;
	__u64 *seed = &storm->seeds[stormer->number];
	struct bufpool_block held[16] = { 0 };
	int fd;

	CHECK(become(stormer->uid, ONLY_OPEN));
	fd = open_or_fail();
	while (!__atomic_load_n(&storm->stop, __ATOMIC_ACQUIRE)) {
		struct bufpool_block *block = &held[next_random(seed) % 16];
		struct bufpool_rent rented;
		int ret = 0;

		if (block->length) {
			__u32 flags = next_random(seed) % 8;

			ret = give_with(fd, block->handle, flags & 4 ? flags & 3 : 0);
			block->length = 0;
			CHECK(!ret);
		} else {
			ret = rent_with(fd, 4096ULL << next_random(seed) % 9,
					next_random(seed) & 1 ?
					BUFPOOL_RENT_NONBLOCK : 0,
					NSEC_PER_MSEC, &rented);
			if (!ret) {
				block->handle = rented.handle;
				block->length = rented.length;
			}
			CHECK(!ret || ret == -EAGAIN || ret == -EDQUOT ||
			      ret == -ETIMEDOUT);
		}
		if (next_random(seed) % 64 == 0)
			CHECK(trim(fd, 0) >= 0);
		if (next_random(seed) % 256 == 0) {
			CHECK(!close(fd));
			fd = open_or_fail();
			memset(held, 0, sizeof(held));
		}
		storm->actions[stormer->number]++;
		storm->refusals[stormer->number] += !!ret;
	}
	return 0;
}

static void sample(struct storm *storm, int fd, bool is_tenant)
{
	struct bufpool_stats now = stats_of(fd);

	CHECK(now.in_use <= now.pinned);
	CHECK(now.pinned <= now.limit);
	CHECK(now.in_use + now.warm <= now.limit);
	CHECK(now.limit == LIMIT);
	CHECK(now.slabs_destroyed <= now.slabs_created);
	CHECK(now.clients <= 64);
	if (is_tenant) {
		CHECK(now.user_quota == 1 * MIB);
		CHECK(now.user_held <= now.user_quota);
	}
	word_set(&storm->samples, storm->samples + 1);
	if (storm->most_in_use < now.in_use)
		storm->most_in_use = now.in_use;
	if (is_tenant && storm->most_held < now.user_held)
		storm->most_held = now.user_held;
}

static int keep_sampling(void *arg)
{
	struct storm *storm = arg;
	int root = open_or_fail(), fd;

	CHECK(become(ALICE, ONLY_OPEN));
	fd = open_or_fail();
	while (!__atomic_load_n(&storm->stop, __ATOMIC_ACQUIRE)) {
		sample(storm, root, false);
		sample(storm, fd, true);
	}
	return 0;
}

/* What all have done, each of them anything at all. */
static __u64 actions_of(const struct storm *storm)
{
	__u64 actions = 0;
	int i;

	for (i = 0; i < STORMERS; i++) {
		if (!word_get(&storm->actions[i]))
			return 0;
		actions += word_get(&storm->actions[i]);
	}
	return actions;
}

static void start_storm(struct storm *storm, pid_t *pids, __u64 *seed)
{
	int i;

	for (i = 0; i < STORMERS; i++) {
		struct stormer stormer = {
			.storm = storm,
			.number = i,
			.uid = i & 1 ? ALICE : BOB,
		};

		storm->seeds[i] = next_random(seed);
		pids[i] = spawn(be_stormy, &stormer);
	}
}

TEST_F_TIMEOUT(budget, counters_never_drift, A_DAY)
{
	struct storm *storm = shared_alloc(sizeof(*storm));
	struct effort effort = effort_begin(often(60000), 4);
	pid_t pids[STORMERS], sampler;
	struct bufpool_stats after;
	__u64 seed = random_seed();
	int i;

	ASSERT_NE(NULL, storm);
	ASSERT_EQ(0, parameter_write("quota", 1 * MIB));
	start_storm(storm, pids, &seed);
	sampler = spawn(keep_sampling, storm);
	while ((effort_goes_on(&effort, actions_of(storm)) || !word_get(&storm->samples)) &&
	       !child_has_ended())
		sleep_ms(1);
	word_set(&storm->stop, 1);
	EXPECT_EQ(0, reap(sampler));
	for (i = 0; i < STORMERS; i++) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_LT(0, storm->actions[i]);
		TH_LOG("%u actions, %u of them refused", storm->actions[i],
		       storm->refusals[i]);
	}
	TH_LOG("%u samples, at most %llu in use and %llu of a user",
	       storm->samples, storm->most_in_use, storm->most_held);
	EXPECT_LT(0, storm->samples);
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	after = stats_of(self->fd);
	EXPECT_EQ(0, after.warm);
	EXPECT_EQ(0, after.waiting);
	EXPECT_EQ(1, after.clients);
	EXPECT_EQ(after.rents, after.returns);
	/* nearly at the quota slabs are small */
	EXPECT_EQ(0, after.pinned % PAGE);
	EXPECT_EQ(0, after.user_held);
	EXPECT_EQ(after.pinned, after.idle);
}

/* The same with a limit that others move, which may be below what is in use. */
TEST_F_TIMEOUT(budget, counters_under_a_moving_limit, A_DAY)
{
	struct storm *storm = shared_alloc(sizeof(*storm));
	struct effort effort = effort_begin(often(80), 4);
	__u64 seed = random_seed();
	unsigned int moves = 0;
	struct bufpool_stats now;
	pid_t pids[STORMERS];
	int i;

	ASSERT_NE(NULL, storm);
	start_storm(storm, pids, &seed);
	while ((effort_goes_on(&effort, moves++) || !actions_of(storm)) &&
	       !child_has_ended()) {
		ASSERT_EQ(0, limit_write((1 + next_random(&seed) % 4) * MIB));
		for (i = 0; i < 50; i++) {
			now = stats_of(self->fd);
			EXPECT_LE(now.in_use, now.pinned);
			EXPECT_LE(now.pinned, LIMIT);
		}
	}
	word_set(&storm->stop, 1);
	for (i = 0; i < STORMERS; i++) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_LT(0, storm->actions[i]);
	}
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	now = stats_of(self->fd);
	EXPECT_EQ(0, now.warm);
	EXPECT_LE(now.pinned, now.limit);
	EXPECT_EQ(now.rents, now.returns);
}

TEST_HARNESS_MAIN
