// SPDX-License-Identifier: MIT
/*
 * A warm block is stolen while a thread of the client that has it is in the middle of a
 * fault in it: once the thief has it, that client reads nothing of what is in there.
 */
#include "effort.h"

#include <pthread.h>

#define BLOCK		(32 * PAGE)	/* all that the pool has room for */
#define SECRET		0xa5

/**
 * struct scene - what victim and thief share
 * @stop: both are to end
 * @thefts: how often the thief got the block
 * @faults: how many touches of the victim's ended in SIGBUS
 * @leaks: how many found what only the thief writes
 */
struct scene {
	unsigned int stop;
	unsigned int thefts;
	unsigned int faults;
	unsigned int leaks;
};

/* What the victim's threads share. */
struct victim {
	struct scene *scene;
	char *at;		/* NULL before the first rent */
};

static void *touch_always(void *arg)
{
	struct victim *victim = arg;
	struct scene *scene = victim->scene;

	while (!word_get(&scene->stop)) {
		char *at = __atomic_load_n(&victim->at, __ATOMIC_ACQUIRE);
		unsigned char value = 0;

		if (!at)
			continue;
		if (peek(at + BLOCK / 2, &value))
			__atomic_add_fetch(&scene->faults, 1, __ATOMIC_RELAXED);
		else if (value == SECRET)
			__atomic_add_fetch(&scene->leaks, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Rent and return; the block stays warm, and mapped. */
static int rent_and_touch(void *arg)
{
	struct victim victim = { .scene = arg };
	struct bufpool_rent rented;
	__u64 offset = ~0ULL;
	pthread_t thread;
	int fd = pool_open();

	CHECK(fd >= 0);
	CHECK(!pthread_create(&thread, NULL, touch_always, &victim));
	while (!word_get(&victim.scene->stop)) {
		if (rent(fd, BLOCK, &rented))
			continue;
		if (rented.offset != offset) {
			char *at = map_block(fd, &rented);

			CHECK(at != MAP_FAILED);
			offset = rented.offset;
			at = __atomic_exchange_n(&victim.at, at, __ATOMIC_ACQ_REL);
			if (at)
				munmap(at, BLOCK);
		}
		CHECK(!give(fd, rented.handle));
	}
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

static int steal_and_write(void *arg)
{
	struct scene *scene = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	while (!word_get(&scene->stop)) {
		if (rent(fd, BLOCK, &rented))
			continue;
		CHECK(block_fill(fd, rented.offset, BLOCK, SECRET));
		usleep(200);
		CHECK(!give_up(fd, rented.handle));
		__atomic_add_fetch(&scene->thefts, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST(a_stolen_block_is_not_read_by_a_fault_on_its_way)
{
	struct effort effort = effort_begin(often(500), 1);
	struct scene *scene = shared_alloc(sizeof(*scene));
	pid_t victim, thief;

	ASSERT_NE(NULL, scene);
	ASSERT_EQ(0, limit_write(BLOCK));
	victim = spawn(rent_and_touch, scene);
	thief = spawn(steal_and_write, scene);
	while (effort_goes_on(&effort, word_get(&scene->thefts)) &&
	       !child_has_ended())
		sleep_ms(1);
	word_set(&scene->stop, 1);
	EXPECT_EQ(0, reap(victim));
	EXPECT_EQ(0, reap(thief));
	limit_restore();
	TH_LOG("%u thefts, %u faults, %u leaks", scene->thefts, scene->faults,
	       scene->leaks);
	EXPECT_EQ(0, scene->leaks);
}

TEST_HARNESS_MAIN
