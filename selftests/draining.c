// SPDX-License-Identifier: MIT
/*
 * Large requests among small blocks that are reused all the time.
 */
#include "line.h"
#include "tenant.h"

#define CHURNERS	3
#define HELD		48

/*
 * Rent and return small blocks all the time, so that each comes back after some
 * others, and there is always something rented, everywhere.
 */
static int churn(void *arg)
{
	struct line *line = arg;
	struct bufpool_rent held[HELD] = { 0 };
	__u64 seed = getpid();
	int fd = pool_open(), i;

	CHECK(fd >= 0);
	for (i = 0; !__atomic_load_n(&line->stop, __ATOMIC_ACQUIRE);
	     i = (i + 1) % HELD) {
		int ret;

		if (held[i].length)
			CHECK(!give(fd, held[i].handle));
		held[i].length = 0;
		ret = rent(fd, PAGE << next_random(&seed) % 6, &held[i]);
		CHECK(!ret || ret == -EAGAIN);
		/* a refusal delays the large one by nothing */
		if (ret)
			held[i].length = 0;
		else
			__atomic_add_fetch(&line->small, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

FIXTURE(large)
{
	int fd;
	__u64 size;
	struct line *line;
	struct bufpool_block *blocks;
	int count;
	pid_t churners[CHURNERS];
	unsigned int small;		/* when it began to wait */
};

/* The pool is as large as the largest block, or as 1024 pages. */
FIXTURE_VARIANT(large)
{
	unsigned int share;		/* that is divided by this */
};

FIXTURE_VARIANT_ADD(large, quarter) { .share = 4 };
FIXTURE_VARIANT_ADD(large, half) { .share = 2 };
FIXTURE_VARIANT_ADD(large, all_there_is) { .share = 1 };

FIXTURE_SETUP(large)
{
	struct bufpool_info info;
	__u64 all;
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_LE(MIB, info.max_rent);
	all = largest_within(&info, 1024 * PAGE);
	ASSERT_EQ(0, limit_write(all));
	self->size = all / variant->share;
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	/* Take all, so that the churners find nothing yet. */
	self->count = drain(self->fd, 4 * PAGE, self->blocks, MOST);
	ASSERT_EQ(all / (4 * PAGE), (__u64)self->count);
	for (i = 0; i < CHURNERS; i++)
		self->churners[i] = spawn(churn, self->line);
}

FIXTURE_TEARDOWN(large)
{
	parameters_restore();
}

/*
 * How many small requests at most may be served before a large one is. They go on at full
 * speed meanwhile, as if nobody waited, and it looks now and then.
 */
#define PATIENCE	400000

/* The large one is served, and before too many others were. */
static bool served_in_time(struct line *line, unsigned int from,
			   unsigned int served)
{
	unsigned int now;

	do {
		sleep_ms(1);
		now = __atomic_load_n(&line->small, __ATOMIC_RELAXED);
		if (__atomic_load_n(&line->served, __ATOMIC_ACQUIRE) >= served)
			return (int)(line->small_when_served - from) <= PATIENCE;
	} while (now - from <= PATIENCE);
	return false;
}

static bool stop_churning(struct line *line, const pid_t *churners)
{
	bool ok = true;
	int i;

	word_set(&line->stop, 1);
	for (i = 0; i < CHURNERS; i++)
		ok = !reap(churners[i]) && ok;
	return ok;
}

TEST_F(large, is_served)
{
	pid_t pid = enqueue(self->line, 0, self->size);

	ASSERT_LT(0, pid);
	self->small = self->line->small;
	ASSERT_TRUE(give_all(self->fd, self->blocks, self->count));
	EXPECT_TRUE(served_in_time(self->line, self->small, 1));
	TH_LOG("%u small ones went before",
	       self->line->small_when_served - self->small);
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(pid, SIGKILL);
	reap(pid);
	close(self->fd);
}

/* Another waiter of its size comes and goes. */
TEST_F(large, is_served_among_quitters)
{
	struct waiter quitter = {
		.line = self->line,
		.number = 1,
		.size = self->size,
		.timeout_ns = 100 * NSEC_PER_MSEC,
	};
	pid_t pid = enqueue(self->line, 0, self->size), other;

	ASSERT_LT(0, pid);
	self->line->places[1].answer = 1;
	other = spawn(wait_in_line, &quitter);
	ASSERT_EQ(0, reap(other));
	EXPECT_EQ(-ETIMEDOUT, self->line->places[1].answer);
	self->small = self->line->small;
	ASSERT_TRUE(give_all(self->fd, self->blocks, self->count));
	EXPECT_TRUE(served_in_time(self->line, self->small, 1));
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(pid, SIGKILL);
	reap(pid);
	close(self->fd);
}

/* One after another, and the second as the first. */
TEST_F(large, is_served_as_the_second)
{
	pid_t pid = enqueue(self->line, 0, self->size);
	pid_t second = enqueue(self->line, 1, self->size);

	ASSERT_LT(0, pid);
	ASSERT_LT(0, second);
	self->small = self->line->small;
	ASSERT_TRUE(give_all(self->fd, self->blocks, self->count));
	EXPECT_TRUE(served_in_time(self->line, self->small, 1));
	self->small = self->line->small;
	word_set(&self->line->places[0].go, 1);
	EXPECT_TRUE(served_in_time(self->line, self->small, 2));
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(second, SIGKILL);
	reap(second);
	close(self->fd);
}

/* A client keeps a few small blocks, here and there. */
TEST_F(large, is_served_beside_a_keeper)
{
	pid_t pid = enqueue(self->line, 0, self->size);
	int i;

	ASSERT_LT(0, pid);
	self->small = self->line->small;
	if (variant->share == 1) {
		/* There is no room beside a keeper. */
		kill(pid, SIGKILL);
		reap(pid);
		stop_churning(self->line, self->churners);
		close(self->fd);
		return;
	}
	/* One block of every fifth slab stays, and the rest comes back. */
	for (i = 0; i < self->count; i++) {
		if (i % 40)
			ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	}
	EXPECT_TRUE(served_in_time(self->line, self->small, 1));
	EXPECT_TRUE(stop_churning(self->line, self->churners));
	kill(pid, SIGKILL);
	reap(pid);
	close(self->fd);
}

/* The user who waits for a block */
#define WAITER	4711

/* More slabs than begin, or end, to be drained at once */
#define SLABS	200

/* Many times what it takes until others are drained */
#define PATIENT_MS	20000

FIXTURE(many)
{
	int fd;
	struct line *line;
	int count;		/* blocks that were rented */
	int per_slab;
	struct bufpool_block *blocks;
};

/* All of a pool is rented, in small blocks, but for one of each slab. */
FIXTURE_SETUP(many)
{
	struct bufpool_info info;
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, limit_write(SLABS * info.slab_size));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	self->per_slab = info.slab_size / PAGE;
	self->count = SLABS * self->per_slab;
	self->blocks = calloc(self->count + 1, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_EQ(self->count, drain(self->fd, PAGE, self->blocks, self->count + 1));
	for (i = 0; i < self->count; i += self->per_slab)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
}

FIXTURE_TEARDOWN(many)
{
	close(self->fd);
	parameters_restore();
}

/* Half of them are drained for another user, and all can be used when that one has left. */
TEST_F(many, are_used_again_when_nobody_waits)
{
	struct waiter waiter = {
		.line = self->line,
		.size = 2 * PAGE,
		.timeout_ns = NSEC_PER_MSEC,
		.uid = WAITER,
	};
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++) {
		self->line->places[0].answer = 1;
		pid = spawn(wait_in_line, &waiter);
		ASSERT_EQ(0, reap(pid));
		EXPECT_EQ(-ETIMEDOUT, self->line->places[0].answer);
	}
	EXPECT_EQ(SLABS, drain(self->fd, PAGE, self->blocks, self->count));
}

/* Blocks come and go, each back into its slab where that may be, until a waiter is served. */
static bool served_while_used(struct line *line, int fd, struct bufpool_block *blocks, int count)
{
	struct bufpool_rent rented;
	__u64 start = now_ms();
	int i;

	do {
		for (i = 0; i < count; i++) {
			if (blocks[i].handle && give_up(fd, blocks[i].handle))
				return false;
			blocks[i].handle = rent(fd, PAGE, &rented) ? 0 : rented.handle;
		}
		if (__atomic_load_n(&line->served, __ATOMIC_ACQUIRE))
			return true;
	} while (now_ms() - start < PATIENT_MS);
	return false;
}

/*
 * A block of each slab of one half stays for ever; those of the full ones come and go. Return:
 * whether a waiter is served.
 */
static bool served_beside_sparse_slabs(struct _test_data_many *self)
{
	struct waiter waiter = { .line = self->line, .size = 2 * PAGE, .uid = WAITER };
	int half = SLABS / 2 * self->per_slab, i;
	struct bufpool_rent rented;
	bool served = false;
	pid_t pid;

	for (i = 0; i < half; i++)
		if (i % self->per_slab > 1 && give_up(self->fd, self->blocks[i].handle))
			return false;
	/* what comes next is of the fullest slabs */
	for (i = half; i < self->count; i += self->per_slab) {
		if (rent(self->fd, PAGE, &rented))
			return false;
		self->blocks[i].handle = rented.handle;
	}
	pid = spawn(wait_in_line, &waiter);
	if (BECOMES(stats_of(self->fd).waiting == 1))
		served = served_while_used(self->line, self->fd, self->blocks + half,
					   self->count - half);
	kill(pid, SIGKILL);
	reap(pid);
	return served;
}

TEST_F(many, others_are_drained_where_these_do_not_come_back)
{
	EXPECT_TRUE(served_beside_sparse_slabs(self));
}

/* Then what others have more than the waiter, and give up half of, is less than its share. */
TEST_F(many, others_are_drained_for_one_who_has_a_slab)
{
	struct bufpool_rent rented;
	int fd = open_for(WAITER), i;

	for (i = self->count - self->per_slab + 1; i < self->count; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	self->count -= self->per_slab;
	ASSERT_EQ(0, rent(fd, PAGE, &rented));
	EXPECT_TRUE(served_beside_sparse_slabs(self));
	close(fd);
}

TEST_HARNESS_MAIN
