// SPDX-License-Identifier: MIT
/*
 * Giving memory back: when nobody needs it, when the system needs it, and what is
 * zeroed in the background.
 */
#include "bufpool_test.h"

#include "probe.h"

#define BLOCK		(64 * KIB)
#define PERIOD_MS	50
#define MOST		4096

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
}

FIXTURE_TEARDOWN(giveback)
{
	close(self->fd);
	parameters_restore();
}

static struct bufpool_stats stats_of(int fd)
{
	struct bufpool_stats stats;

	if (pool_stats(fd, &stats))
		memset(&stats, 0xff, sizeof(stats));
	return stats;
}

/* A line of /proc/meminfo or /proc/vmstat. */
static __u64 read_number(const char *path, const char *name)
{
	char line[128], *end = NULL;
	size_t len = strlen(name);
	__u64 value = 0;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) || !strchr(": ", line[len]))
			continue;
		value = strtoull(line + len + 1, &end, 10);
		break;
	}
	if (file)
		fclose(file);
	return value;
}

/* Rent so many blocks, write into them, and return them in the given way. */
static bool burst(int fd, struct bufpool_block *blocks, int count, __u32 flags)
{
	int got = 0, ret, i;

	while (got < count) {
		ret = rent_many(fd, BLOCK, count - got < BUFPOOL_MANY_MAX ?
				count - got : BUFPOOL_MANY_MAX, blocks + got);
		if (ret <= 0)
			return false;
		got += ret;
	}
	for (i = 0; i < count; i++) {
		if (!block_fill(fd, blocks[i].offset, BLOCK, 0xff) ||
		    give_with(fd, blocks[i].handle, flags))
			return false;
	}
	return true;
}

static bool pinned_falls_to(int fd, __u64 want)
{
	__u64 end = now_ms() + SOON_MS;

	while (stats_of(fd).pinned > want) {
		if (now_ms() > end)
			return false;
		sleep_ms(5);
	}
	return true;
}

/* Idle ---------------------------------------------------------------------------- */

/* Step by step, never below the floor, and the steps are printed. */
TEST_F_TIMEOUT(giveback, idle_falls_to_the_floor, 60)
{
	const __u64 floor = 512 * KIB;
	__u64 end = now_ms() + SOON_MS, last, start = now_ms();
	unsigned int steps = 0;
	char text[512] = "";

	ASSERT_EQ(0, parameter_write("floor", floor));
	ASSERT_TRUE(burst(self->fd, self->blocks, 256,
			  BUFPOOL_RETURN_REVOKE));
	last = stats_of(self->fd).pinned;
	ASSERT_LE(256 * BLOCK, last);
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	while (last > floor && now_ms() < end) {
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
		sleep_ms(1);
	}
	TH_LOG("KiB pinned: %llu%s, in %llu ms", 256 * BLOCK / KIB, text,
	       now_ms() - start);
	EXPECT_EQ(floor, last);
	EXPECT_LE(3, steps);
	/* And there it stays. */
	sleep_ms(5 * PERIOD_MS);
	EXPECT_EQ(floor, stats_of(self->fd).pinned);
}

/* The same from warm blocks, which are idle too when nobody uses them. */
TEST_F_TIMEOUT(giveback, idle_warm_blocks_go_too, 60)
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

/* What is rented stays, however long, and so does its slab. */
TEST_F_TIMEOUT(giveback, what_is_rented_stays, 60)
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

/* A period in which a load of bursts is steady, on however slow a machine. */
static __u64 steady_period(int fd, struct bufpool_block *blocks, __u32 flags)
{
	__u64 start = now_ms(), longest;

	if (!burst(fd, blocks, 32, flags) || !burst(fd, blocks, 32, flags))
		return 0;
	longest = 4 * (now_ms() - start);
	return longest < 4 * PERIOD_MS ? 4 * PERIOD_MS : longest;
}

/* Who goes on using his blocks keeps them, warm ones too. */
TEST_F_TIMEOUT(giveback, steady_load_keeps_its_blocks, 60)
{
	struct bufpool_stats before, after;
	unsigned int rounds = 0;
	__u64 end, period;

	ASSERT_EQ(0, parameter_write("floor", 0));
	period = steady_period(self->fd, self->blocks, 0);
	ASSERT_EQ(0, parameter_write("trim_ms", period));
	/* What tests before have left may go. */
	sleep_ms(4 * period);
	ASSERT_TRUE(burst(self->fd, self->blocks, 32, 0));
	before = stats_of(self->fd);
	for (end = now_ms() + 10 * period; now_ms() < end; rounds++) {
		ASSERT_TRUE(burst(self->fd, self->blocks, 32, 0));
		sleep_ms(1);
	}
	after = stats_of(self->fd);
	TH_LOG("KiB pinned: %llu before and %llu after %u bursts in 10 periods",
	       before.pinned / KIB, after.pinned / KIB, rounds);
	EXPECT_LE(32 * BLOCK, after.pinned);
	EXPECT_EQ(before.slabs_created, after.slabs_created);
	EXPECT_EQ(32 * rounds,
		  after.client_warm_rents - before.client_warm_rents);
}

