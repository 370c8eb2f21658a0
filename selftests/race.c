// SPDX-License-Identifier: MIT
/*
 * Races: processes and threads that rent, return, touch and die in no order.
 * Every page of every block names its owner, and is looked at before the block goes;
 * what comes must be zero.
 *
 * BUFPOOL_STRESS_SECONDS is how long it lasts; BUFPOOL_SEED repeats what can be
 * repeated.
 */
#include "effort.h"

#include <pthread.h>
#include <sched.h>

#define TESTS		3	/* that share the seconds */
#define LIMIT		(16 * MIB)
#define HELD		24
#define WORKERS		4

/* What stands at the beginning and at the end of each page of a block. */
struct stamp {
	__u64 owner;
	__u64 handle;
};

struct holding {
	struct bufpool_block block;
	char *at;		/* NULL: not mapped now */
};

struct worker {
	__u64 seed;
	unsigned int stop;	/* set by the test */
	unsigned int rounds;
	__u64 id;		/* not that of any client before */
	int fd;
	bool alone;		/* no other process is the same client */
	struct holding held[HELD];
};

FIXTURE(race)
{
	int observer;
	__u64 before;
	__u64 seed;
	struct worker *workers;
};

FIXTURE_SETUP(race)
{
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	ASSERT_EQ(0, limit_write(LIMIT));
	self->before = in_use(self->observer);
	self->seed = random_seed();
	self->workers = shared_alloc(WORKERS * sizeof(*self->workers));
	ASSERT_NE(NULL, self->workers);
}

FIXTURE_TEARDOWN(race)
{
	limit_restore();
	close(self->observer);
}

static struct stamp *stamp_at(char *page, int which)
{
	return (void *)(which ? page + PAGE - sizeof(struct stamp) : page);
}

/* Whether every page has this stamp at both its ends. */
static bool is_stamped(char *at, __u64 length, __u64 owner, __u64 handle)
{
	__u64 i;
	int end;

	for (i = 0; i < length; i += PAGE) {
		for (end = 0; end < 2; end++) {
			struct stamp *stamp = stamp_at(at + i, end);

			if (stamp->owner == owner && stamp->handle == handle)
				continue;
			fprintf(stderr, "# page %llu of %llu: %#llx %#llx, not %#llx %#llx\n",
				i / PAGE, length / PAGE, stamp->owner,
				stamp->handle, owner, handle);
			return false;
		}
	}
	return true;
}

static void put_stamp(char *at, __u64 length, __u64 owner, __u64 handle)
{
	__u64 i;
	int end;

	for (i = 0; i < length; i += PAGE) {
		for (end = 0; end < 2; end++) {
			struct stamp *stamp = stamp_at(at + i, end);

			stamp->owner = owner;
			stamp->handle = handle;
		}
	}
}

/* What a worker may do ---------------------------------------------------- */

static void map_holding(struct worker *worker, struct holding *holding)
{
	if (holding->at)
		return;
	holding->at = map_at(worker->fd, holding->block.offset,
			     holding->block.length);
	CHECK(holding->at != MAP_FAILED);
}

static void unmap_holding(struct holding *holding)
{
	if (!holding->at)
		return;
	CHECK(!munmap(holding->at, holding->block.length));
	holding->at = NULL;
}

static void check_holding(struct worker *worker, struct holding *holding)
{
	if (!holding->block.length)
		return;
	map_holding(worker, holding);
	CHECK(is_stamped(holding->at, holding->block.length, worker->id,
			 holding->block.handle));
}

/*
 * What may be in a block that was just rented: nothing, or where that was not
 * asked for, what the same client has left in it.
 */
static bool is_own_or_empty(const struct worker *worker, char *at, __u64 length,
			    bool zero)
{
	struct stamp old = *stamp_at(at, 0);

	if (!zero && (old.owner == worker->id ||
		      (!worker->alone && old.owner >> 32 == worker->id >> 32)))
		return is_stamped(at, length, old.owner, old.handle);
	return is_stamped(at, length, 0, 0);
}

static void take(struct worker *worker, struct holding *holding,
		 const struct bufpool_block *block, bool zero)
{
	CHECK(!holding->block.length);
	holding->block = *block;
	map_holding(worker, holding);
	CHECK(is_own_or_empty(worker, holding->at, block->length, zero));
	put_stamp(holding->at, block->length, worker->id, block->handle);
}

static __u64 random_size(struct worker *worker)
{
	__u64 shift = next_random(&worker->seed) % 19;

	/* Now and then one that the pool does not keep. */
	if (next_random(&worker->seed) % 64 == 0)
		return 1 * MIB + 1;
	return 1 + next_random(&worker->seed) % (1ULL << shift);
}

