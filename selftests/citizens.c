// SPDX-License-Identifier: MIT
/*
 * Citizens: three users with different appetites on a pool that is too small for
 * them, whose processes die and are replaced all the time; and users that rent
 * everything there is.
 *
 * BUFPOOL_STRESS_SECONDS is how long it lasts; BUFPOOL_SEED repeats what can be
 * repeated.
 */
#include "effort.h"
#include "pressure.h"
#include "tracing.h"

#include <poll.h>
#include <sys/resource.h>

#define BLOCK		(16 * PAGE)
#define BLOCKS		64
#define LIMIT		(BLOCKS * BLOCK)
#define QUOTA		(32 * BLOCK)
#define CITIZENS	8
#define USERS		3
#define HELD		40
#define QUEUE		4
#define KILL_MS		50
#define QUEUE_MS	400
#define GRAVES		64
#define EVENTS		TRACING "events/bufpool/"

/* How many more than 30 die, one every KILL_MS. */
#define DEATHS		120

/* What a user is like. */
struct appetite {
	uid_t uid;
	unsigned int citizens;
	unsigned int smallest;		/* in pages */
	unsigned int doublings;		/* sizes from the smallest on */
	unsigned int holds;		/* most blocks at a time */
	__s64 patience_ns;		/* 0: does not wait */
	unsigned int naps;		/* actions for each sleep */
};

static const struct appetite appetites[USERS] = {
	/* Many small blocks, at once or not at all. */
	{ 4711, 3, 1, 3, HELD, 0, 64 },
	/* Some of a middle size, for a while. */
	{ 4712, 3, 16, 3, 6, 5 * NSEC_PER_MSEC, 8 },
	/* All that there is, if waiting for it helps. */
	{ 4713, 2, 32, 4, HELD, 50 * NSEC_PER_MSEC, 256 },
};

struct town {
	unsigned int stop;
	unsigned int samples[USERS];
	__u64 most[USERS];
	unsigned int rentals[CITIZENS];
	unsigned int refusals[CITIZENS];
	__u64 seeds[CITIZENS];
	unsigned int queues;		/* that were served in order */
	unsigned int served;
	unsigned int ready[QUEUE];
};

struct citizen {
	struct town *town;
	const struct appetite *appetite;
	unsigned int number;
};

/* Stamps ----------------------------------------------------------------------- */

/* On every page, the process that wrote it, and for which rental. */
struct stamp {
	__u64 owner;
	__u64 handle;
};

static void put_stamp(unsigned char *at, __u64 length, struct stamp stamp)
{
	__u64 i;

	for (i = 0; i < length; i += PAGE) {
		memcpy(at + i, &stamp, sizeof(stamp));
		memcpy(at + i + PAGE - sizeof(stamp), &stamp, sizeof(stamp));
	}
}

static bool has_stamp(const unsigned char *at, __u64 length, struct stamp stamp)
{
	__u64 i;

	for (i = 0; i < length; i += PAGE) {
		if (memcmp(at + i, &stamp, sizeof(stamp)) ||
		    memcmp(at + i + PAGE - sizeof(stamp), &stamp,
			   sizeof(stamp)))
			return false;
	}
	return true;
}

/* Nothing, or what this process has left there itself. */
static bool is_own_or_empty(const unsigned char *at, __u64 length)
{
	struct stamp old;

	memcpy(&old, at, sizeof(old));
	if (old.owner == (__u64)getpid())
		return has_stamp(at, length, old);
	return has_stamp(at, length, (struct stamp){ 0 });
}

/* Citizens ---------------------------------------------------------------------- */

struct possession {
	struct bufpool_rent rent;
	unsigned char *at;
};

static void acquire(const struct citizen *citizen, int fd,
		    struct possession *one)
{
	const struct appetite *appetite = citizen->appetite;
	__u64 *seed = &citizen->town->seeds[citizen->number];
	__u64 size = appetite->smallest * PAGE << next_random(seed) %
		     appetite->doublings;
	struct stamp stamp = { .owner = getpid() };
	int ret;

