// SPDX-License-Identifier: MIT
/*
 * Neighbours of one who waits for a large block: those who use small blocks all the time
 * go on, at no other price, and the waiter is served all the same.
 */
#include "keeper.h"
#include "line.h"
#include "random.h"
#include "tenant.h"

#undef LIMIT
#undef MOST
#define BOB	4712
#define LIMIT	(4 * MIB)
#define MOST	4096		/* pages within the limit, and more */
#define CLIENTS	4
/* So many pairs at least, and for so long: that is for a hundred looks of the waiter's. */
#define PAIRS	50000
#define PAIRS_MS	2000
/*
 * The clients lose their blocks where the slabs of those are drained, which are others now
 * and then; and where they do not run for a while.
 */
#define FEW	(40 * CLIENTS)

/* In each slab two blocks are rented, and the others free; and Bob waits. */
FIXTURE(neighbours)
{
	int fd;
	int clients[CLIENTS];
	struct bufpool_info info;
	struct bufpool_block *blocks;
	struct bufpool_status *status;
	unsigned int pages, slabs;	/* in a slab; within the limit */
	__u64 size;			/* that Bob waits for */
	struct line *line;
	pid_t bob;
};

static pid_t have_bob_wait(struct line *line, __u64 size)
{
	struct waiter waiter = { .line = line, .size = size, .uid = BOB };

	return enqueue_as(&waiter);
}

FIXTURE_SETUP(neighbours)
{
	unsigned int i, count;

	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	for (i = 0; i < CLIENTS; i++) {
		self->clients[i] = pool_open();
		ASSERT_LE(0, self->clients[i]);
	}
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->status = map_status(self->fd);
	ASSERT_NE(NULL, self->status);
	self->pages = self->info.slab_size / PAGE;
	self->slabs = LIMIT / self->info.slab_size;
	self->size = largest_within(&self->info, LIMIT / 2);
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	count = drain(self->fd, PAGE, self->blocks, MOST);
	ASSERT_EQ(self->slabs * self->pages, count);
	for (i = 0; i < count; i++)
		if (i % self->pages > 1)
			ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	self->bob = have_bob_wait(self->line, self->size);
	ASSERT_LT(0, self->bob);
	ASSERT_EQ(1, word_get(&self->status->waiting));
}

FIXTURE_TEARDOWN(neighbours)
{
	unsigned int i;

	if (self->bob > 0) {
		kill(self->bob, SIGKILL);
		reap(self->bob);
	}
	for (i = 0; i < CLIENTS; i++)
		close(self->clients[i]);
	close(self->fd);
	parameters_restore();
}

static bool goes_on(unsigned int pairs, __u64 began)
{
	return pairs < PAIRS || now_ms() - began < PAIRS_MS;
}

/* Return the first or the second of the rented blocks of each slab; whether that worked. */
static bool give_one_of_each(int fd, const struct bufpool_block *blocks,
			     unsigned int slabs, unsigned int pages)
{
	unsigned int i;

	for (i = 0; i < slabs; i++)
		if (give(fd, blocks[i * pages].handle))
			return false;
	return true;
}

/* A pair is a rent of the warm block, and its return. */
TEST_F(neighbours, warm_pairs_stay_warm)
{
	struct bufpool_stats before[CLIENTS], after;
	struct bufpool_rent rented;
	unsigned int i, k, slow = 0;
	__u64 steals = stats_of(self->fd).steals, began = now_ms();

	for (i = 0; i < CLIENTS; i++)
		before[i] = stats_of(self->clients[i]);
	for (i = 0; goes_on(i, began); i++) {
		int fd = self->clients[i % CLIENTS];

		ASSERT_EQ(0, rent(fd, PAGE, &rented));
		ASSERT_EQ(0, give(fd, rented.handle));
	}
	for (k = 0; k < CLIENTS; k++) {
		after = stats_of(self->clients[k]);
		slow += after.client_rents - before[k].client_rents -
			(after.client_warm_rents - before[k].client_warm_rents);
	}
	steals = stats_of(self->fd).steals - steals;
	TH_LOG("%u of %u rents were not warm, %llu blocks were stolen", slow, i, steals);
	EXPECT_GE(FEW, slow);
	EXPECT_GE(FEW, steals);
	EXPECT_EQ(1, word_get(&self->status->waiting));
	EXPECT_EQ(0, self->line->served);
}

/* What the library does: the block is in a stack between two uses, and no call is made. */
TEST_F(neighbours, kept_pairs_make_no_call)
{
	struct bufpool_stack *stacks[CLIENTS];
	struct bufpool_rent rented;
	__u64 began = now_ms();
	unsigned int i, calls = 0;

	for (i = 0; i < CLIENTS; i++) {
		stacks[i] = map_stack(self->clients[i], 0);
		ASSERT_NE(MAP_FAILED, stacks[i]);
	}
	for (i = 0; goes_on(i, began); i++) {
		struct bufpool_stack *stack = stacks[i % CLIENTS];
		__u32 number;

		if (!pop(stack, &number)) {
			ASSERT_EQ(0, rent(self->clients[i % CLIENTS], PAGE, &rented));
			number = (rented.offset % self->info.span) / BUFPOOL_STACK_UNIT;
			calls++;
		}
		ASSERT_EQ(0, word_get(&self->status->waiting_of[0]));
		ASSERT_TRUE(push(stack, number));
	}
	TH_LOG("%u of %u pairs made a call", calls, i);
	EXPECT_GE(FEW, calls);
	EXPECT_EQ(0, self->line->served);
}