static bool may_fail(int ret)
{
	return ret == -EAGAIN || ret == -ETIMEDOUT || ret == -ENOMEM;
}

static struct holding *random_holding(struct worker *worker)
{
	return &worker->held[next_random(&worker->seed) % HELD];
}

static void do_rent(struct worker *worker)
{
	struct holding *holding = random_holding(worker);
	struct bufpool_rent rented;
	struct bufpool_block block;
	bool waits = next_random(&worker->seed) % 8 == 0;
	bool zero = next_random(&worker->seed) % 4 == 0;
	int ret;

	if (holding->block.length)
		return;
	ret = rent_with(worker->fd, random_size(worker),
			(waits ? 0 : BUFPOOL_RENT_NONBLOCK) |
			(zero ? BUFPOOL_RENT_ZERO : 0),
			waits ? 2 * NSEC_PER_MSEC : 0, &rented);
	CHECK(!ret || may_fail(ret));
	if (ret)
		return;
	block.handle = rented.handle;
	block.offset = rented.offset;
	block.length = rented.length;
	take(worker, holding, &block, zero);
}

static void do_rent_many(struct worker *worker)
{
	struct bufpool_block blocks[HELD];
	int room = 0, ret, i, next = 0;

	for (i = 0; i < HELD; i++)
		room += !worker->held[i].block.length;
	if (!room)
		return;
	ret = rent_many(worker->fd, random_size(worker) % (64 * KIB) + 1,
			1 + next_random(&worker->seed) % room, blocks);
	CHECK(ret > 0 || may_fail(ret));
	for (i = 0; i < HELD && next < ret; i++) {
		if (!worker->held[i].block.length)
			take(worker, &worker->held[i], &blocks[next++], false);
	}
}

static void do_return(struct worker *worker)
{
	struct holding *holding = random_holding(worker);
	__u32 flags = next_random(&worker->seed) % 8;

	/* Mostly none. */
	if (flags & ~(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE))
		flags = 0;
	if (!holding->block.length)
		return;
	check_holding(worker, holding);
	CHECK(!give_with(worker->fd, holding->block.handle, flags));
	if (worker->alone && flags)
		CHECK(touch(holding->at) == SIGBUS);
	unmap_holding(holding);
	CHECK(give(worker->fd, holding->block.handle) == -ESTALE);
	holding->block.length = 0;
}

static void do_return_many(struct worker *worker)
{
	__u64 handles[HELD];
	int count = 0, i;

	for (i = 0; i < HELD; i++) {
		struct holding *holding = &worker->held[i];

		if (!holding->block.length || next_random(&worker->seed) & 1)
			continue;
		check_holding(worker, holding);
		handles[count++] = holding->block.handle;
		unmap_holding(holding);
		holding->block.length = 0;
	}
	if (count)
		CHECK(give_many(worker->fd, handles, count) == count);
}

static void do_unmap(struct worker *worker)
{
	unmap_holding(random_holding(worker));
}

static void do_check(struct worker *worker)
{
	check_holding(worker, random_holding(worker));
}

/* Handles of another client, or of none. */
static void do_bad_return(struct worker *worker)
{
	int ret = give(worker->fd, next_random(&worker->seed));

	CHECK(ret == -ENOENT || ret == -ESTALE);
}

static int child_of_worker(void *arg)
{
	/* Its mappings are its own: the parent must not hear of them. */
	struct worker worker = *(struct worker *)arg;
	struct holding *holding = random_holding(&worker);
	struct bufpool_rent rented;
	char *at;

	holding->at = NULL;
	check_holding(&worker, holding);
	at = rent_mapped(worker.fd, 1, &rented);
	if (at) {
		CHECK(is_own_or_empty(&worker, at, rented.length, false));
		put_stamp(at, rented.length, worker.id, rented.handle);
		CHECK(!give(worker.fd, rented.handle));
	}
	return 0;
}

static void do_fork(struct worker *worker)
{
	CHECK(!in_child(child_of_worker, worker));
}

/* Everything at once, and from the beginning. */
static void do_close(struct worker *worker)
{
	int i;

	for (i = 0; i < HELD; i++) {
		check_holding(worker, &worker->held[i]);
		unmap_holding(&worker->held[i]);
		worker->held[i].block.length = 0;
	}
	CHECK(!close(worker->fd));
	worker->fd = pool_open();
	CHECK(worker->fd >= 0);
	worker->id++;
}