/* The same without warm blocks: the depot is used, so it is needed. */
TEST_F_TIMEOUT(giveback, steady_load_keeps_the_depot, 60)
{
	struct bufpool_stats before, after;
	__u64 end, period;

	ASSERT_EQ(0, parameter_write("floor", 0));
	period = steady_period(self->fd, self->blocks, BUFPOOL_RETURN_REVOKE);
	ASSERT_EQ(0, parameter_write("trim_ms", period));
	ASSERT_TRUE(burst(self->fd, self->blocks, 32, BUFPOOL_RETURN_REVOKE));
	before = stats_of(self->fd);
	for (end = now_ms() + 5 * period; now_ms() < end;)
		ASSERT_TRUE(burst(self->fd, self->blocks, 32,
				  BUFPOOL_RETURN_REVOKE));
	after = stats_of(self->fd);
	/* While a block is being zeroed in the background, another is needed. */
	EXPECT_GE(before.slabs_created + 4, after.slabs_created);
}

/* A floor above what there is, and a change of it. */
TEST_F_TIMEOUT(giveback, floor_can_be_changed, 60)
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
TEST_F_TIMEOUT(giveback, free_memory_rises, 60)
{
	const int count = 1024;
	__u64 before, held, after;

	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_EQ(0, limit_write((count + 64) * BLOCK));
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	before = read_number("/proc/meminfo", "MemFree");
	ASSERT_TRUE(burst(self->fd, self->blocks, count,
			  BUFPOOL_RETURN_REVOKE));
	held = read_number("/proc/meminfo", "MemFree");
	ASSERT_EQ(0, parameter_write("trim_ms", PERIOD_MS));
	EXPECT_TRUE(pinned_falls_to(self->fd, 0));
	/* The slab caches let go a moment later. */
	sleep_ms(4 * PERIOD_MS);
	after = read_number("/proc/meminfo", "MemFree");
	TH_LOG("MiB free: %llu before, %llu with 64 pooled, %llu after",
	       before / KIB, held / KIB, after / KIB);
	EXPECT_LE(held + 56 * KIB, after);
}

/* Scrubbing ------------------------------------------------------------------------ */

static bool scrubs_reach(int fd, __u64 want)
{
	__u64 end = now_ms() + SOON_MS;

	while (stats_of(fd).scrubs < want) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* Blocks that come back dirty are zeroed before anybody asks for them. */
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
	/* That nobody has to do it again is seen in the counter too. */
	ASSERT_EQ(64, rent_many(other, BLOCK, 64, self->blocks));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, give_up(other, self->blocks[i].handle));
	sleep_ms(100);
	EXPECT_EQ(before.scrubs + 64, stats_of(self->fd).scrubs);
	ASSERT_EQ(64, rent_many(other, BLOCK, 64, self->blocks));
	for (i = 0; i < 64; i++)
		EXPECT_TRUE(block_is_zero(other, self->blocks[i].offset,
					  BLOCK));
	close(other);
}

/* What was cleared or never touched is clean already. */
TEST_F(giveback, clean_blocks_are_not_scrubbed)
{
	__u64 before;
	int i;

	ASSERT_TRUE(burst(self->fd, self->blocks, 1, BUFPOOL_RETURN_REVOKE));
	sleep_ms(100);
	before = stats_of(self->fd).scrubs;
	ASSERT_TRUE(burst(self->fd, self->blocks, 16, BUFPOOL_RETURN_CLEAR));
	ASSERT_EQ(16, rent_many(self->fd, BLOCK, 16, self->blocks));
	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	sleep_ms(100);
	EXPECT_EQ(before, stats_of(self->fd).scrubs);
}

/* A rental in the middle of it gets what is there, and zeroes. */
TEST_F(giveback, rentals_while_it_scrubs)
{
	int round, i;

	for (round = 0; round < 10; round++) {
		ASSERT_TRUE(burst(self->fd, self->blocks, 128,
				  BUFPOOL_RETURN_REVOKE));
		ASSERT_EQ(128, rent_many(self->fd, BLOCK, 128, self->blocks));
		for (i = 0; i < 128; i++) {
			ASSERT_TRUE(block_is_zero(self->fd,
						  self->blocks[i].offset,
						  BLOCK));
			ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
		}
	}
}

/* A full pool that is being scrubbed is not empty for who comes then. */
TEST_F(giveback, scrubbing_takes_nothing_away)
{
	int round, i, got;

	ASSERT_EQ(0, limit_write(1 * MIB));
	for (round = 0; round < 50; round++) {
		ASSERT_TRUE(burst(self->fd, self->blocks, 16,
				  BUFPOOL_RETURN_REVOKE));
		sleep_ms(next_random(&(__u64){ round + 1 }) % 8);
		got = 0;
		for (i = 0; i < 16; i++) {
			struct bufpool_rent rented;

			/* One may be in the scrubber's hands for a moment. */
			ASSERT_EQ(0, rent_with(self->fd, BLOCK, 0,
					       SOON_MS * NSEC_PER_MSEC,
					       &rented));
			self->blocks[i].handle = rented.handle;
			got++;
		}
		for (i = 0; i < got; i++)
			ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	}
}

