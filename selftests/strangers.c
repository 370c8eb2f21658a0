// SPDX-License-Identifier: MIT
/*
 * No client waits for a stranger that lost its processor while it was making a
 * slab, in a fault, looking through clients or giving memory back.
 *
 * A call that waits for another task sleeps, and the kernel counts that. So the
 * tests stop strangers at random points, make calls that must not wait, and
 * require that none of them slept.
 */
#include "stranger.h"

#define ROUNDS		6		/* times that the strangers are stopped */
#define CALLS		8		/* in each of them */
#define TRIES		400		/* to meet a worker */
#define CLIENTS		512
#define MAPPINGS	256
#define SMALL		PAGE

static struct bufpool_info info;

static void __attribute__((constructor)) need_processors(void)
{
	if (get_nprocs() < 2)
		skip_all("strangers need a processor of their own");
	if (is_realtime())
		skip_all("on PREEMPT_RT whoever meets a spin lock, of anybody's, sleeps");
}

FIXTURE(strangers)
{
	int fd;
	struct crowd *crowd;
	const char *missing;
};

FIXTURE_VARIANT(strangers)
{
	enum hindrance hindrance;
};

FIXTURE_VARIANT_ADD(strangers, throttled) { .hindrance = THROTTLED };
FIXTURE_VARIANT_ADD(strangers, idle) { .hindrance = IDLE };
FIXTURE_VARIANT_ADD(strangers, preempted) { .hindrance = PREEMPTED };

FIXTURE_SETUP(strangers)
{
	self->missing = hindrance_missing(variant->hindrance);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
}

FIXTURE_TEARDOWN(strangers)
{
	if (self->crowd)
		crowd_disperse(self->crowd);
	close(self->fd);
	parameters_restore();
}

/*
 * Stop the strangers again and again, and make calls. How often the first call
 * that slept did so; 0 if none did; -1 if the strangers get nowhere.
 */
static long sleeps(struct crowd *crowd, int fd, void (*call)(int fd))
{
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		if (!crowd_release(crowd))
			return -1;
		crowd_hinder(crowd);
		for (i = 0; i < CALLS; i++) {
			long before = times_asleep();

			call(fd);
			if (times_asleep() != before)
				return times_asleep() - before;
		}
	}
	return 0;
}

/* Making slabs ---------------------------------------------------------------------- */

/* The largest blocks and half as large ones, in turn: each takes the other's room. */
static void make_slabs(void)
{
	static int fd = -1;
	struct bufpool_rent rented;
	__u64 size;

	if (fd < 0)
		fd = pool_open();
	for (size = large_block(&info); size >= large_block(&info) / 2; size /= 2)
		if (!rent(fd, size, &rented))
			give_up(fd, rented.handle);
}

static void rent_largest(int fd)
{
	struct bufpool_rent rented;

	if (!rent(fd, large_block(&info), &rented))
		give_up(fd, rented.handle);
}

/* Room for some of the largest blocks, so that making one is what most rents do. */
TEST_F(strangers, making_slabs)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, limit_write(3 * large_block(&info)));
	self->crowd = crowd_gather(variant->hindrance, make_slabs);
	ASSERT_NE(NULL, self->crowd);
	EXPECT_EQ(0, sleeps(self->crowd, self->fd, rent_largest));
}

/* Warm blocks ---------------------------------------------------------------------------- */

/* Touch fresh blocks in fresh page tables, and leave them warm. */
static void fault(void)
{
	static int fd = -1;
	struct bufpool_rent rented;
	char *at;

	if (fd < 0)
		fd = pool_open();
	if (rent(fd, large_block(&info) / 4, &rented))
		return;
	at = map_block(fd, &rented);
	if (at != MAP_FAILED) {
		poke(at, 1);
		munmap(at, rented.length);
	}
	give(fd, rented.handle);
}

static void steal(int fd)
{
	struct bufpool_block blocks[16];
	int count = drain(fd, large_block(&info) / 4, blocks, 16);

	while (count > 0)
		give_up(fd, blocks[--count].handle);
}

TEST_F(strangers, faulting)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, limit_write(2 * large_block(&info)));
	self->crowd = crowd_gather(variant->hindrance, fault);
	ASSERT_NE(NULL, self->crowd);
	EXPECT_EQ(0, sleeps(self->crowd, self->fd, steal));
}

/* Clients ------------------------------------------------------------------------------------ */

static void open_and_close(int fd)
{
	(void)fd;
	close(pool_open());
}

/* A process with many clients looks for a block to steal, in vain. */
static void look_through_clients(void)
{
	static int fds[CLIENTS];
	struct bufpool_rent rented;
	int i;

	for (i = 0; i < (int)often(CLIENTS) && !fds[i]; i++)
		fds[i] = pool_open();
	rent(fds[0], SMALL, &rented);
}

TEST_F(strangers, looking_through_many_clients)
{
	struct bufpool_rent rented;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, limit_write(large_block(&info)));
	while (!rent(self->fd, info.slab_size, &rented))
		;
	self->crowd = crowd_gather(variant->hindrance, look_through_clients);
	ASSERT_NE(NULL, self->crowd);
	EXPECT_EQ(0, sleeps(self->crowd, self->fd, open_and_close));
}

