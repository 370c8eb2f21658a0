// SPDX-License-Identifier: MIT
/*
 * libbufpool under load: threads rent and return blocks of all sizes, hand them
 * to each other, and end while others still have their blocks. Every page of a
 * block has its renter's stamp, so a block that two have shows.
 *
 * BUFPOOL_STRESS_SECONDS is how long it lasts; BUFPOOL_SEED repeats what
 * each thread does, though not when.
 */
#include "library_test.h"
#include "effort.h"

#define WORKERS		8
#define HOLDS		24	/* blocks that a thread has at most */
#define SLOTS		64	/* blocks on their way to a thread */
#define LIFE		4000	/* steps of a thread at most */
#define STAMP_STEP	4096
#define WAIT_NS		(2 * NSEC_PER_MSEC)

struct item {
	__u64 *block;
	size_t size;
	__u64 stamp;
};

/* Blocks on their way to the worker with this number. */
struct lane {
	pthread_mutex_t lock;
	unsigned int count;
	struct item items[SLOTS];
};

struct stress {
	struct bufpool *pool;
	size_t page;
	unsigned int nr_classes;
	bool has_io;			/* there are blocks for I/O */
	__u64 seed;
	struct effort effort;
	unsigned long serial;		/* atomic: of stamps and of seeds */
	unsigned long rented;		/* atomic */
	unsigned long handed;		/* atomic */
	unsigned long refused;		/* atomic: nothing was free */
	unsigned long threads;
	unsigned long failures;		/* atomic */
	struct lane lanes[WORKERS];
};

struct worker {
	struct stress *stress;
	pthread_t thread;
	unsigned int number;
	bool running;
	int over;			/* atomic: the thread has little to do */
	__u64 random;
	unsigned int count;
	struct item items[HOLDS];
};

static void add(unsigned long *counter, unsigned long more)
{
	__atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

static void expect(struct stress *stress, bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "# not true: %s (errno %d)\n", what, errno);
	add(&stress->failures, 1);
}

static void write_stamps(const struct item *item)
{
	size_t at;

	for (at = 0; at < item->size; at += STAMP_STEP)
		item->block[at / sizeof(__u64)] = item->stamp + at;
	item->block[item->size / sizeof(__u64) - 1] = item->stamp;
}

static bool has_stamps(const struct item *item)
{
	size_t at;

	for (at = 0; at < item->size; at += STAMP_STEP) {
		if (item->block[at / sizeof(__u64)] != item->stamp + at)
			return false;
	}
	return item->block[item->size / sizeof(__u64) - 1] == item->stamp;
}

static void begin(struct worker *worker, void *block, size_t size, bool zero)
{
	struct stress *stress = worker->stress;
	struct item *item = &worker->items[worker->count++];

	item->block = block;
	item->size = bufpool_block_size(stress->pool, block);
	item->stamp = __atomic_add_fetch(&stress->serial, 1, __ATOMIC_RELAXED) << 24;
	expect(stress, item->size >= size, "the block is large enough");
	expect(stress, !zero || filled(block, 0, item->size), "the block is zero");
	write_stamps(item);
	add(&stress->rented, 1);
}

static bool nothing_free(int error)
{
	return error == EAGAIN || error == ETIMEDOUT;
}

/* Small ones mostly, and any size within a class. */
static size_t random_size(struct worker *worker)
{
	struct stress *stress = worker->stress;
	unsigned int class = __builtin_ctzll(next_random(&worker->random) |
					     1ULL << (stress->nr_classes - 1));
	size_t most = stress->page << class;

	return most - next_random(&worker->random) % (most / 2);
}

static void rent_one(struct worker *worker)
{
	struct stress *stress = worker->stress;
	size_t size = random_size(worker);
	__u64 kind = next_random(&worker->random) % 8;
	unsigned int flags = 0;
	void *block;

	if (kind < 2)
		flags |= BUFPOOL_RENT_ZERO;
	if (kind % 2)
		flags |= BUFPOOL_RENT_NONBLOCK;
	if (stress->has_io && next_random(&worker->random) % 2)
		flags |= BUFPOOL_RENT_IO;
	block = bufpool_rent_timed(stress->pool, size, flags, WAIT_NS);
	if (block) {
		begin(worker, block, size, flags & BUFPOOL_RENT_ZERO);
	} else {
		expect(stress, nothing_free(errno), "a rent works or must wait");
		add(&stress->refused, 1);
	}
}

