// SPDX-License-Identifier: MIT
/*
 * Waiters and returned blocks meet at random, and every waiter is served.
 *
 * BUFPOOL_MEETINGS is how often waiters and blocks are to meet (2000).
 */
#include "effort.h"
#include "line.h"

#include <pthread.h>

#define PAIRS		4

/* A waiter that sees more rentals of others than this was forgotten. */
#define PATIENCE	1000

struct meeting {
	unsigned int stop;
	unsigned int ended;		/* participants */
	unsigned int rentals;
	unsigned int longest;		/* wait, in rentals of others */
	__u64 seeds[2 * PAIRS];
	unsigned int classes;		/* sizes from BLOCK downwards */
};

struct participant {
	struct meeting *meeting;
	unsigned int number;
	bool in_process;
};

static void dawdle(__u64 *seed)
{
	switch (next_random(seed) % 8) {
	case 0:
		sched_yield();
		break;
	case 1:
		pin(0, next_random(seed) & 1);
		break;
	case 2: {
		unsigned int spins = next_random(seed) % 3000;

		while (spins--)
			__asm__ volatile("" ::: "memory");
		break;
	}
	case 3: {
		struct timespec ts = { .tv_nsec = next_random(seed) % 50000 };

		nanosleep(&ts, NULL);
		break;
	}
	}
}

/* Wait, have, return. To wait too long is to have been forgotten. */
static void note_wait(struct meeting *meeting, unsigned int before)
{
	unsigned int waited = word_get(&meeting->rentals) - before;
	unsigned int longest = word_get(&meeting->longest);

	while (waited > longest &&
	       !__atomic_compare_exchange_n(&meeting->longest, &longest, waited,
					    false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

/* Wait, have, return. */
static void *meet(void *arg)
{
	const struct participant *participant = arg;
	struct meeting *meeting = participant->meeting;
	__u64 *seed = &meeting->seeds[participant->number];
	struct bufpool_rent rented;
	unsigned int before;
	int fd = pool_open();

	CHECK(fd >= 0);
	while (!word_get(&meeting->stop)) {
		before = word_get(&meeting->rentals);
		CHECK(!rent_with(fd,
				 BLOCK >> next_random(seed) % meeting->classes,
				 0, 0, &rented));
		note_wait(meeting, before);
		__atomic_add_fetch(&meeting->rentals, 1, __ATOMIC_RELEASE);
		dawdle(seed);
		CHECK(!give_with(fd, rented.handle, next_random(seed) % 4));
		dawdle(seed);
	}
	close(fd);
	__atomic_add_fetch(&meeting->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int meet_in_process(void *arg)
{
	meet(arg);
	return 0;
}

static unsigned int meetings(void)
{
	const char *given = getenv("BUFPOOL_MEETINGS");

	return given ? (unsigned int)atoi(given) : often(2000);
}

FIXTURE(meeting)
{
	int fd;
	struct bufpool_stats before;
	struct meeting *meeting;
};

FIXTURE_VARIANT(meeting)
{
	__u64 limit;
	unsigned int classes;
};

/* So many blocks of one size; and of three sizes that make room for each other. */
FIXTURE_VARIANT_ADD(meeting, for_one_block) { .limit = 1 * MIB, .classes = 1 };
FIXTURE_VARIANT_ADD(meeting, for_three) { .limit = 3 * MIB, .classes = 1 };
FIXTURE_VARIANT_ADD(meeting, of_sizes) { .limit = 3 * MIB / 2, .classes = 3 };
FIXTURE_VARIANT_ADD(meeting, of_many_sizes) { .limit = 1 * MIB, .classes = 9 };

FIXTURE_SETUP(meeting)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(variant->limit));
	self->meeting = shared_alloc(sizeof(*self->meeting));
	ASSERT_NE(NULL, self->meeting);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(meeting)
{
	close(self->fd);
	parameters_restore();
}

/* Whether there is a rental more after a while, and all go on. */
static bool goes_on(struct meeting *meeting)
{
	unsigned int rentals = word_get(&meeting->rentals);

	return BECOMES(word_get(&meeting->rentals) != rentals ||
		       child_has_ended()) && !child_has_ended();
}

TEST_F_TIMEOUT(meeting, every_waiter_is_served, A_DAY)
{
	struct participant participants[2 * PAIRS];
	struct meeting *meeting = self->meeting;
	__u64 seed = random_seed(), waits;
	unsigned int i;
	pthread_t threads[2 * PAIRS];
	pid_t pids[2 * PAIRS];

	meeting->classes = variant->classes;
	for (i = 0; i < 2 * PAIRS; i++) {
		struct participant *participant = &participants[i];

		meeting->seeds[i] = next_random(&seed);
		participant->meeting = meeting;
		participant->number = i;
		if (i < PAIRS) {
			pids[i] = spawn(meet_in_process, participant);
			ASSERT_LT(0, pids[i]);
		}
	}
	for (i = PAIRS; i < 2 * PAIRS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, meet,
					    &participants[i]));
	do {
		ASSERT_TRUE(goes_on(meeting));
		waits = stats_of(self->fd).waits - self->before.waits;
	} while (waits < meetings() / 4);
	word_set(&meeting->stop, 1);
	ASSERT_TRUE(word_reaches(&meeting->ended, 2 * PAIRS));
	for (i = PAIRS; i < 2 * PAIRS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	for (i = 0; i < PAIRS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	TH_LOG("%llu waits in %u rentals, the longest of %u", waits,
	       meeting->rentals, meeting->longest);
	EXPECT_GE(PATIENCE, meeting->longest);
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	EXPECT_LE(stats_of(self->fd).pinned, variant->limit);
}

TEST_HARNESS_MAIN
