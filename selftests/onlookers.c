// SPDX-License-Identifier: MIT
/*
 * Onlookers: tasks that read everything that a pool shows, and set everything that can be
 * set, while others rent, keep, send, wait and poll. What is shown holds together at
 * every look, and in the end nothing is left.
 *
 * BUFPOOL_STRESS_SECONDS is how long it lasts; BUFPOOL_SEED repeats what can be repeated.
 */
#include "channel.h"
#include "effort.h"
#include "keeper.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>

#define SYSFS		"/sys/class/misc/bufpool/"
#define DEBUGFS		"/sys/kernel/debug/bufpool/"
#define LIMIT		(4 * MIB)
#define RENTERS		2	/* processes, each with as many threads */
#define HELD		8
#define LOOKS		64
#define SMALL_TIME	(2 * NSEC_PER_MSEC)

struct crowd {
	__u64 seed;
	unsigned int stop;	/* set by the test */
	unsigned int looks;	/* at all files */
	int fd;			/* the client that all renters of a process have */
	struct channel channel;	/* the one that all processes have */
};

struct renter {
	struct crowd *crowd;
	__u64 seed;
	int fd;
	struct bufpool_stack *stack;
	struct bufpool_rent held[HELD];
	unsigned int nr;
};

FIXTURE(onlookers)
{
	int observer;
	__u64 before;
	__u64 seed;
	struct crowd *crowd;
};

FIXTURE_SETUP(onlookers)
{
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	ASSERT_EQ(0, limit_write(LIMIT));
	self->before = in_use(self->observer);
	self->seed = random_seed();
	self->crowd = shared_alloc(sizeof(*self->crowd));
	ASSERT_NE(NULL, self->crowd);
	ASSERT_EQ(0, channel_make(self->observer, HELD, &self->crowd->channel));
}

FIXTURE_TEARDOWN(onlookers)
{
	channel_end(&self->crowd->channel);
	parameters_restore();
	close(self->observer);
}

static bool goes_on(struct crowd *crowd)
{
	return !__atomic_load_n(&crowd->stop, __ATOMIC_ACQUIRE);
}

/* What a renter may do ---------------------------------------------------- */

/* Why there may be no block just now, whatever the onlookers do */
static bool may_be_refused(int ret)
{
	return ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EDQUOT || ret == -ENOMEM ||
	       ret == -ECANCELED;
}

static void do_rent(struct renter *renter)
{
	__u32 flags = next_random(&renter->seed) % 8;
	__u64 size = 1ULL << (next_random(&renter->seed) % 17);
	int ret;

	if (renter->nr == HELD)
		return;
	ret = rent_with(renter->fd, size,
			flags & (BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO),
			SMALL_TIME, &renter->held[renter->nr]);
	CHECK(!ret || may_be_refused(ret));
	renter->nr += !ret;
}

static void do_touch(struct renter *renter)
{
	char *at;

	if (!renter->nr)
		return;
	at = map_block(renter->fd, &renter->held[renter->nr - 1]);
	CHECK(at != MAP_FAILED);
	*at = 1;
	CHECK(!munmap(at, renter->held[renter->nr - 1].length));
}

static void do_give(struct renter *renter)
{
	static const __u32 flags[] = { 0, 0, 0, BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE };

	if (renter->nr)
		CHECK(!give_with(renter->fd, renter->held[--renter->nr].handle,
				 flags[next_random(&renter->seed) % ARRAY_SIZE(flags)]));
}

/* What lies in the stack may be taken: it is the pool's business how it comes back. */
static void do_keep(struct renter *renter)
{
	struct bufpool_block block;
	__u32 number;
	int ret = rent_many(renter->fd, PAGE, 1, &block);

	CHECK(ret == 1 || may_be_refused(ret));
	if (ret == 1 && block.length == PAGE && push(renter->stack, entry_of(&block))) {
		if (!pop(renter->stack, &number))
			return;
		CHECK(number == entry_of(&block));
	}
	if (ret == 1)
		CHECK(!give(renter->fd, block.handle));
}

static void do_send(struct renter *renter)
{
	int ret;

	if (!renter->nr)
		return;
	ret = send_one(renter->fd, renter->crowd->channel.sends,
		       &renter->held[renter->nr - 1], renter->seed);
	CHECK(!ret || ret == -EAGAIN);
	renter->nr -= !ret;
}

static void do_receive(struct renter *renter)
{
	struct bufpool_message message;
	int ret;

	if (renter->nr == HELD)
		return;
	ret = receive_timed(renter->fd, renter->crowd->channel.receives, &message, 1, 0,
			    SMALL_TIME);
	CHECK(ret == 1 || may_be_refused(ret));
	if (ret == 1)
		renter->held[renter->nr++] = rented_by(&message);
}

static void do_poll(struct renter *renter)
{
	struct pollfd polls[] = {
		{ .fd = renter->fd, .events = POLLIN | POLLPRI },
		{ .fd = renter->crowd->channel.receives, .events = POLLIN },
		{ .fd = renter->crowd->channel.sends, .events = POLLOUT },
		{ .fd = poller_of(renter->fd, 4 * PAGE), .events = POLLIN },
	};

	CHECK(polls[3].fd >= 0);
	CHECK(poll(polls, ARRAY_SIZE(polls), 0) >= 0);
	CHECK(!close(polls[3].fd));
}

static void do_trim(struct renter *renter)
{
	CHECK(trim(renter->fd, 0) >= 0);
}

/* What it holds is more than the first, now and then. */
static void do_ceiling(struct renter *renter)
{
	CHECK(!set_ceiling(renter->fd, 8 * PAGE));
	CHECK(!set_ceiling(renter->fd, ~0ULL));
}

