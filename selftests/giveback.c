// SPDX-License-Identifier: MIT
/*
 * Giving memory back: what is idle, what the system needs, and what is zeroed in the
 * background.
 */
#include "bufpool_test.h"

#include "pressure.h"
#include "probe.h"
#include "tracing.h"

#define BLOCK		(64 * KIB)
#define PERIOD_MS	50
#define MOST		512
#define LOAD		16	/* blocks that are used again and again */
#define STEADY		3	/* periods, in which they would go if they were not */

/* All that is not rented goes; what the pool's own work has in its hands, a bit later. */
static bool empty_pool(int fd)
{
	return BECOMES(!write_text("/sys/class/misc/bufpool/trim", "1") &&
		       !stats_of(fd).pinned);
}

FIXTURE(giveback)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_block *blocks;
};

FIXTURE_SETUP(giveback)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_TRUE(empty_pool(self->fd));
}

FIXTURE_TEARDOWN(giveback)
{
	close(self->fd);
	parameters_restore();
}

/* Rent @count blocks, write into them, and return them in the given way. */
static bool burst(int fd, struct bufpool_block *blocks, int count, __u32 flags)
{
	int i;

	if (drain(fd, BLOCK, blocks, count) != count)
		return false;
	for (i = 0; i < count; i++) {
		if (!block_fill(fd, blocks[i].offset, BLOCK, 0xff) ||
		    give_with(fd, blocks[i].handle, flags))
			return false;
	}
	return true;
}

/* As a burst, but no block is written to. */
static bool rent_and_give_up(int fd, struct bufpool_block *blocks, int count,
			     __u64 size)
{
	if (drain(fd, size, blocks, count) != count)
		return false;
	while (count--)
		if (give_up(fd, blocks[count].handle))
			return false;
	return true;
}

static bool pinned_falls_to(int fd, __u64 want)
{
	return BECOMES(stats_of(fd).pinned <= want);
}

/* Idle ---------------------------------------------------------------------------- */

/* Step by step, never below the floor, and the steps are printed. */
TEST_F(giveback, idle_falls_to_the_floor)
{
	const __u64 floor = 512 * KIB;
	unsigned int steps = 0, looks = 0;
	char text[512] = "";
	__u64 last;

	ASSERT_EQ(0, parameter_write("floor", floor));
	ASSERT_TRUE(burst(self->fd, self->blocks, 128,
			  BUFPOOL_RETURN_REVOKE));
	last = stats_of(self->fd).pinned;
	ASSERT_LE(128 * BLOCK, last);
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	while (last > floor && look_again(&looks)) {
		__u64 now = stats_of(self->fd).pinned;

		EXPECT_LE(now, last);
		EXPECT_GE(now, floor);
		if (now != last) {
			size_t at = strlen(text);

			snprintf(text + at, sizeof(text) - at, " %llu",
				 now / KIB);
			steps++;
		}
		last = now;
	}
	TH_LOG("KiB pinned: %llu%s", 128 * BLOCK / KIB, text);
	EXPECT_EQ(floor, last);
	EXPECT_LE(3, steps);
	/* And there it stays. */
	sleep_ms(5 * PERIOD_MS);
	EXPECT_EQ(floor, stats_of(self->fd).pinned);
}

/* The same from warm blocks, which are idle, too. */
TEST_F(giveback, idle_warm_blocks_go_too)
{
	char *at;

	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_TRUE(burst(self->fd, self->blocks, 32, 0));
	at = map_at(self->fd, self->blocks[0].offset, BLOCK);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(32, stats_of(self->fd).client_warm_blocks);
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	EXPECT_TRUE(pinned_falls_to(self->fd, 0));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(0, stats_of(self->fd).user_held);
	EXPECT_EQ(SIGBUS, touch(at));
}

/*
 * But not sooner than after two periods. That a block is gone is seen some time after it went,
 * so what is measured can only be too long.
 */
#define LONG_PERIOD_MS	1000

TEST_F(giveback, warm_blocks_stay_for_two_periods)
{
	struct bufpool_rent rented;
	__u64 returned, stayed;

	ASSERT_EQ(0, parameter_write("trim_ms", LONG_PERIOD_MS));
	/* in the middle between two looks */
	sleep_ms(LONG_PERIOD_MS / 2);
	returned = now_ms();
	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).client_warm_blocks));
	stayed = now_ms() - returned;
	TH_LOG("gone after %llu ms", stayed);
	EXPECT_LE(2 * LONG_PERIOD_MS, stayed);
}