	ret = rent_with(fd, size,
			appetite->patience_ns ? 0 : BUFPOOL_RENT_NONBLOCK,
			appetite->patience_ns, &one->rent);
	if (ret) {
		CHECK(ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EDQUOT);
		citizen->town->refusals[citizen->number]++;
		one->rent.length = 0;
		return;
	}
	one->at = map_block(fd, &one->rent);
	CHECK(one->at != MAP_FAILED);
	CHECK(is_own_or_empty(one->at, one->rent.length));
	stamp.handle = one->rent.handle;
	put_stamp(one->at, one->rent.length, stamp);
	citizen->town->rentals[citizen->number]++;
}

static void part_with(int fd, struct possession *one, __u64 *seed)
{
	struct stamp stamp = {
		.owner = getpid(),
		.handle = one->rent.handle,
	};
	__u32 flags = next_random(seed) % 16;

	CHECK(has_stamp(one->at, one->rent.length, stamp));
	CHECK(!munmap(one->at, one->rent.length));
	/* Mostly without. */
	CHECK(!give_with(fd, one->rent.handle, flags < 4 ? flags : 0));
	one->rent.length = 0;
}

static int live(void *arg)
{
	const struct citizen *citizen = arg;
	const struct appetite *appetite = citizen->appetite;
	struct town *town = citizen->town;
	__u64 *seed = &town->seeds[citizen->number];
	struct possession held[HELD] = { 0 };
	int fd;

	CHECK(become(appetite->uid, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	while (!__atomic_load_n(&town->stop, __ATOMIC_ACQUIRE)) {
		struct possession *one;

		one = &held[next_random(seed) % appetite->holds];
		if (one->rent.length)
			part_with(fd, one, seed);
		else
			acquire(citizen, fd, one);
		if (next_random(seed) % appetite->naps == 0)
			sleep_ms(1);
	}
	return 0;
}

/* No sample shows more than a user's quota or the pool's limit. */
static int watch(void *arg)
{
	const struct citizen *watcher = arg;
	struct town *town = watcher->town;
	unsigned int user = watcher->number;
	int fd;

	CHECK(become(appetites[user].uid, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	while (!__atomic_load_n(&town->stop, __ATOMIC_ACQUIRE)) {
		struct bufpool_stats now = stats_of(fd);

		CHECK(now.user_quota == QUOTA);
		CHECK(now.user_held <= QUOTA);
		CHECK(now.in_use <= now.pinned);
		CHECK(now.pinned <= LIMIT);
		word_set(&town->samples[user], town->samples[user] + 1);
		if (town->most[user] < now.user_held)
			town->most[user] = now.user_held;
		sleep_ms(1);
	}
	return 0;
}

/* A queue ------------------------------------------------------------------------- */

static int stand_in_line(void *arg)
{
	const struct citizen *self = arg;
	struct town *town = self->town;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	word_set(&town->ready[self->number], 1);
	CHECK(!rent_with(fd, BLOCK, 0, 0, &rented));
	__atomic_fetch_add(&town->served, 1, __ATOMIC_ACQ_REL);
	CHECK(!give(fd, rented.handle));
	return 0;
}

/*
 * A process that got its block first may run last. The tracer has the order in
 * which blocks were handed out: to waiters when they are served, to others when
 * they rent.
 */
static void trace_serving(bool on)
{
	const char *value = on ? "1" : "0";
	char filter[32];

	snprintf(filter, sizeof(filter), "length >= %llu", BLOCK);
	CHECK(!write_text(TRACING "trace_clock", on ? "counter" : "local"));
	CHECK(!write_text(EVENTS "bufpool_rent/filter", filter));
	CHECK(!write_text(EVENTS "bufpool_rent/enable", value));
	CHECK(!write_text(EVENTS "bufpool_serve/enable", value));
}

/* The process that a line of the trace says has got a block, or 0. */
static pid_t served_process(const char *line)
{
	const char *name = " task=", *found;

	if (!strstr(line, "bufpool_serve:"))
		name = " client=";
	found = strstr(line, name);
	return found ? atoi(found + strlen(name)) : 0;
}

/* Whether these got blocks, and in this order, since the trace was forgotten. */
static bool got_in_order(const pid_t *pids, unsigned int count)
{
	FILE *trace = fopen(TRACING "trace", "re");
	unsigned int next = 0, i;
	char line[256];
	bool ok = true;

	CHECK(trace);
	while (ok && fgets(line, sizeof(line), trace)) {
		for (i = 0; i < count && pids[i] != served_process(line); i++)
			;
		if (i == count || i < next)
			continue;
		ok = i == next++;
	}
	fclose(trace);
	if (!ok)
		fprintf(stderr, "# number %u comes too soon: %s", i, line);
	return ok && next == count;
}

/* Whether a process sleeps in the line, and not somewhere on its way to it. */
static bool is_in_line(pid_t pid)
{
	char path[64], stack[2048];
	ssize_t len = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, stack, sizeof(stack) - 1);
		close(fd);
	}
	if (len <= 0)
		return false;
	stack[len] = '\0';
	return strstr(stack, "bufpool_wait") && !strstr(stack, "mutex_lock");
}

static bool stands_or_is_served(struct town *town, unsigned int number,
				pid_t pid)
{
	return word_reaches(&town->ready[number], 1) &&
	       BECOMES(word_get(&town->served) > number || is_in_line(pid));
}

/*
 * Queue up one after another, while nothing is free; whether they are served one
 * after another.
 */
static bool is_served_in_order(struct town *town, int fd)
{
	static struct bufpool_block held[BLOCKS];
	int count = drain(fd, BLOCK, held, BLOCKS);
	pid_t pids[QUEUE];
	unsigned int i;
	bool ok = true;

	CHECK(trace_forget(TRACING "trace"));
	town->served = 0;
	memset(town->ready, 0, sizeof(town->ready));
	for (i = 0; i < QUEUE; i++) {
		struct citizen waiter = { .town = town, .number = i };

		pids[i] = spawn(stand_in_line, &waiter);
		ok = ok && stands_or_is_served(town, i, pids[i]);
	}
	while (count > 0)
		CHECK(!give(fd, held[--count].handle));
	for (i = 0; i < QUEUE; i++)
		ok = !reap(pids[i]) && ok;
	/* On PREEMPT_RT a late trace is no exception, see hold_queues(). */
	return ok && (is_realtime() || got_in_order(pids, QUEUE));
}

/* One queue after another, while citizens die. */
static int hold_queues(void *arg)
{
	struct town *town = arg;
	int fd = pool_open();
	unsigned int disorders = 0;

	CHECK(fd >= 0);
	trace_serving(true);
	while (!word_get(&town->stop)) {
		/* One that was served may lose its processor before the trace has it. */
		if (is_served_in_order(town, fd))
			town->queues++;
		else
			CHECK(!disorders++);
		sleep_ms(QUEUE_MS);
	}
	trace_serving(false);
	return 0;
}

/* Death --------------------------------------------------------------------------- */

/* Those that have been killed and may not have come to their end yet. */
struct graveyard {
	pid_t pids[GRAVES];
	unsigned int count;
	unsigned int kills;
};

/* Whether all that have come to it died as they were meant to. */
static bool bury(struct graveyard *graves, int options)
{
	unsigned int i, left = 0;
	bool ok = true;

	for (i = 0; i < graves->count; i++) {
		pid_t pid = graves->pids[i];
		int status;

		switch (waitpid(pid, &status, options)) {
		case 0:
			graves->pids[left++] = pid;
			break;
		case -1:
			ok = false;
			break;
		default:
			ok = ok && WIFSIGNALED(status) &&
			     WTERMSIG(status) == SIGKILL;
		}
	}
	graves->count = left;
	return ok;
}

/* One dies, and another takes its place without waiting for that. */
static bool replace(struct graveyard *graves, pid_t *pid,
		    struct citizen *citizen, __u64 seed)
{
	if (!bury(graves, graves->count == GRAVES ? 0 : WNOHANG))
		return false;
	kill(*pid, SIGKILL);
	graves->pids[graves->count++] = *pid;
	graves->kills++;
	citizen->town->seeds[citizen->number] = seed;
	*pid = spawn(live, citizen);
	return *pid > 0;
}

/* The scenario -------------------------------------------------------------------- */

FIXTURE(town)
{
	int fd;
	struct town *town;
	struct citizen citizens[CITIZENS];
	pid_t pids[CITIZENS];
	pid_t watchers[USERS];
	__u64 seed;
};

FIXTURE_SETUP(town)
{
	unsigned int user, i, number = 0;

	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("quota", QUOTA));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->town = shared_alloc(sizeof(*self->town));
	ASSERT_NE(NULL, self->town);
	self->seed = random_seed();
	for (user = 0; user < USERS; user++) {
		for (i = 0; i < appetites[user].citizens; i++) {
			self->citizens[number] = (struct citizen){
				.town = self->town,
				.appetite = &appetites[user],
				.number = number,
			};
			number++;
		}
	}
	ASSERT_EQ(CITIZENS, number);
}

FIXTURE_TEARDOWN(town)
{
	close(self->fd);
	parameters_restore();
}

static void report(struct __test_metadata *_metadata, const struct town *town)
{
	unsigned int i;

	for (i = 0; i < USERS; i++) {
		EXPECT_LT(0, town->samples[i]);
		EXPECT_LT(0, town->most[i]);
		TH_LOG("user %u: at most %llu of %llu KiB at %u samples",
		       appetites[i].uid, town->most[i] / KIB, QUOTA / KIB,
		       town->samples[i]);
	}
	for (i = 0; i < CITIZENS; i++) {
		EXPECT_LT(0, town->rentals[i]);
		TH_LOG("citizen %u: %u rentals, %u refusals", i,
		       town->rentals[i], town->refusals[i]);
	}
	EXPECT_LT(0, town->queues);
}

/* All have rented, were watched, and lines have been served in between. */
static bool has_lived(const struct town *town)
{
	unsigned int i;

	for (i = 0; i < USERS; i++) {
		if (!word_get(&town->samples[i]))
			return false;
	}
	for (i = 0; i < CITIZENS; i++) {
		if (!word_get(&town->rentals[i]))
			return false;
	}
	return word_get(&town->queues);
}

TEST_F_TIMEOUT(town, goes_on, A_DAY)
{
	struct graveyard graves = { .count = 0 };
	struct effort effort = effort_begin(30 + often(DEATHS), 1);
	struct bufpool_stats after;
	unsigned int i;
	pid_t usher;

	for (i = 0; i < USERS; i++) {
		struct citizen watcher = { .town = self->town, .number = i };

		self->watchers[i] = spawn(watch, &watcher);
		ASSERT_LT(0, self->watchers[i]);
	}
	for (i = 0; i < CITIZENS; i++) {
		self->town->seeds[i] = next_random(&self->seed);
		self->pids[i] = spawn(live, &self->citizens[i]);
		ASSERT_LT(0, self->pids[i]);
	}
	usher = spawn(hold_queues, self->town);
	ASSERT_LT(0, usher);
	while (effort_goes_on(&effort, graves.kills) || !has_lived(self->town)) {
		sleep_ms(KILL_MS);
		i = next_random(&self->seed) % CITIZENS;
		ASSERT_TRUE(replace(&graves, &self->pids[i],
				    &self->citizens[i],
				    next_random(&self->seed)));
	}
	word_set(&self->town->stop, 1);
	EXPECT_EQ(0, reap(usher));
	for (i = 0; i < CITIZENS; i++)
		EXPECT_EQ(0, reap(self->pids[i]));
	for (i = 0; i < USERS; i++)
		EXPECT_EQ(0, reap(self->watchers[i]));
	EXPECT_TRUE(bury(&graves, 0));
	report(_metadata, self->town);
	after = stats_of(self->fd);
	TH_LOG("%u kills, %u queues in order, %llu waits, %llu steals",
	       graves.kills, self->town->queues, after.waits, after.steals);
	EXPECT_LT(0, after.waits);
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	after = stats_of(self->fd);
	EXPECT_EQ(0, after.warm);
	EXPECT_EQ(0, after.waiting);
	EXPECT_EQ(1, after.clients);
	EXPECT_EQ(after.rents, after.returns);
	EXPECT_GE(LIMIT, after.pinned);
}

/* Many ---------------------------------------------------------------------------- */

#define CROWD	2000

TEST_F(town, has_a_crowd)
{
	struct rlimit limit = { CROWD + 100, CROWD + 100 };
	__u64 before, during, each;
	static int fds[CROWD];
	struct bufpool_stats now;
	struct bufpool_rent rented;
	int crowd = often(CROWD), i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, limit_write(2 * LIMIT));
	before = memory_number("SUnreclaim") * KIB;
	for (i = 0; i < crowd; i++) {
		fds[i] = pool_open();
		ASSERT_LE(0, fds[i]);
	}
	during = memory_number("SUnreclaim") * KIB;
	now = stats_of(self->fd);
	EXPECT_EQ(crowd + 1, now.clients);
	each = (during > before ? during - before : 0) / crowd;
	TH_LOG("%llu bytes for each client", each);
	EXPECT_GT(16 * KIB, each);

	/* Each has one warm block; the last one takes them all. */
	for (i = 0; i < crowd; i++) {
		ASSERT_EQ(0, rent(fds[i], 1, &rented));
		ASSERT_EQ(0, give(fds[i], rented.handle));
	}
	now = stats_of(self->fd);
	EXPECT_EQ(crowd * PAGE, now.warm);
	EXPECT_LE(now.warm, now.user_held);
	EXPECT_EQ(now.pinned, now.user_held + now.idle);
	for (i = 0; i < 2 * BLOCKS; i++)
		ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	now = stats_of(self->fd);
	EXPECT_EQ(0, now.warm);
	EXPECT_EQ(2 * LIMIT, now.in_use);
	EXPECT_EQ(-EAGAIN, rent(fds[0], 1, &rented));
	for (i = 0; i < crowd; i++)
		ASSERT_EQ(0, close(fds[i]));
	EXPECT_EQ(1, stats_of(self->fd).clients);
}