TEST_F(neighbours, they_have_half_of_the_pool)
{
	const unsigned int out = 2 * self->slabs, all = self->slabs * self->pages;
	int count;

	sleep_ms(1000);
	count = drain(self->clients[0], PAGE, self->blocks + all, MOST - all);
	EXPECT_LE((int)(all - out) / 2, count);
	EXPECT_EQ(0, self->line->served);
}

/* What comes back to a slab that is drained stays free, and does not become warm again. */
TEST_F(neighbours, nothing_becomes_warm_in_drained_slabs)
{
	__u64 warm;

	/* the waiter, which would take such blocks, does not run meanwhile */
	ASSERT_TRUE(pin(self->bob, 0));
	ASSERT_TRUE(task_sleeps(self->bob, self->bob));
	ASSERT_TRUE(be_alone(true));
	EXPECT_TRUE(give_one_of_each(self->fd, self->blocks, self->slabs, self->pages));
	warm = stats_of(self->fd).client_warm_blocks;
	EXPECT_TRUE(be_alone(false));
	TH_LOG("%llu of %u are warm", warm, self->slabs);
	EXPECT_GE(self->slabs - self->size / self->info.slab_size, warm);
	EXPECT_EQ(0, self->line->served);
}

/* What is warm in such slabs is taken, also where that alone makes no room yet. */
TEST_F(neighbours, what_is_warm_in_drained_slabs_is_taken)
{
	unsigned int out = 2 * self->slabs, all = self->slabs * self->pages;

	kill(self->bob, SIGKILL);
	reap(self->bob);
	ASSERT_TRUE(BECOMES(stats_of(self->fd).waiting == 0));
	ASSERT_EQ((int)(all - out), drain(self->clients[0], PAGE, self->blocks + all, MOST - all));
	ASSERT_TRUE(give_one_of_each(self->fd, self->blocks, self->slabs, self->pages));
	ASSERT_EQ(self->slabs, stats_of(self->fd).client_warm_blocks);
	self->bob = have_bob_wait(self->line, self->size);
	ASSERT_LT(0, self->bob);
	EXPECT_TRUE(BECOMES(stats_of(self->fd).client_warm_blocks <=
			    self->slabs - self->size / self->info.slab_size));
	EXPECT_EQ(0, self->line->served);
}

/* Use some of what is in a stack, for a while, and put it back. */
static void use_some(struct bufpool_stack *stack, unsigned int count)
{
	__u32 numbers[BUFPOOL_STACK_MAX];
	unsigned int nr = 0;

	while (nr < count && pop(stack, &numbers[nr]))
		nr++;
	sleep_ms(1);
	while (nr)
		push(stack, numbers[--nr]);
}

/* So often does a waiter not look in vain. */
#define USES	20000

/* It has a block in each slab, and uses one or other of them all the time. */
TEST_F(neighbours, the_waiter_is_served_beside_a_keeper)
{
	struct bufpool_stack *stack = map_stack(self->fd, 0);
	unsigned int i, uses;
	__u64 seed = random_seed();

	ASSERT_NE(MAP_FAILED, stack);
	for (i = 0; i < self->slabs; i++) {
		struct bufpool_block *blocks = self->blocks + i * self->pages;

		ASSERT_TRUE(push(stack, entry_of(&blocks[0])));
		ASSERT_EQ(0, give_up(self->fd, blocks[1].handle));
	}
	for (uses = 0; uses < USES && !word_get(&self->line->served); uses++)
		use_some(stack, next_random(&seed) % self->slabs);
	TH_LOG("served after %u uses", uses);
	EXPECT_EQ(1, word_get(&self->line->served));
}

static int use_kept_block(void *arg)
{
	struct line *line = arg;
	struct bufpool_stack *stack;
	struct bufpool_rent rented;
	int fd = pool_open();
	__u32 number;

	CHECK(fd >= 0);
	stack = map_stack(fd, 0);
	CHECK(stack != MAP_FAILED);
	while (!word_get(&line->stop)) {
		if (!pop(stack, &number)) {
			if (rent(fd, PAGE, &rented))
				continue;
			number = (rented.offset & ((1ULL << 39) - 1)) / BUFPOOL_STACK_UNIT;
		}
		CHECK(push(stack, number));
		__atomic_add_fetch(&line->small, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static int use_warm_block(void *arg)
{
	struct line *line = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	while (!word_get(&line->stop)) {
		if (rent(fd, PAGE, &rented))
			continue;
		CHECK(!give(fd, rented.handle));
		__atomic_add_fetch(&line->small, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/*
 * What others do not rent for good comes back, from those too who use a warm or a kept
 * block all the time, in whatever slab that is. So the waiter is served once as many slabs
 * as it needs have no other block out, if not before.
 */
TEST_F(neighbours, the_waiter_is_served)
{
	pid_t users[2 * CLIENTS];
	unsigned int i, returned = 0;

	for (i = 0; i < 2 * CLIENTS; i++)
		users[i] = spawn(i % 2 ? use_kept_block : use_warm_block, self->line);
	ASSERT_TRUE(word_reaches(&self->line->small, 1000));
	ASSERT_EQ(0, self->line->served);
	for (i = 0; i < self->slabs * self->pages && !word_get(&self->line->served); i++) {
		if (i % self->pages > 1)
			continue;
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
		returned++;
	}
	TH_LOG("%u of %u blocks came back before", returned, 2 * self->slabs);
	EXPECT_TRUE(word_reaches(&self->line->served, 1));
	word_set(&self->line->stop, 1);
	for (i = 0; i < 2 * CLIENTS; i++)
		EXPECT_EQ(0, reap(users[i]));
}

TEST_HARNESS_MAIN
