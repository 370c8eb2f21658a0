// SPDX-License-Identifier: MIT
/*
 * Random operations of several processes, mostly valid, with hostile ones among them.
 *
 * Each process has a few threads, clients and channels of its own, and shares others. A
 * block that comes from the pool is zero or has what its client wrote, a block that is
 * rented keeps that, every error is one that is documented, and after each round, when all
 * have ended, everything is back.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "../bufpool_test.h"
#include "../channel.h"
#include "../effort.h"
#include "faults.h"
#include "weather.h"
#include "worker.h"

/* One round's work */
#define ROUND		25000
/* All of it, unless BUFPOOL_FUZZ_OPERATIONS or BUFPOOL_FUZZ_SECONDS says otherwise */
#define OPERATIONS	100000
/* How often the weather changes in a round */
#define CHANGES		6

/* Looks without an operation after which the threads are told of */
#define STANDSTILL	6000

FIXTURE(fuzz)
{
	int observer;
	struct bufpool_stats before;
	struct common *common;
	struct legacy legacy;
	struct worker workers[WORKERS];
	pid_t pids[WORKERS];
	struct weather weather;
	pid_t weather_pid;
	__u64 random;
	__u64 wanted;
	__u64 end;
	unsigned int kills;
};

static __u64 number_from(const char *name, __u64 otherwise)
{
	const char *given = getenv(name);

	return given && *given ? strtoull(given, NULL, 0) : otherwise;
}

/* What is to be run as it is: the file beside this program. */
static void read_corpus(struct common *common)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 16);
	FILE *file;

	if (length < 0)
		return;
	strcpy(path + length, ".corpus");
	file = fopen(path, "re");
	if (!file)
		return;
	while (common->nr_corpus < CORPUS_MOST / 2 &&
	       input_read(file, &common->corpus[common->nr_corpus]))
		common->nr_corpus++;
	common->nr_given = common->nr_corpus;
	fclose(file);
}

FIXTURE_SETUP(fuzz)
{
	__u64 seconds = number_from("BUFPOOL_FUZZ_SECONDS", 0);

	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	self->common = shared_alloc(sizeof(*self->common));
	ASSERT_NE(NULL, self->common);
	self->common->seed = random_seed();
	self->common->round = number_from("BUFPOOL_FUZZ_ROUND", 0);
	self->common->blind = number_from("BUFPOOL_FUZZ_BLIND", 0);
	self->wanted = number_from("BUFPOOL_FUZZ_OPERATIONS", seconds ? ~0ULL : often(OPERATIONS));
	self->end = seconds ? now_ms() + seconds * 1000 : ~0ULL;
	read_corpus(self->common);
	faults_prepare();
	ASSERT_EQ(0, pool_stats(self->observer, &self->before));
}

FIXTURE_TEARDOWN(fuzz)
{
	weather_clear();
	parameters_restore();
	close(self->observer);
}

static void forget_quota(int fd, __u32 uid)
{
	struct bufpool_quota quota = {
		.size = sizeof(quota),
		.flags = BUFPOOL_QUOTA_SET,
		.uid = uid,
	};

	pool_ioctl(fd, BUFPOOL_IOC_QUOTA, &quota);
}

/* As if nothing had happened, but for the limit, which is such that it is reached. */
static void settle(int observer, __u64 *random)
{
	__u32 uid;

	parameters_restore();
	write_text("/sys/class/misc/bufpool/classes/4096/reserve", "0");
	write_text("/sys/class/misc/bufpool/classes/65536/reserve", "0");
	for (uid = 1000; uid < 1004; uid++)
		forget_quota(observer, uid);
	forget_quota(observer, 0);
	limit_write((8ULL << next_random(random) % 4) * MIB);
}

static bool legacy_make(struct legacy *legacy, struct common *common)
{
	struct channel channel;
	unsigned int i;

	for (i = 0; i < CLIENTS - OWN_CLIENTS; i++) {
		legacy->clients[i] = pool_open();
		legacy->ids[i] = ++common->ids;
		if (legacy->clients[i] < 0)
			return false;
	}
	for (i = 0; i < CHANNELS - OWN_CHANNELS; i++) {
		if (channel_make(legacy->clients[0], i ? 64 : 2, &channel))
			return false;
		legacy->channels[i] = (struct ends){ channel.receives, channel.sends };
	}
	return !socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, legacy->post);
}

static void legacy_end(struct legacy *legacy)
{
	unsigned int i;

	for (i = 0; i < CLIENTS - OWN_CLIENTS; i++)
		close(legacy->clients[i]);
	for (i = 0; i < CHANNELS - OWN_CHANNELS; i++) {
		close(legacy->channels[i].receives);
		close(legacy->channels[i].sends);
	}
	close(legacy->post[0]);
	close(legacy->post[1]);
}

/* Whether all of the pool is as it was when nobody used it. */
static bool is_back(int observer, const struct bufpool_stats *before)
{
	struct bufpool_stats stats;

	return !pool_stats(observer, &stats) && stats.in_use == before->in_use &&
	       stats.clients == before->clients && stats.channels == before->channels &&
	       stats.in_channels == before->in_channels && stats.warm == before->warm &&
	       stats.kept == before->kept && stats.waiting == before->waiting &&
	       stats.quarantined == before->quarantined && stats.pinned == stats.idle;
}

