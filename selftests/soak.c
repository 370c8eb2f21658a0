// SPDX-License-Identifier: MIT
/*
 * Everything at once: workers of several users use blocks in every way, and are killed at any
 * moment; disturbers change parameters, processors, memory, and whether the workers run. At the
 * end all is back.
 *
 * BUFPOOL_STRESS_SECONDS is how long it lasts, an hour before a release; BUFPOOL_SEED what the
 * processes draw, though not when.
 */
#include "soak.h"
#include "effort.h"
#include "soak_disturbers.h"
#include "soak_workers.h"

#define USERS		3
#define FIRST_USER	5000
#define KILLED		120
#define LIMIT		(64 * MIB)

struct part {
	struct soak *soak;
	soak_fn *run;
	__u64 seed;
	uid_t uid;
};

static int live(void *arg)
{
	struct part *part = arg;

	if (part->uid)
		CHECK(become(part->uid, ONLY_OPEN));
	part->run(part->soak, &part->seed);
	return 0;
}

static pid_t begin(struct soak *soak, soak_fn *run, uid_t uid)
{
	struct part part = { soak, run, next_random(&soak->seed), uid };

	return spawn(live, &part);
}

static void begin_worker(struct soak *soak, unsigned int nr)
{
	soak_fn *run = soak_workers[nr % ARRAY_SIZE(soak_workers)];
	pid_t pid = begin(soak, run, FIRST_USER + next_random(&soak->seed) % USERS);

	__atomic_store_n(&soak->pids[nr], pid, __ATOMIC_RELAXED);
}

/* Kill one, unless it has ended, as it may for want of something. Return: what was wrong, or 0. */
static int end_worker(struct soak *soak, unsigned int nr)
{
	pid_t pid = soak->pids[nr];
	int status;

	kill(pid, SIGKILL);
	status = reap(pid);
	__atomic_store_n(&soak->pids[nr], 0, __ATOMIC_RELAXED);
	return status == -SIGKILL || !status ? 0 : status;
}

FIXTURE(soak)
{
	struct soak *soak;
	pid_t disturbers[ARRAY_SIZE(soak_disturbers)];
	int fd;
	__u64 limit;
};

FIXTURE_SETUP(soak)
{
	struct bufpool_info info;
	unsigned int nr;

	self->limit = limit_read();
	ASSERT_EQ(0, limit_write(LIMIT));
	/* which disturbers put back */
	parameters_save();
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	soak_largest = largest_within(&info, 4 * MIB);
	self->soak = shared_alloc(sizeof(*self->soak));
	ASSERT_NE(NULL, self->soak);
	self->soak->seed = random_seed();
	ASSERT_EQ(0, channel_make(self->fd, 64, &self->soak->channel));
	for (nr = 0; nr < ARRAY_SIZE(soak_disturbers); nr++)
		self->disturbers[nr] = begin(self->soak, soak_disturbers[nr], 0);
	for (nr = 0; nr < ARRAY_SIZE(self->soak->pids); nr++)
		begin_worker(self->soak, nr);
}

FIXTURE_TEARDOWN(soak)
{
	close(self->fd);
	limit_write(self->limit);
}

static bool all_is_back(int fd)
{
	struct bufpool_stats stats = stats_of(fd);

	return stats.clients == 1 && !stats.channels && !stats.in_channels && !stats.in_use &&
	       !stats.quarantined && !stats.waiting;
}

TEST_F_TIMEOUT(soak, everything_at_once, A_DAY)
{
	struct effort effort = effort_begin(often(KILLED), 1);
	struct soak *soak = self->soak;
	unsigned int nr, killed;

	for (killed = 0; effort_goes_on(&effort, killed); killed++) {
		usleep(next_random(&soak->seed) % 20000);
		nr = next_random(&soak->seed) % ARRAY_SIZE(soak->pids);
		ASSERT_EQ(0, end_worker(soak, nr));
		begin_worker(soak, nr);
	}
	TH_LOG("%lu steps, %u workers killed", soak->steps, killed);
	/* beside whom the disturbers would take long to end */
	for (nr = 0; nr < ARRAY_SIZE(soak->pids); nr++)
		EXPECT_EQ(0, end_worker(soak, nr));
	__atomic_store_n(&soak->stop, 1, __ATOMIC_RELEASE);
	for (nr = 0; nr < ARRAY_SIZE(soak_disturbers); nr++)
		EXPECT_EQ(0, reap(self->disturbers[nr]));
	EXPECT_TRUE(box_remove(FROZEN));
	channel_end(&soak->channel);
	EXPECT_TRUE(BECOMES(all_is_back(self->fd)));
	EXPECT_EQ(LIMIT, limit_read());
}

TEST_HARNESS_MAIN