/* A block that many mappings reach: taking it away is a lot of work. */
static void trim_what_is_mapped_often(void)
{
	static char *at[MAPPINGS];
	static int fd = -1;
	struct bufpool_rent rented;
	int i;

	if (fd < 0)
		fd = pool_open();
	if (rent(fd, SMALL, &rented))
		return;
	for (i = 0; i < (int)often(MAPPINGS); i++) {
		if (!at[i])
			at[i] = map_at(fd, rented.offset, SMALL);
		if (at[i] != MAP_FAILED)
			poke(at[i], 1);
	}
	give(fd, rented.handle);
	write_text("/sys/class/misc/bufpool/trim", "1");
}

TEST_F(strangers, trimming_a_client_with_many_mappings)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	self->crowd = crowd_gather(variant->hindrance,
				   trim_what_is_mapped_often);
	ASSERT_NE(NULL, self->crowd);
	EXPECT_EQ(0, sleeps(self->crowd, self->fd, open_and_close));
}

/* What the kernel does in the background ---------------------------------------------------- */

FIXTURE(background)
{
	int fd;
	struct crowd *crowd;
};

FIXTURE_SETUP(background)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
}

FIXTURE_TEARDOWN(background)
{
	if (self->crowd)
		crowd_disperse(self->crowd);
	close(self->fd);
	parameters_restore();
}

/* Have slabs of a class that the allocator keeps for processor 1. */
static int keep_slabs_there(void *arg)
{
	struct bufpool_block blocks[8];
	int fd = pool_open(), count;

	CHECK(fd >= 0 && pin(0, 1));
	count = drain(fd, *(__u64 *)arg, blocks, 8);
	CHECK(count > 0);
	while (count > 0)
		CHECK(!give_up(fd, blocks[--count].handle));
	return 0;
}

/* Slabs of another class give way, and no work on processor 1 is waited for. */
TEST_F(background, slabs_give_way)
{
	__u64 size = large_block(&info) / 4;
	struct bufpool_block blocks[8];
	long before;
	int round;

	ASSERT_EQ(0, limit_write(2 * large_block(&info)));
	for (round = 0; round < ROUNDS; round++) {
		int count;

		ASSERT_EQ(0, in_child(keep_slabs_there, &size));
		ASSERT_TRUE(pin(0, 0));
		before = times_asleep();
		count = drain(self->fd, size / 2, blocks, 8);
		EXPECT_EQ(before, times_asleep());
		EXPECT_EQ(8, count);
		while (count > 0)
			ASSERT_EQ(0, give_up(self->fd, blocks[--count].handle));
	}
}

/* Return the only free block dirty, and ask while a worker may be zeroing it. */
TEST_F(background, blocks_are_zeroed)
{
	__u64 scrubs = stats_of(self->fd).scrubs, seed = random_seed();
	struct bufpool_block held[3];
	struct bufpool_rent rented;
	long before, slept = 0;
	int tries = often(TRIES), i;

	ASSERT_EQ(0, limit_write(4 * MIB));
	ASSERT_EQ(3, rent_many(self->fd, MIB, 3, held));
	/* and longer, where the worker gets little of a processor */
	for (i = 0; i < tries || (i < 100 * tries &&
				  stats_of(self->fd).scrubs <= scrubs + tries / 8); i++) {
		struct timespec pause = {
			.tv_nsec = 3 * NSEC_PER_MSEC +
				   next_random(&seed) % (6 * NSEC_PER_MSEC),
		};

		ASSERT_EQ(0, rent_with(self->fd, MIB, 0, 0, &rented));
		ASSERT_TRUE(block_fill(self->fd, rented.offset, MIB, 1));
		ASSERT_EQ(0, give_up(self->fd, rented.handle));
		nanosleep(&pause, NULL);
		before = times_asleep();
		/* the worker leaves it to who wants it */
		ASSERT_EQ(0, rent(self->fd, MIB, &rented));
		slept += times_asleep() - before;
		ASSERT_EQ(0, give_up(self->fd, rented.handle));
	}
	EXPECT_EQ(0, slept);
	EXPECT_LT(scrubs + tries / 8, stats_of(self->fd).scrubs);
}

/* A timeout ends ---------------------------------------------------------------------------- */

/*
 * The spinner goes on for seconds, the calls are over after a hundredth of that; if
 * they needed a stranger, they would end after the spinner.
 */
TEST_F(background, timeouts_end_without_strangers)
{
	int round, i;

	ASSERT_EQ(0, limit_write(3 * large_block(&info)));
	self->crowd = crowd_gather(PREEMPTED, make_slabs);
	ASSERT_NE(NULL, self->crowd);
	for (round = 0; round < ROUNDS; round++) {
		struct bufpool_rent rented;

		ASSERT_TRUE(crowd_release(self->crowd));
		crowd_hinder(self->crowd);
		for (i = 0; i < CALLS; i++) {
			int ret = rent_with(self->fd, large_block(&info), 0,
					    NSEC_PER_MSEC, &rented);

			ASSERT_TRUE(!ret || ret == -ETIMEDOUT);
			if (!ret)
				ASSERT_EQ(0, give_up(self->fd, rented.handle));
		}
		ASSERT_EQ(0, word_get(&self->crowd->outlasted));
	}
}

TEST_HARNESS_MAIN