static void tell_balance(int observer)
{
	struct bufpool_stats stats = stats_of(observer);

	fprintf(stderr, "# in use %llu, warm %llu, kept %llu, quarantined %llu, in channels %llu\n",
		stats.in_use, stats.warm, stats.kept, stats.quarantined, stats.in_channels);
	fprintf(stderr, "# pinned %llu, idle %llu, clients %llu, channels %llu, waiting %llu\n",
		stats.pinned, stats.idle, stats.clients, stats.channels, stats.waiting);
}

/* What each thread does now, for whoever wonders why that takes so long. */
static void tell_roles(const struct common *common)
{
	unsigned int i;

	fprintf(stderr, "# BUFPOOL_SEED=%llu, round %u: nothing goes on; the latest operations:\n",
		common->seed, common->round);
	for (i = 0; i < ROLES; i++)
		op_print(stderr, "# ", &common->roles[i].op);
	write_text("/proc/sysrq-trigger", "w");
}

/* The process comes back at once, with nothing of what it had. */
static bool kill_one(struct worker *workers, pid_t *pids, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		word_set((unsigned int *)&workers->common->roles[nr * THREADS + i].tid, 0);
	kill(pids[nr], SIGKILL);
	if (reap(pids[nr]) != -SIGKILL)
		return false;
	pids[nr] = spawn(work, &workers[nr]);
	return pids[nr] > 0;
}

/* Until so much is done, or one has ended, who should not. Return: how many were killed. */
static unsigned int watch(struct worker *workers, pid_t *pids, __u64 *random, __u64 wanted,
			  __u64 end)
{
	struct common *common = workers->common;
	__u64 done = 0, now = done_by(common), spell = wanted - now + 1;
	__u64 next = now + next_random(random) % spell;
	unsigned int still = 0, kills = 0;

	while (now < wanted && now_ms() < end && !child_has_ended()) {
		sleep_ms(5);
		weather_stir_one(common, next_random(random));
		if (now > next) {
			if (!kill_one(workers, pids, next_random(random) % WORKERS))
				break;
			next = now + next_random(random) % spell;
			kills++;
		}
		still = now == done ? still + 1 : 0;
		if (still == STANDSTILL)
			tell_roles(common);
		done = now;
		now = done_by(common);
	}
	return kills;
}

static bool round_begin(struct worker *workers, pid_t *pids, struct common *common,
			struct legacy *legacy)
{
	unsigned int i;

	common->stop = 0;
	if (!legacy_make(legacy, common))
		return false;
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ i, common, legacy };
		pids[i] = spawn(work, &workers[i]);
		if (pids[i] < 0)
			return false;
	}
	return true;
}

/* Those that wait are to hear that it is over. */
static int round_end(const struct common *common, pid_t *pids)
{
	unsigned int i, left = WORKERS;
	int status = 0, ended;

	while (left) {
		weather_stir(common);
		sleep_ms(1);
		for (i = 0; i < WORKERS; i++) {
			if (!pids[i] || waitpid(pids[i], &ended, WNOHANG) != pids[i])
				continue;
			pids[i] = 0;
			left--;
			if (ended) {
				fprintf(stderr, "# process %u: status %#x\n", i, ended);
				status = ended;
			}
		}
	}
	return status;
}

/* What is done by lot beside the threads has numbers as if it were one more. */
static bool weather_begin(struct _test_data_fuzz *self, __u64 operations)
{
	self->random = lottery_of(self->common, ROLES, 0);
	self->weather = (struct weather){
		.common = self->common,
		.random = lottery_of(self->common, ROLES, 1),
		.spell = operations / CHANGES + 1,
	};
	self->weather_pid = spawn(weather, &self->weather);
	return self->weather_pid > 0;
}

static bool weather_end(struct _test_data_fuzz *self)
{
	bool ended = !kill(self->weather_pid, SIGKILL) &&
		     reap(self->weather_pid) == -SIGKILL;

	weather_clear();
	return ended;
}

TEST_F_TIMEOUT(fuzz, operations, A_DAY)
{
	struct common *common = self->common;
	__u64 round = often(ROUND), before;
	int status = 0;

	while (!status && done_by(common) < self->wanted && now_ms() < self->end) {
		before = done_by(common);
		ASSERT_TRUE(weather_begin(self, round));
		settle(self->observer, &self->random);
		ASSERT_TRUE(round_begin(self->workers, self->pids, common, &self->legacy));
		self->kills += watch(self->workers, self->pids, &self->random,
				     before + round < self->wanted ? before + round : self->wanted,
				     self->end);
		word_set(&common->stop, 1);
		status = round_end(common, self->pids);
		EXPECT_EQ(0, status);
		EXPECT_TRUE(weather_end(self));
		legacy_end(&self->legacy);
		settle(self->observer, &self->random);
		ASSERT_TRUE(BECOMES(is_back(self->observer, &self->before))) {
			tell_balance(self->observer);
		}
		TH_LOG("round %u: %llu operations, %u edges, %u inputs", common->round,
		       done_by(common), common->edges, common->nr_corpus);
		common->round++;
	}
	TH_LOG("%llu operations, %u kills, %u changes of the weather", done_by(common),
	       self->kills, common->changes);
	EXPECT_LT(0, done_by(common));
}

TEST_HARNESS_MAIN