/* A rented block stays, however long, and so does its slab. */
TEST_F(giveback, rented_block_stays)
{
	struct bufpool_rent kept;
	char *at;

	at = rent_mapped(self->fd, BLOCK, &kept);
	ASSERT_NE(NULL, at);
	memset(at, 0x5a, BLOCK);
	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_TRUE(burst(self->fd, self->blocks, 64,
			  BUFPOOL_RETURN_REVOKE));
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	EXPECT_TRUE(pinned_falls_to(self->fd, self->info.slab_size));
	EXPECT_EQ(self->info.slab_size, stats_of(self->fd).pinned);
	EXPECT_TRUE(filled(at, 0x5a, BLOCK));
	EXPECT_EQ(0, give(self->fd, kept.handle));
}

/*
 * A load of bursts, again and again for some periods. It is steady when there is
 * more than one of them in each period: what that takes is not known beforehand.
 */
struct load {
	__u32 flags;
	__u64 period;			/* ms */
	unsigned int bursts;
	struct bufpool_stats before, after;
};

/* Begins with nothing but what the load itself has. */
static bool load_begin(int fd, struct bufpool_block *blocks, struct load *load)
{
	load->bursts = 0;
	return !parameter_write("floor", 0) &&
	       !parameter_write("trim_ms", 3600000) && empty_pool(fd) &&
	       burst(fd, blocks, LOAD, load->flags) &&
	       burst(fd, blocks, LOAD, load->flags) &&
	       !parameter_write("trim_ms", load->period);
}

/* The longest time from one burst to the end of the next, or 0: it failed. */
static __u64 load_run(int fd, struct bufpool_block *blocks, struct load *load)
{
	__u64 end, last, now, longest = 1;

	if (!load_begin(fd, blocks, load))
		return 0;
	load->before = stats_of(fd);
	last = now_ms();
	for (end = last + STEADY * load->period; last < end; last = now) {
		if (!burst(fd, blocks, LOAD, load->flags))
			return 0;
		load->bursts++;
		now = now_ms();
		if (longest < now - last)
			longest = now - last;
	}
	load->after = stats_of(fd);
	return longest;
}

/* However slow a machine is, and whatever holds it up. */
static bool load_steadily(int fd, struct bufpool_block *blocks,
			  struct load *load)
{
	__u64 longest;

	for (load->period = 2 * PERIOD_MS;; load->period = 4 * longest) {
		longest = load_run(fd, blocks, load);
		if (!longest || 2 * longest < load->period)
			return longest;
	}
}

/* A client that goes on using its blocks keeps them, warm ones too. */
TEST_F(giveback, steady_load_keeps_its_blocks)
{
	struct load load = { .flags = 0 };

	ASSERT_TRUE(load_steadily(self->fd, self->blocks, &load));
	TH_LOG("KiB pinned: %llu before and %llu after %u bursts in %u periods of %llu ms",
	       load.before.pinned / KIB, load.after.pinned / KIB, load.bursts,
	       STEADY, load.period);
	EXPECT_LE(LOAD * BLOCK, load.after.pinned);
	EXPECT_EQ(load.before.slabs_created, load.after.slabs_created);
	EXPECT_EQ(LOAD * load.bursts, load.after.client_warm_rents -
				      load.before.client_warm_rents);
}

/* The same without warm blocks: free blocks are used, so they are needed. */
TEST_F(giveback, steady_load_keeps_the_free_list)
{
	struct load load = { .flags = BUFPOOL_RETURN_REVOKE };

	ASSERT_TRUE(load_steadily(self->fd, self->blocks, &load));
	/* While a block is being zeroed in the background, another is needed. */
	EXPECT_GE(load.before.slabs_created + 4, load.after.slabs_created);
}

/* A floor above what there is, and a change of it. */
TEST_F(giveback, floor_can_be_changed)
{
	ASSERT_EQ(0, parameter_write("floor", 64 * MIB));
	ASSERT_TRUE(burst(self->fd, self->blocks, 64,
			  BUFPOOL_RETURN_REVOKE));
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	sleep_ms(6 * PERIOD_MS);
	EXPECT_LE(64 * BLOCK, stats_of(self->fd).pinned);
	ASSERT_EQ(0, parameter_write("floor", 2 * MIB));
	EXPECT_TRUE(pinned_falls_to(self->fd, 2 * MIB));
	ASSERT_EQ(0, parameter_write("floor", 0));
	EXPECT_TRUE(pinned_falls_to(self->fd, 0));
}