static void rent_some(struct worker *worker)
{
	struct stress *stress = worker->stress;
	int count = HOLDS - worker->count, got, i;
	unsigned int flags = BUFPOOL_RENT_NONBLOCK;
	size_t size = stress->page;
	void *blocks[HOLDS];

	if (stress->has_io && next_random(&worker->random) % 2)
		flags |= BUFPOOL_RENT_IO;
	got = bufpool_rent_many(stress->pool, size, flags, blocks, count);
	expect(stress, got > 0 || got == -EAGAIN, "several can be rented");
	for (i = 0; i < got; i++)
		begin(worker, blocks[i], size, false);
}

static struct item take_any(struct worker *worker)
{
	unsigned int i = next_random(&worker->random) % worker->count;
	struct item item = worker->items[i];

	worker->items[i] = worker->items[--worker->count];
	return item;
}

static void give_item(struct worker *worker, const struct item *item)
{
	static const unsigned int flags[16] = {
		BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE,
		BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE,
	};
	struct stress *stress = worker->stress;

	expect(stress, has_stamps(item), "no other thread wrote into the block");
	expect(stress,
	       !bufpool_return(stress->pool, item->block,
			       flags[next_random(&worker->random) % 16]),
	       "a block can be returned");
}

static void give_any(struct worker *worker)
{
	struct item item = take_any(worker);

	give_item(worker, &item);
}

static void give_some(struct worker *worker)
{
	struct stress *stress = worker->stress;
	int count = worker->count, i;
	void *blocks[HOLDS];

	for (i = 0; i < count; i++) {
		expect(stress, has_stamps(&worker->items[i]),
		       "no other thread wrote into the blocks");
		blocks[i] = worker->items[i].block;
	}
	worker->count = 0;
	expect(stress, bufpool_return_many(stress->pool, blocks, count, 0) == count,
	       "several can be returned");
}

static bool lane_put(struct lane *lane, const struct item *item)
{
	bool room;

	pthread_mutex_lock(&lane->lock);
	room = lane->count < SLOTS;
	if (room)
		lane->items[lane->count++] = *item;
	pthread_mutex_unlock(&lane->lock);
	return room;
}

static bool lane_get(struct lane *lane, struct item *item)
{
	bool any;

	pthread_mutex_lock(&lane->lock);
	any = lane->count;
	if (any)
		*item = lane->items[--lane->count];
	pthread_mutex_unlock(&lane->lock);
	return any;
}

static void hand_on(struct worker *worker)
{
	struct stress *stress = worker->stress;
	struct lane *lane = &stress->lanes[next_random(&worker->random) % WORKERS];
	struct item item = take_any(worker);

	if (lane_put(lane, &item))
		add(&stress->handed, 1);
	else
		give_item(worker, &item);
}

static void empty_lane(struct worker *worker)
{
	struct lane *lane = &worker->stress->lanes[worker->number];
	struct item item;

	while (lane_get(lane, &item))
		give_item(worker, &item);
}

/* Any thread may do this at any time. */
static void trim_and_look(struct worker *worker)
{
	struct stress *stress = worker->stress;
	struct bufpool_provider *provider = &stress->pool->provider;
	struct bufpool_stats stats;
	__u64 trimmed;

	expect(stress, !provider->ops->trim(provider, random_size(worker), &trimmed),
	       "warm blocks can be trimmed");
	expect(stress, !trimmed_stats(stress->pool, &stats) &&
	       stats.pinned <= stats.limit, "the pool keeps to its limit");
}

static void step(struct worker *worker)
{
	unsigned int kind = next_random(&worker->random) % 1000;

	if (!kind)
		trim_and_look(worker);
	else if (kind < 100)
		empty_lane(worker);
	else if (kind < 120 && worker->count < HOLDS)
		rent_some(worker);
	else if (kind < 140 && worker->count)
		give_some(worker);
	else if (kind < 300 && worker->count)
		hand_on(worker);
	else if (kind < 600 && worker->count < HOLDS)
		rent_one(worker);
	else if (worker->count)
		give_any(worker);
}