/* Pressure ------------------------------------------------------------------------- */

/* Whoever empties the kernel's caches by hand empties this one. */
TEST_F(giveback, with_the_kernels_caches)
{
	struct bufpool_rent kept;
	struct bufpool_stats now;
	int round;

	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &kept));
	ASSERT_TRUE(burst(self->fd, self->blocks, 200,
			  BUFPOOL_RETURN_REVOKE));
	ASSERT_TRUE(burst(self->fd, self->blocks, 32, 0));
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "2"));
		sleep_ms(20);
	}
	now = stats_of(self->fd);
	EXPECT_EQ(self->info.slab_size, now.pinned);
	EXPECT_EQ(BLOCK, now.in_use);
	EXPECT_EQ(0, now.warm);
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

/*
 * Take memory until the pool has given back what it can, but not more than there
 * is and half of the swap on top.
 */
static int press(void *arg)
{
	struct pressure *pressure = arg;
	__u64 most = read_number("/proc/meminfo", "MemAvailable") * KIB +
		     read_number("/proc/meminfo", "SwapFree") * KIB / 2;
	__u64 end = now_ms() + 3 * SOON_MS, taken;
	const size_t step = 2 * MIB;
	struct bufpool_stats now;

	write_text("/proc/self/oom_score_adj", "1000");
	for (taken = 0; taken < most && now_ms() < end; taken += step) {
		char *at = mmap(NULL, step, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				-1, 0);
		size_t i;

		if (at == MAP_FAILED)
			break;
		for (i = 0; i < step; i += 4096)
			at[i] = i / 4096 + 1;
		now = stats_of(pressure->fd);
		if (now.warm < pressure->warm && pressure->free == UINT64_MAX)
			pressure->free = now.pinned - now.in_use - now.warm;
		if (now.pinned <= pressure->want)
			return 0;
	}
	return 1;
}

/*
 * Set memory aside for huge pages, all but some, since that takes no time: what
 * is left is used up sooner. Says how many there were before.
 */
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

static void set_nr_hugepages(__u64 count)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", count);
	write_text(NR_HUGEPAGES, text);
}

static __u64 set_memory_aside(void)
{
	__u64 before = read_number("/proc/meminfo", "HugePages_Total");
	__u64 huge = read_number("/proc/meminfo", "Hugepagesize");
	__u64 available = read_number("/proc/meminfo", "MemAvailable");

	if (huge && available > 256 * KIB)
		set_nr_hugepages(before + (available - 256 * KIB) / huge);
	return before;
}

#define KEPT	4
#define COLD	400
#define WARM	400

/*
 * First what is free, then what others keep warm; never what is rented. What is
 * left in the end is less than the system cares for.
 */
TEST_F_TIMEOUT(giveback, under_pressure, 120)
{
	struct pressure *pressure = shared_alloc(sizeof(*pressure));
	struct bufpool_rent kept[KEPT];
	unsigned char *at[KEPT], *oldest;
	__u64 pfn[KEPT] = { 0 }, huge, kills, start;
	int other = pool_open(), probe, i, ret;
	struct bufpool_stats before, after;

	ASSERT_NE(NULL, pressure);
	ASSERT_LE(0, other);
	if (read_number("/proc/meminfo", "SwapFree") < 32 * KIB)
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
	huge = set_memory_aside();
	ASSERT_TRUE(burst(other, self->blocks, WARM, 0));
	oldest = map_at(other, self->blocks[0].offset, BLOCK);
	ASSERT_NE(MAP_FAILED, oldest);
	ASSERT_TRUE(burst(self->fd, self->blocks, COLD,
			  BUFPOOL_RETURN_REVOKE));
	before = stats_of(self->fd);
	EXPECT_LE((WARM + COLD) * BLOCK, before.pinned);
	EXPECT_EQ(WARM * BLOCK, before.warm);
	*pressure = (struct pressure){
		.fd = self->fd,
		.want = WARM * BLOCK / 2,
		.warm = before.warm,
		.free = UINT64_MAX,
	};
	kills = read_number("/proc/vmstat", "oom_kill");
	start = now_ms();
	ret = in_child(press, pressure);
	after = stats_of(self->fd);
	TH_LOG("KiB pinned: %llu before, %llu after %llu ms of pressure",
	       before.pinned / KIB, after.pinned / KIB, now_ms() - start);
	TH_LOG("KiB free when the first warm one went: %llu",
	       pressure->free / KIB);
	set_nr_hugepages(huge);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(kills, read_number("/proc/vmstat", "oom_kill"));
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
		TH_LOG("without " PROBE_DEVICE " nobody knows the page frames");
	close(probe);
	close(other);
}

TEST_HARNESS_MAIN