/* What goes, goes to the page allocator. */
TEST_F(giveback, free_memory_rises)
{
	/* Slabs of eight pages and less would be kept for each processor. */
	const __u64 size = 16 * PAGE;
	const int count = 20 * MIB / size;
	__u64 before, held, after;

	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_EQ(0, limit_write(24 * MIB));
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	before = memory_number("MemFree");
	ASSERT_TRUE(rent_and_give_up(self->fd, self->blocks, count, size));
	held = memory_number("MemFree");
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	EXPECT_TRUE(pinned_falls_to(self->fd, 0));
	/* The slab caches let go a moment later. */
	EXPECT_TRUE(BECOMES((after = memory_number("MemFree")) >=
			    held + 16 * KIB));
	TH_LOG("MiB free: %llu before, %llu with 20 pooled, %llu after",
	       before / KIB, held / KIB, after / KIB);
}

/* Scrubbing ------------------------------------------------------------------------ */

static bool scrubs_reach(int fd, __u64 want)
{
	return BECOMES(stats_of(fd).scrubs >= want);
}

/*
 * Whether the scrubber has come to the end of its work, one dirty block more, and
 * has zeroed @want since the pool was made.
 */
static bool scrubs_are(int fd, struct bufpool_block *block, __u64 want)
{
	return burst(fd, block, 1, BUFPOOL_RETURN_REVOKE) &&
	       scrubs_reach(fd, want + 1) && stats_of(fd).scrubs == want + 1;
}

/* Blocks that come back dirty are zeroed before they are rented again. */
TEST_F(giveback, dirty_blocks_are_scrubbed)
{
	struct bufpool_stats before = stats_of(self->fd), after;
	int other = pool_open(), i;

	ASSERT_LE(0, other);
	ASSERT_TRUE(burst(self->fd, self->blocks, 64,
			  BUFPOOL_RETURN_REVOKE));
	EXPECT_TRUE(scrubs_reach(self->fd, before.scrubs + 64));
	after = stats_of(self->fd);
	EXPECT_EQ(before.scrubs + 64, after.scrubs);
	EXPECT_EQ(before.in_use, after.in_use);
	/* None has to be zeroed again, which is seen in the counter too. */
	ASSERT_EQ(64, rent_many(other, BLOCK, 64, self->blocks));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, give_up(other, self->blocks[i].handle));
	EXPECT_TRUE(scrubs_are(self->fd, self->blocks, before.scrubs + 64));
	ASSERT_EQ(64, rent_many(other, BLOCK, 64, self->blocks));
	for (i = 0; i < 64; i++)
		EXPECT_TRUE(block_is_zero(other, self->blocks[i].offset,
					  BLOCK));
	close(other);
}

/* What was cleared or never touched is clean already. */
TEST_F(giveback, clean_blocks_are_not_scrubbed)
{
	__u64 before = stats_of(self->fd).scrubs;
	int i;

	ASSERT_TRUE(burst(self->fd, self->blocks, 16, BUFPOOL_RETURN_CLEAR));
	ASSERT_EQ(16, rent_many(self->fd, BLOCK, 16, self->blocks));
	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	EXPECT_TRUE(scrubs_are(self->fd, self->blocks, before));
}

/* A rental in the middle of it gets what is there, and zeroes. */
TEST_F(giveback, rentals_while_it_scrubs)
{
	int round, i;

	for (round = 0; round < 6; round++) {
		ASSERT_TRUE(burst(self->fd, self->blocks, 32,
				  BUFPOOL_RETURN_REVOKE));
		ASSERT_EQ(32, rent_many(self->fd, BLOCK, 32, self->blocks));
		for (i = 0; i < 32; i++) {
			ASSERT_TRUE(block_is_zero(self->fd,
						  self->blocks[i].offset,
						  BLOCK));
			ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
		}
	}
}

/* A full pool that is being scrubbed is not empty for a renter. */
TEST_F(giveback, scrubbing_takes_nothing_away)
{
	int round, i;

	ASSERT_EQ(0, limit_write(1 * MIB));
	for (round = 0; round < 12; round++) {
		ASSERT_TRUE(burst(self->fd, self->blocks, 16,
				  BUFPOOL_RETURN_REVOKE));
		sleep_ms(next_random(&(__u64){ round + 1 }) % 8);
		for (i = 0; i < 16; i++) {
			struct bufpool_rent rented;

			/* One may be in the scrubber's hands for a moment. */
			ASSERT_EQ(0, rent_with(self->fd, BLOCK, 0,
					       0, &rented));
			self->blocks[i].handle = rented.handle;
		}
		for (i = 0; i < 16; i++)
			ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	}
}

/* By order ------------------------------------------------------------------------- */

