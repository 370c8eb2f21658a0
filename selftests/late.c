// SPDX-License-Identifier: MIT
/*
 * A device writes to a block a while after that was returned, again and again, and others
 * rent as fast as they can: what they have is never overwritten.
 */
#include "late.h"
#include "outside.h"
#include "parameters.h"
#include "random.h"

#include <sched.h>

#define LIMIT		(8 * MIB)
#define RENTERS		3
#define WRITES		10000
#define DELAY_MS	100
#define IN_FLIGHT	256		/* blocks that the device has, at the most */
#define STAMP_OF_DEVICE	0xd000000000000000ULL

/**
 * struct scene - what the device's program and the renters share
 * @stop: the renters are to end
 * @rents: how many blocks these had
 * @taken: of them, blocks that had been the device's program's
 * @overwritten: words that were not the renter's own any more
 * @seen: whether the device's program had a block, by the number of that
 * @span: bytes of offsets that a class has
 */
struct scene {
	unsigned int stop;
	unsigned int rents;
	unsigned int taken;
	unsigned int overwritten;
	unsigned char seen[LIMIT / 4096 * 2];
	__u64 span;
};

static unsigned char *seen_at(struct scene *scene, const struct bufpool_rent *rented)
{
	return &scene->seen[rented->offset % scene->span / PAGE % sizeof(scene->seen)];
}

/* Rent, write, look for a moment whether it stays, return in some way. */
static void have_one(int fd, struct scene *scene, __u64 stamp, __u64 *seed)
{
	struct bufpool_rent rented;
	unsigned int looks, bad = 0;
	__u64 *words;
	size_t i;

	if (rent_io(fd, PAGE, &rented))
		return;
	words = map_block(fd, &rented);
	CHECK(words != MAP_FAILED);
	for (i = 0; i < PAGE / sizeof(*words); i++)
		words[i] = stamp;
	for (looks = next_random(seed) % 64; looks--; sched_yield())
		bad += __atomic_load_n(words, __ATOMIC_RELAXED) != stamp;
	__atomic_add_fetch(&scene->overwritten, bad, __ATOMIC_RELAXED);
	__atomic_add_fetch(&scene->rents, 1, __ATOMIC_RELAXED);
	if (*seen_at(scene, &rented))
		__atomic_add_fetch(&scene->taken, 1, __ATOMIC_RELAXED);
	munmap(words, PAGE);
	CHECK(!give_with(fd, rented.handle, next_random(seed) % 2 ? BUFPOOL_RETURN_REVOKE : 0));
}

static int rent_always(void *arg)
{
	struct scene *scene = arg;
	__u64 seed = random_seed() + getpid();
	int fd = pool_open();

	CHECK(fd >= 0);
	while (!word_get(&scene->stop))
		have_one(fd, scene, getpid(), &seed);
	return 0;
}

/* Have the device write to a block, and return that before it does. */
static int write_late(int fd, int late, struct scene *scene, unsigned int nr)
{
	struct bufpool_rent rented;
	char *at = rent_io_mapped(fd, PAGE, &rented);
	int err;

	if (!at)
		return -EAGAIN;
	*(__u64 *)at = nr;
	*seen_at(scene, &rented) = 1;
	err = late_write(late, at, STAMP_OF_DEVICE | nr, DELAY_MS);
	if (!err)
		err = give_up(fd, rented.handle);
	munmap(at, rented.length);
	return err;
}

TEST(what_a_device_writes_late_reaches_nobody_else)
{
	unsigned int writes = often(WRITES), done = 0, i;
	struct scene *scene = shared_alloc(sizeof(*scene));
	int fd, late = late_open(), err;
	struct bufpool_info info;
	pid_t pids[RENTERS];

	if (late < 0)
		SKIP(return, "there is no module bufpool_late");
	ASSERT_EQ(0, limit_write(LIMIT));
	fd = pool_open();
	ASSERT_EQ(0, pool_info(fd, &info));
	scene->span = info.span;
	for (i = 0; i < RENTERS; i++)
		pids[i] = spawn(rent_always, scene);
	while (done < writes && !child_has_ended()) {
		if (stats_of(fd).quarantined > IN_FLIGHT * PAGE) {
			sleep_ms(1);
			continue;
		}
		err = write_late(fd, late, scene, done);
		if (err == -EAGAIN)
			continue;
		ASSERT_EQ(0, err);
		done++;
	}
	/* until the last has been written */
	EXPECT_TRUE(BECOMES(!stats_of(fd).quarantined));
	word_set(&scene->stop, 1);
	for (i = 0; i < RENTERS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	TH_LOG("%u late writes, %u rents by others, %u of them of blocks that the device had had",
	       done, scene->rents, scene->taken);
	EXPECT_EQ(writes, done);
	EXPECT_LT(0, scene->taken);
	EXPECT_EQ(0, scene->overwritten);
	EXPECT_TRUE(in_use_becomes(fd, 0));
	close(fd);
	close(late);
	parameters_restore();
}

/* Zeroed at once, as RETURN_CLEAR says, and again when nothing can write to it any more. */
TEST(what_a_device_writes_after_clear_the_next_owner_does_not_read)
{
	int fd = pool_open(), late = late_open();
	struct bufpool_rent first, next;
	char *at;

	if (late < 0)
		SKIP(return, "there is no module bufpool_late");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, limit_write(MIB));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	at = rent_io_mapped(fd, MIB, &first);
	ASSERT_NE(NULL, at);
	memset(at, 's', MIB);
	ASSERT_EQ(0, late_write(late, at + MIB / 2, STAMP_OF_DEVICE, DELAY_MS));
	EXPECT_EQ(0, give_with(fd, first.handle, BUFPOOL_RETURN_CLEAR));
	EXPECT_EQ(MIB, stats_of(fd).quarantined);
	ASSERT_EQ(0, rent_with(fd, MIB, BUFPOOL_RENT_IO, 0, &next));
	EXPECT_EQ(first.offset, next.offset);
	EXPECT_TRUE(filled(at, 0, MIB));
	munmap(at, MIB);
	close(fd);
	close(late);
	parameters_restore();
}

#define LARGE	(8 * MIB)

/* The device is done while the block is zeroed: what it wrote nobody reads. */
TEST(what_a_device_writes_during_clear_the_next_owner_does_not_read)
{
	unsigned int rounds = often(64), round, bad = 0;
	int fd = pool_open(), other = pool_open(), late = late_open();
	struct bufpool_rent rented;
	char *at;

	if (late < 0)
		SKIP(return, "there is no module bufpool_late");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, limit_write(LARGE));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	for (round = 0; round < rounds; round++) {
		at = rent_io_mapped(fd, LARGE, &rented);
		ASSERT_NE(NULL, at);
		memset(at, 's', LARGE);
		ASSERT_EQ(0, late_write(late, at, STAMP_OF_DEVICE, round % 12));
		EXPECT_EQ(0, give_with(fd, rented.handle, BUFPOOL_RETURN_CLEAR));
		munmap(at, LARGE);
		ASSERT_EQ(0, rent_with(other, LARGE, BUFPOOL_RENT_IO, 0, &rented));
		at = map_block(other, &rented);
		ASSERT_NE(MAP_FAILED, at);
		bad += !filled(at, 0, LARGE);
		munmap(at, LARGE);
		ASSERT_EQ(0, give_up(other, rented.handle));
	}
	EXPECT_EQ(0, bad);
	close(fd);
	close(other);
	close(late);
	parameters_restore();
}

TEST_HARNESS_MAIN