static void do_cancel(struct renter *renter)
{
	CHECK(!cancel(renter->fd, 0));
	CHECK(!cancel(renter->fd, BUFPOOL_CANCEL_OFF));
}

static void do_nonblock(struct renter *renter)
{
	int flags = fcntl(renter->fd, F_GETFL);

	CHECK(flags >= 0 && !fcntl(renter->fd, F_SETFL, flags ^ O_NONBLOCK));
}

static void (*const rentals[])(struct renter *renter) = {
	do_rent, do_rent, do_rent, do_touch, do_give, do_give, do_keep, do_send, do_receive,
	do_poll, do_trim, do_ceiling, do_cancel, do_nonblock,
};

static void *rent_on(void *arg)
{
	struct renter *renter = arg;

	while (goes_on(renter->crowd))
		rentals[next_random(&renter->seed) % ARRAY_SIZE(rentals)](renter);
	return NULL;
}

/* Threads with one client, which goes with all that it holds and keeps. */
static int rent_in_threads(void *arg)
{
	struct crowd *crowd = arg;
	struct bufpool_info info;
	struct renter renters[RENTERS] = {};
	pthread_t threads[RENTERS];
	__u64 seed = crowd->seed ^ getpid();
	int fd = pool_open();
	int i;

	CHECK(fd >= 0 && !pool_info(fd, &info));
	for (i = 0; i < RENTERS; i++) {
		renters[i].crowd = crowd;
		renters[i].seed = next_random(&seed);
		renters[i].fd = fd;
		renters[i].stack = map_stack(fd, i * info.nr_classes);
		CHECK(renters[i].stack != MAP_FAILED);
		CHECK(!pthread_create(&threads[i], NULL, rent_on, &renters[i]));
	}
	for (i = 0; i < RENTERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return 0;
}

/* What onlookers do ------------------------------------------------------- */

/* Read all of a file. */
static void read_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t ret;

	CHECK(fd >= 0);
	do {
		ret = read(fd, text, sizeof(text));
	} while (ret > 0);
	CHECK(!ret);
	CHECK(!close(fd));
}

/* Read all files of a directory that can be read. */
static void read_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	CHECK(dir);
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG && strcmp(entry->d_name, "trim") &&
		    strcmp(entry->d_name, "uevent"))
			read_file(dirfd(dir), entry->d_name);
	CHECK(!closedir(dir));
}

static int look_at_files(void *arg)
{
	struct crowd *crowd = arg;

	while (goes_on(crowd)) {
		read_files(SYSFS);
		read_files(SYSFS "classes/4096");
		read_files(SYSFS "classes/io-4096");
		read_files("/proc/self/fdinfo");
		if (!access(DEBUGFS, R_OK))
			read_files(DEBUGFS);
		__atomic_add_fetch(&crowd->looks, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Parts are never more than what they are parts of. */
static int look_at_numbers(void *arg)
{
	struct crowd *crowd = arg;

	while (goes_on(crowd)) {
		struct bufpool_stats stats;

		CHECK(!pool_stats(crowd->fd, &stats));
		CHECK(stats.in_use <= stats.pinned);
		CHECK(stats.kept <= stats.in_use);
		CHECK(stats.idle <= stats.pinned - stats.in_use);
		CHECK(stats.client_kept_bytes <= stats.client_bytes);
	}
	return 0;
}

static int set_quota(int fd, __u64 bytes)
{
	struct bufpool_quota quota = {
		.size = sizeof(quota),
		.flags = BUFPOOL_QUOTA_SET,
		.uid = getuid(),
		.quota = bytes,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_QUOTA, &quota);
}

/* And back to what was before. A reserve there may be no room for. */
static int set_everything(void *arg)
{
	struct crowd *crowd = arg;
	int ret;

	while (goes_on(crowd)) {
		CHECK(!limit_write(LIMIT / 4));
		CHECK(!parameter_write("warm_blocks", 2));
		CHECK(!parameter_write("trim_ms", 10));
		CHECK(!set_quota(crowd->fd, LIMIT / 4));
		CHECK(!write_text(SYSFS "trim", "1"));
		CHECK(!limit_write(LIMIT));
		ret = write_text(SYSFS "classes/4096/reserve", "128K");
		CHECK(!ret || ret == -EAGAIN || ret == -ENOMEM);
		CHECK(!parameter_write("warm_blocks", 64));
		CHECK(!set_quota(crowd->fd, 0));
		CHECK(!write_text(SYSFS "classes/4096/reserve", "0"));
	}
	return 0;
}

TEST_F_TIMEOUT(onlookers, numbers_hold_together, A_DAY)
{
	int (*const bodies[])(void *arg) = {
		rent_in_threads, rent_in_threads, look_at_files, look_at_numbers, set_everything,
	};
	struct effort effort = effort_begin(often(LOOKS), 1);
	pid_t pids[ARRAY_SIZE(bodies)];
	size_t i;

	self->crowd->seed = self->seed;
	self->crowd->fd = self->observer;
	for (i = 0; i < ARRAY_SIZE(bodies); i++) {
		pids[i] = spawn(bodies[i], self->crowd);
		ASSERT_LT(0, pids[i]);
	}
	while (effort_goes_on(&effort, word_get(&self->crowd->looks)) && !child_has_ended())
		sleep_ms(1);
	word_set(&self->crowd->stop, 1);
	for (i = 0; i < ARRAY_SIZE(bodies); i++)
		EXPECT_EQ(0, reap(pids[i]));
	TH_LOG("%u looks", word_get(&self->crowd->looks));
	channel_end(&self->crowd->channel);
	EXPECT_TRUE(in_use_becomes(self->observer, self->before));
}

TEST_HARNESS_MAIN