#define CLIENTS_LIST	"/sys/kernel/debug/bufpool/clients"
#define CROWD		200	/* clients in that list */

/* Look through the list, which cannot change meanwhile, again and again. */
static int look_at_the_clients(void *arg)
{
	unsigned int *stop = arg;
	char text[4096];
	int fd;

	while (!word_get(stop)) {
		fd = open(CLIENTS_LIST, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		while (read(fd, text, sizeof(text)) > 0)
			;
		close(fd);
	}
	return 0;
}

/* An order is carried out, however busy the list of clients is. */
TEST_F(giveback, order_among_many_clients)
{
	unsigned int *stop = shared_alloc(sizeof(*stop)), rounds = often(200);
	struct bufpool_rent rented;
	int crowd[CROWD], i;
	unsigned int left = 0;
	pid_t pids[2];

	ASSERT_NE(NULL, stop);
	if (access(CLIENTS_LIST, R_OK))
		SKIP(return, "there is no " CLIENTS_LIST);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	for (i = 0; i < CROWD; i++) {
		crowd[i] = pool_open();
		ASSERT_LE(0, crowd[i]);
	}
	for (i = 0; i < 2; i++)
		pids[i] = spawn(look_at_the_clients, stop);
	while (rounds--) {
		ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
		ASSERT_EQ(0, give(self->fd, rented.handle));
		ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
		left += stats_of(self->fd).client_warm_blocks;
	}
	EXPECT_EQ(0, left);
	word_set(stop, 1);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, reap(pids[i]));
	for (i = 0; i < CROWD; i++)
		close(crowd[i]);
}

/* The pool zeroes free blocks by itself, and so has one in its hands again and again. */
TEST_F(giveback, trim_takes_what_is_being_zeroed)
{
	__u64 left = 0;
	int round;

	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	for (round = 0; round < 40; round++) {
		ASSERT_TRUE(burst(self->fd, self->blocks, MOST / 4,
				  BUFPOOL_RETURN_REVOKE));
		sleep_ms(round % 8);
		ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
		left += stats_of(self->fd).pinned;
	}
	EXPECT_EQ(0, left);
}

/* Pressure ------------------------------------------------------------------------- */

/* Emptying the kernel's caches by hand empties this one. */
TEST_F(giveback, drop_caches_empties_the_pool)
{
	struct bufpool_rent kept;
	struct bufpool_stats now;

	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &kept));
	ASSERT_TRUE(burst(self->fd, self->blocks, 64,
			  BUFPOOL_RETURN_REVOKE));
	ASSERT_TRUE(burst(self->fd, self->blocks, 32, 0));
	/* A shrinker that meets the pool's own worker leaves that in peace. */
	EXPECT_TRUE(BECOMES(!write_text("/proc/sys/vm/drop_caches", "2") &&
			    stats_of(self->fd).pinned == self->info.slab_size));
	now = stats_of(self->fd);
	EXPECT_EQ(self->info.slab_size, now.pinned);
	EXPECT_EQ(BLOCK, now.in_use);
	EXPECT_EQ(0, now.warm);
}

#define SHRUNK		TRACING "events/vmscan/mm_shrink_slab_end/"

/* And it is told by how much. */
TEST_F(giveback, the_kernel_is_told_how_much_it_gets)
{
	if (access(SHRUNK "enable", W_OK))
		SKIP(return, "cannot trace: %s", strerror(errno));
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, write_text(SHRUNK "filter", "retval > 0"));
	ASSERT_EQ(0, write_text(SHRUNK "enable", "1"));
	ASSERT_TRUE(trace_forget(TRACING "trace"));
	EXPECT_TRUE(burst(self->fd, self->blocks, 64, BUFPOOL_RETURN_REVOKE));
	EXPECT_TRUE(BECOMES(!write_text("/proc/sys/vm/drop_caches", "2") &&
			    !stats_of(self->fd).pinned));
	ASSERT_EQ(0, write_text(SHRUNK "enable", "0"));
	ASSERT_EQ(0, write_text(SHRUNK "filter", "0"));
	EXPECT_LT(0, trace_count(TRACING "trace", ": shrink_scan+"));
}

/* Programs see that, also where the pool itself has nothing to give. */
TEST_F(giveback, programs_see_pressure)
{
	struct bufpool_status *status = map_status(self->fd);
	struct bufpool_rent kept;
	unsigned int before;
	int round;

	ASSERT_NE(NULL, status);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, rent(self->fd, self->info.slab_size, &kept));
	for (round = 0; round < 5; round++) {
		before = word_get(&status->pressure);
		ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "2"));
		EXPECT_NE(before, word_get(&status->pressure));
	}
	munmap(status, self->info.page_size);
}