struct action {
	void (*act)(struct worker *worker);
	unsigned int share;	/* how often, of all the shares */
};

static const struct action actions[] = {
	{ do_rent, 40 },
	{ do_return, 25 },
	{ do_check, 10 },
	{ do_unmap, 10 },
	{ do_rent_many, 4 },
	{ do_return_many, 4 },
	{ do_bad_return, 4 },
	{ do_fork, 2 },
	{ do_close, 1 },
};

static void do_something(struct worker *worker)
{
	unsigned int pick = next_random(&worker->seed) % 100;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (pick < actions[i].share) {
			actions[i].act(worker);
			return;
		}
		pick -= actions[i].share;
	}
}

static int work(void *arg)
{
	struct worker *worker = arg;

	worker->id = (__u64)getpid() << 32 | 1;
	worker->fd = pool_open();
	CHECK(worker->fd >= 0);
	worker->alone = true;
	memset(worker->held, 0, sizeof(worker->held));
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		do_something(worker);
		__atomic_add_fetch(&worker->rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static unsigned int rounds_of(const struct worker *workers, unsigned int count)
{
	unsigned int rounds = 0;

	while (count--)
		rounds += word_get(&workers[count].rounds);
	return rounds;
}

/* Processes, one of which is killed and replaced now and then. */
TEST_F_TIMEOUT(race, processes, A_DAY)
{
	struct effort effort = effort_begin(often(48), TESTS);
	unsigned int i, rounds, kills = 0;
	pid_t pids[WORKERS];

	for (i = 0; i < WORKERS; i++) {
		self->workers[i].seed = next_random(&self->seed);
		pids[i] = spawn(work, &self->workers[i]);
		ASSERT_LT(0, pids[i]);
	}
	while (effort_goes_on(&effort, kills) && !child_has_ended()) {
		sleep_ms(next_random(&self->seed) % 100);
		i = next_random(&self->seed) % WORKERS;
		kill(pids[i], SIGKILL);
		ASSERT_EQ(-SIGKILL, reap(pids[i]));
		kills++;
		self->workers[i].seed = next_random(&self->seed);
		pids[i] = spawn(work, &self->workers[i]);
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < WORKERS; i++)
		word_set(&self->workers[i].stop, 1);
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	rounds = rounds_of(self->workers, WORKERS);
	TH_LOG("%u actions, %u kills", rounds, kills);
	EXPECT_LT(0, rounds);
	EXPECT_TRUE(in_use_becomes(self->observer, self->before));
}

/* Threads of one client, each with blocks of its own. */
static void *work_as_thread(void *arg)
{
	struct worker *worker = arg;

	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		/* Neither the descriptor nor the process is its own. */
		unsigned int pick = next_random(&worker->seed) %
				    (ARRAY_SIZE(actions) - 2);

		actions[pick].act(worker);
		__atomic_add_fetch(&worker->rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int work_in_threads(void *arg)
{
	struct worker *workers = arg;
	pthread_t threads[WORKERS];
	int i, fd = pool_open();

	CHECK(fd >= 0);
	for (i = 0; i < WORKERS; i++) {
		workers[i].id = (__u64)getpid() << 32 | (i + 2);
		workers[i].fd = fd;
		CHECK(!pthread_create(&threads[i], NULL, work_as_thread,
				      &workers[i]));
	}
	for (i = 0; i < WORKERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return 0;
}

TEST_F_TIMEOUT(race, threads, A_DAY)
{
	struct effort effort = effort_begin(often(4000), TESTS);
	unsigned int i, rounds;
	pid_t pid;

	for (i = 0; i < WORKERS; i++)
		self->workers[i].seed = next_random(&self->seed);
	pid = spawn(work_in_threads, self->workers);
	do {
		sleep_ms(1);
		rounds = rounds_of(self->workers, WORKERS);
	} while (effort_goes_on(&effort, rounds) && !child_has_ended());
	for (i = 0; i < WORKERS; i++)
		word_set(&self->workers[i].stop, 1);
	EXPECT_EQ(0, reap(pid));
	TH_LOG("%u actions", rounds);
	EXPECT_LT(0, rounds);
	EXPECT_TRUE(in_use_becomes(self->observer, self->before));
}

/*
 * A return against the faults of other threads. Two processes rent and return
 * the same few blocks, and in each a thread touches whatever is rented just
 * now. A touch ends in SIGBUS, in a zero, or in what the same process wrote; and
 * after the return, before the next rent, in nothing but SIGBUS.
 *
 * The blocks are large, so that a fault takes its time to map one.
 */
#define LARGE		(1 * MIB)

struct toucher {
	struct worker *worker;
	char *target;		/* what is rented, or NULL */
	unsigned char mark;
	__u64 seed;
	unsigned int touches;
	unsigned int faults;
};

static void touch_once(struct toucher *toucher, char *at)
{
	unsigned char value;
	int sig;

	if (next_random(&toucher->seed) & 1) {
		sig = poke(at, toucher->mark);
	} else {
		sig = peek(at, &value);
		CHECK(sig || !value || value == toucher->mark);
	}
	CHECK(!sig || sig == SIGBUS);
	toucher->touches++;
	toucher->faults += !!sig;
}

static void *touch_what_is_rented(void *arg)
{
	struct toucher *toucher = arg;

	while (!__atomic_load_n(&toucher->worker->stop, __ATOMIC_ACQUIRE)) {
		char *at = __atomic_load_n(&toucher->target, __ATOMIC_ACQUIRE);

		if (at)
			touch_once(toucher, at + next_random(&toucher->seed) %
						 LARGE);
		else
			sched_yield();
	}
	return NULL;
}

/* No byte is another worker's; no two marks have a bit in common. */
static bool is_own(const char *at, unsigned char mark)
{
	const __u64 others = ~(mark * 0x0101010101010101ULL);
	const __u64 *words = (const void *)at;
	size_t i;

	for (i = 0; i < LARGE / sizeof(*words); i++) {
		if (words[i] & others)
			return false;
	}
	return true;
}

static void rent_and_return(struct worker *worker, struct toucher *toucher,
			    char *span, __u64 start)
{
	struct bufpool_rent rented;
	unsigned int spins = next_random(&worker->seed) % 2000;
	char *at;
	int i;

	if (rent(worker->fd, LARGE, &rented))
		return;
	CHECK(rented.offset - start < LIMIT);
	at = span + (rented.offset - start);
	if (worker->rounds % 8 == 0) {
		CHECK(is_own(at, toucher->mark));
		memset(at, toucher->mark, LARGE);
		sched_yield();
		CHECK(is_own(at, toucher->mark));
	}
	__atomic_store_n(&toucher->target, at, __ATOMIC_RELEASE);
	while (spins--)
		(void)__atomic_load_n(&toucher->target, __ATOMIC_RELAXED);
	CHECK(!give_up(worker->fd, rented.handle));
	for (i = 1; i <= 4; i++)
		CHECK(touch(at + i * LARGE / 4 - 1) == SIGBUS);
	__atomic_store_n(&toucher->target, NULL, __ATOMIC_RELEASE);
	worker->rounds++;
}

static int rent_under_a_toucher(void *arg)
{
	struct worker *worker = arg;
	struct toucher toucher = {
		.worker = worker,
		.mark = worker->id,
		.seed = next_random(&worker->seed),
	};
	struct bufpool_info info;
	struct bufpool_rent rented;
	pthread_t thread;
	__u64 start;
	char *span;

	worker->fd = pool_open();
	CHECK(worker->fd >= 0);
	CHECK(!pool_info(worker->fd, &info));
	CHECK(!rent(worker->fd, LARGE, &rented));
	CHECK(!give_up(worker->fd, rented.handle));
	start = rented.offset - rented.offset % info.span;
	span = map_at(worker->fd, start, LIMIT);
	CHECK(span != MAP_FAILED);
	CHECK(!pthread_create(&thread, NULL, touch_what_is_rented, &toucher));
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE))
		rent_and_return(worker, &toucher, span, start);
	CHECK(!pthread_join(thread, NULL));
	fprintf(stderr, "# %u rentals, %u touches, %u of them SIGBUS\n",
		worker->rounds, toucher.touches, toucher.faults);
	return 0;
}

TEST_F_TIMEOUT(race, touch_against_return, A_DAY)
{
	struct effort effort = effort_begin(often(1200), TESTS);
	pid_t pids[2];
	int i;

	for (i = 0; i < 2; i++) {
		self->workers[i].seed = next_random(&self->seed);
		self->workers[i].id = i ? 0xf0 : 0x0f;
		pids[i] = spawn(rent_under_a_toucher, &self->workers[i]);
	}
	while (effort_goes_on(&effort, rounds_of(self->workers, 2)) &&
	       !child_has_ended())
		sleep_ms(1);
	for (i = 0; i < 2; i++)
		word_set(&self->workers[i].stop, 1);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_LT(0, self->workers[i].rounds);
	}
	EXPECT_TRUE(in_use_becomes(self->observer, self->before));
}

TEST_HARNESS_MAIN