/* A hoarder rents everything and sleeps ------------------------------------------- */

struct hoard {
	unsigned int ready;
	int count;
	uid_t uid;
};

static int hoard(void *arg)
{
	static struct bufpool_block blocks[2048];
	struct hoard *all = arg;
	int fd;

	if (all->uid)
		CHECK(become(all->uid, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	for (;;) {
		int ret = rent_many(fd, PAGE, BUFPOOL_MANY_MAX,
				    blocks + all->count);

		if (ret < 0) {
			CHECK(ret == -EAGAIN || ret == -EDQUOT);
			break;
		}
		all->count += ret;
	}
	word_set(&all->ready, 1);
	pause();
	return 0;
}

/* Without a quota it has everything until it is killed; then the waiters are served. */
TEST_F(town, suffers_a_hoarder)
{
	struct hoard *all = shared_alloc(sizeof(*all));
	struct pollfd polled = { .fd = self->fd, .events = POLLIN };
	struct bufpool_rent rented;
	pid_t pid;

	ASSERT_NE(NULL, all);
	pid = spawn(hoard, all);
	ASSERT_TRUE(word_reaches(&all->ready, 1));
	EXPECT_EQ(LIMIT / PAGE, (__u64)all->count);
	EXPECT_EQ(-EAGAIN, rent(self->fd, 1, &rented));
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, LIMIT / 4, 0,
					20 * NSEC_PER_MSEC, &rented));
	EXPECT_EQ(0, poll(&polled, 1, 0));
	kill(pid, SIGKILL);
	EXPECT_EQ(1, poll(&polled, 1, -1));
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_EQ(0, rent_with(self->fd, LIMIT / 4, 0, 0, &rented));
	EXPECT_TRUE(in_use_becomes(self->fd, LIMIT / 4));
}

/* With one, the rest is there for the others. */
TEST_F(town, bounds_a_hoarder)
{
	struct hoard *all = shared_alloc(sizeof(*all));
	struct bufpool_rent rented;
	pid_t pid;
	int i;

	ASSERT_NE(NULL, all);
	all->uid = 4711;
	pid = spawn(hoard, all);
	ASSERT_TRUE(word_reaches(&all->ready, 1));
	EXPECT_EQ(QUOTA / PAGE, (__u64)all->count);
	for (i = 0; i < (int)((LIMIT - QUOTA) / BLOCK); i++)
		EXPECT_EQ(0, rent(self->fd, BLOCK, &rented));
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &rented));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_EQ(0, rent_with(self->fd, QUOTA / 2, 0, 0, &rented));
}

TEST_HARNESS_MAIN