struct pressure {
	int fd;
	__u64 want;		/* pinned bytes at the end */
	__u64 warm;		/* at the beginning */
	__u64 free;		/* when the first warm block was taken */
};

/* Until the pool has given back what it can. */
static bool has_given_back(void *arg)
{
	struct pressure *pressure = arg;
	struct bufpool_stats now = stats_of(pressure->fd);

	if (now.warm < pressure->warm && pressure->free == UINT64_MAX)
		pressure->free = now.pinned - now.in_use - now.warm;
	return now.pinned <= pressure->want;
}

static int press(void *arg)
{
	return !take_memory(2 * MIB, has_given_back, arg);
}

#define KEPT	4
#define COLD	200
#define WARM	200

/*
 * First what is free, then what others keep warm; never what is rented. What is
 * left in the end is less than the system cares for.
 */
TEST_F(giveback, under_pressure)
{
	struct pressure *pressure = shared_alloc(sizeof(*pressure));
	struct bufpool_rent kept[KEPT];
	unsigned char *at[KEPT], *oldest;
	__u64 pfn[KEPT] = { 0 }, kills, left, first = 0;
	int other = pool_open(), probe, i, ret;
	struct bufpool_stats before, after;
	struct aside aside;

	ASSERT_NE(NULL, pressure);
	ASSERT_LE(0, other);
	if (memory_number("SwapFree") < 32 * KIB)
		SKIP(return, "there is no swap, or less than 32 MiB of it");
	/* Nothing goes by itself. */
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, parameter_write("warm_blocks", WARM));
	ASSERT_EQ(0, parameter_write("warm_bytes", WARM * BLOCK));
	probe = open(PROBE_DEVICE, O_RDWR | O_CLOEXEC);
	for (i = 0; i < KEPT; i++) {
		at[i] = rent_mapped(self->fd, BLOCK, &kept[i]);
		ASSERT_NE(NULL, at[i]);
		memset(at[i], 0x10 + i, BLOCK);
		if (probe >= 0)
			pfn[i] = pfn_of(probe, at[i]);
	}
	/* As little as there can be without a shortage yet. */
	for (left = LEFT_KIB; left <= 4 * LEFT_KIB; left += LEFT_KIB) {
		aside = set_memory_aside(left);
		ASSERT_TRUE(burst(other, self->blocks, WARM, 0));
		first = self->blocks[0].offset;
		ASSERT_TRUE(burst(self->fd, self->blocks, COLD,
				  BUFPOOL_RETURN_REVOKE));
		before = stats_of(self->fd);
		if (before.pinned >= (WARM + COLD) * BLOCK)
			break;
		put_memory_back(&aside);
	}
	EXPECT_GE(4 * LEFT_KIB, left);
	oldest = map_at(other, first, BLOCK);
	ASSERT_NE(MAP_FAILED, oldest);
	EXPECT_EQ(WARM * BLOCK, before.warm);
	*pressure = (struct pressure){
		.fd = self->fd,
		.want = WARM * BLOCK / 2,
		.warm = before.warm,
		.free = UINT64_MAX,
	};
	kills = number_in("/proc/vmstat", "oom_kill");
	ret = in_child(press, pressure);
	after = stats_of(self->fd);
	TH_LOG("KiB pinned: %llu before, %llu after pressure",
	       before.pinned / KIB, after.pinned / KIB);
	TH_LOG("KiB free when the first warm one went: %llu",
	       pressure->free / KIB);
	put_memory_back(&aside);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(kills, number_in("/proc/vmstat", "oom_kill"));
	EXPECT_GE(pressure->want, after.pinned);
	EXPECT_GE(pressure->want, after.warm);
	/* Which is not that all of a slab's other blocks are gone as well. */
	EXPECT_GE(4 * MIB, pressure->free);
	EXPECT_EQ(SIGBUS, touch(oldest));
	EXPECT_EQ(KEPT * BLOCK, stats_of(self->fd).client_bytes);
	for (i = 0; i < KEPT; i++) {
		EXPECT_TRUE(filled(at[i], 0x10 + i, BLOCK));
		if (probe >= 0)
			EXPECT_EQ(pfn[i], pfn_of(probe, at[i]));
	}
	/* And it can have everything again. */
	EXPECT_TRUE(burst(self->fd, self->blocks, 128, 0));
	if (probe < 0)
		TH_LOG("without " PROBE_DEVICE " page frames are unknown");
	close(probe);
	close(other);
}

TEST_HARNESS_MAIN