/* Until enough blocks have been rented. */
static bool stress_goes_on(struct stress *stress)
{
	return effort_goes_on(&stress->effort,
			      __atomic_load_n(&stress->rented,
					      __ATOMIC_RELAXED));
}

/* At the end other threads have what this one rented, or it was returned. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	unsigned int steps = next_random(&worker->random) % LIFE;

	while (steps-- && stress_goes_on(worker->stress))
		step(worker);
	while (worker->count)
		hand_on(worker);
	__atomic_store_n(&worker->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool start(struct worker *worker)
{
	struct stress *stress = worker->stress;

	worker->random = stress->seed + ++stress->threads * 0x9e3779b97f4a7c15ULL;
	worker->random |= 1;
	worker->over = 0;
	worker->running = !pthread_create(&worker->thread, NULL, work, worker);
	return worker->running;
}

static void stop(struct worker *worker)
{
	if (worker->running)
		pthread_join(worker->thread, NULL);
	worker->running = false;
}

/* A thread that has ended is followed by another one with its number. */
static void supervise(struct stress *stress, struct worker *workers)
{
	unsigned int i;

	while (stress_goes_on(stress)) {
		for (i = 0; i < WORKERS; i++) {
			if (!__atomic_load_n(&workers[i].over, __ATOMIC_ACQUIRE))
				continue;
			stop(&workers[i]);
			expect(stress, start(&workers[i]), "a thread starts");
		}
		sleep_ms(1);
	}
	for (i = 0; i < WORKERS; i++)
		stop(&workers[i]);
	for (i = 0; i < WORKERS; i++)
		empty_lane(&workers[i]);
}

FIXTURE(stress)
{
	struct stress stress;
	struct worker workers[WORKERS];
};

FIXTURE_VARIANT(stress)
{
	int (*prepare)(void);
};

static int leave_as_it_is(void)
{
	return 0;
}

FIXTURE_VARIANT_ADD(stress, enough) { .prepare = leave_as_it_is };
FIXTURE_VARIANT_ADD(stress, too_little) { .prepare = small_limit };

FIXTURE_SETUP(stress)
{
	struct bufpool_info info;
	__u64 largest;
	unsigned int i;

	ASSERT_EQ(0, variant->prepare());
	self->stress = (struct stress){ .pool = bufpool_open(NULL, 0) };
	ASSERT_NE(NULL, self->stress.pool);
	ASSERT_EQ(0, info_of(self->stress.pool, &info));
	self->stress.page = info.page_size;
	self->stress.has_io = info.max_rent_io;
	largest = large_block(&info);
	if (largest > info.limit)
		largest = largest_within(&info, info.limit);
	self->stress.nr_classes = __builtin_ctzll(largest / info.page_size) + 1;
	self->stress.seed = random_seed();
	for (i = 0; i < WORKERS; i++) {
		pthread_mutex_init(&self->stress.lanes[i].lock, NULL);
		self->workers[i] = (struct worker){
			.stress = &self->stress,
			.number = i,
			.random = 1,
			.over = 1,
		};
	}
}

FIXTURE_TEARDOWN(stress)
{
	EXPECT_EQ(0, bufpool_close(self->stress.pool));
	if (!private_chosen())
		limit_restore();
}

/* The two share the time that there is. */
TEST_F_TIMEOUT(stress, blocks_have_one_owner, A_DAY)
{
	struct stress *stress = &self->stress;

	stress->effort = effort_begin(native(5000), 2);
	supervise(stress, self->workers);
	TH_LOG("%lu threads, %lu blocks, %lu handed on, %lu rents refused",
	       stress->threads, stress->rented, stress->handed, stress->refused);
	EXPECT_EQ(0, stress->failures);
	EXPECT_LT(0, stress->rented);
	EXPECT_LT(0, stress->handed);
	EXPECT_EQ(0, held(stress->pool));
}

TEST_HARNESS_MAIN
