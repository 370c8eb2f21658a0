// SPDX-License-Identifier: MIT
/*
 * Waiters and returned blocks meet at random, and every waiter is served.
 *
 * BUFPOOL_MEETINGS is how often waiters and blocks are to meet (2000).
 */
#include "line.h"

#include <pthread.h>

#define A_DAY	(24 * 3600)
#define PAIRS		4

struct meeting {
	unsigned int stop;
	unsigned int late;
	unsigned int rentals[2 * PAIRS];
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
		keep_to_cpu(0, next_random(seed) & 1);
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
static void *meet(void *arg)
{
	const struct participant *participant = arg;
	struct meeting *meeting = participant->meeting;
	__u64 *seed = &meeting->seeds[participant->number];
	struct bufpool_rent rented;
	int fd = pool_open(), ret;

	CHECK(fd >= 0);
	while (!__atomic_load_n(&meeting->stop, __ATOMIC_ACQUIRE)) {
		ret = rent_with(fd, BLOCK >> next_random(seed) % meeting->classes,
				0, 2 * SOON_MS * NSEC_PER_MSEC, &rented);
		if (ret == -ETIMEDOUT) {
			__atomic_add_fetch(&meeting->late, 1, __ATOMIC_RELAXED);
			word_set(&meeting->stop, 1);
			break;
		}
		CHECK(!ret);
		dawdle(seed);
		CHECK(!give_with(fd, rented.handle, next_random(seed) % 4));
		dawdle(seed);
		meeting->rentals[participant->number]++;
	}
	close(fd);
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

TEST_F_TIMEOUT(meeting, nobody_is_forgotten, A_DAY)
{
	struct participant participants[2 * PAIRS];
	struct meeting *meeting = self->meeting;
	__u64 seed = random_seed(), waits;
	unsigned int i, rentals = 0;
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
		sleep_ms(2);
		waits = stats_of(self->fd).waits - self->before.waits;
	} while (waits < meetings() / 4 &&
		 !__atomic_load_n(&meeting->stop, __ATOMIC_ACQUIRE));
	word_set(&meeting->stop, 1);
	for (i = PAIRS; i < 2 * PAIRS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	for (i = 0; i < PAIRS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	for (i = 0; i < 2 * PAIRS; i++)
		rentals += meeting->rentals[i];
	TH_LOG("%llu waits in %u rentals", waits, rentals);
	EXPECT_EQ(0, meeting->late);
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	EXPECT_LE(stats_of(self->fd).pinned, variant->limit);
}

TEST_HARNESS_MAIN
