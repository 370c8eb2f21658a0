// SPDX-License-Identifier: MIT
/*
 * Kept blocks: what a program keeps in stacks, and who gets it then.
 */
#include "keeper.h"
#include "line.h"
#include "tenant.h"

#include <poll.h>

#undef BLOCK
#undef LIMIT
#undef ALL
#define BLOCK	(16 * PAGE)
#define ALL	16			/* blocks within the limit */
#define LIMIT	(ALL * BLOCK)
#define ALICE	4711
#define BOB	4712

/* A client that has rented all there is, and a stack for that size; and another one. */
FIXTURE(kept)
{
	int fd;
	int other;
	struct bufpool_info info;
	unsigned int class;
	struct bufpool_stack *stack;
	struct bufpool_block blocks[ALL];
	unsigned char *at[ALL];
};

FIXTURE_SETUP(kept)
{
	int i;

	ASSERT_EQ(0, limit_write(LIMIT));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->other = pool_open();
	ASSERT_LE(0, self->other);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	self->class = self->blocks[0].handle >> 59;
	self->stack = map_stack(self->fd, self->class);
	ASSERT_NE(MAP_FAILED, self->stack);
	for (i = 0; i < ALL; i++) {
		self->at[i] = map_at(self->fd, self->blocks[i].offset, BLOCK);
		ASSERT_NE(MAP_FAILED, self->at[i]);
		memset(self->at[i], 0x10 + i, BLOCK);
	}
}

FIXTURE_TEARDOWN(kept)
{
	close(self->fd);
	close(self->other);
	parameters_restore();
}

/* No file is released that is mapped. */
static void end_client(int fd, struct bufpool_stack *stack, unsigned char **at)
{
	int i;

	munmap(stack, PAGE);
	for (i = 0; i < ALL; i++)
		munmap(at[i], BLOCK);
	close(fd);
}

/* Keep blocks from number @first on. */
static bool keep(struct bufpool_stack *stack, const struct bufpool_block *blocks,
		 int first, int count)
{
	int i;

	for (i = first; i < first + count; i++)
		if (!push(stack, entry_of(&blocks[i])))
			return false;
	return true;
}

TEST_F(kept, info_says_where_stacks_are)
{
	EXPECT_TRUE(self->info.features & BUFPOOL_FEATURE_STACKS);
	EXPECT_NE(0, self->info.stacks_offset);
	EXPECT_LE(4096 * self->info.nr_classes, self->info.nr_stacks);
}

TEST_F(kept, stack_is_a_page_of_its_own)
{
	struct bufpool_stack *again = map_stack(self->fd, self->class);
	struct bufpool_stack *next = map_stack(self->fd, self->class + 1);
	struct bufpool_stack *others = map_stack(self->other, self->class);

	ASSERT_NE(MAP_FAILED, again);
	ASSERT_NE(MAP_FAILED, next);
	ASSERT_NE(MAP_FAILED, others);
	EXPECT_TRUE(filled(again, 0, PAGE));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	EXPECT_EQ(1, again->top);
	EXPECT_TRUE(filled(next, 0, PAGE));
	EXPECT_TRUE(filled(others, 0, PAGE));
	/* what was written stays as long as the client */
	munmap(again, PAGE);
	munmap(self->stack, PAGE);
	self->stack = map_stack(self->fd, self->class);
	ASSERT_NE(MAP_FAILED, self->stack);
	EXPECT_EQ(1, self->stack->top);
}

TEST_F(kept, stacks_are_mapped_shared_and_within_bounds)
{
	__u64 at = self->info.stacks_offset, end = at + self->info.nr_stacks * PAGE;
	void *last, *all;

	EXPECT_EQ(-EINVAL, try_map(self->fd, at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, end, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, end - PAGE, 2 * PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at - PAGE, 2 * PAGE, PROT_READ, MAP_SHARED));
	last = map_at(self->fd, end - PAGE, PAGE);
	ASSERT_NE(MAP_FAILED, last);
	EXPECT_EQ(0, poke(last, 1));
	all = map_at(self->fd, at, self->info.nr_stacks * PAGE);
	ASSERT_NE(MAP_FAILED, all);
	EXPECT_EQ(1, *(unsigned char *)(all + (self->info.nr_stacks - 1) * PAGE));
	/* and a child has none of it */
	EXPECT_EQ(0, mprotect(last, PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, poke(last, 2));
	EXPECT_EQ(-1, madvise(all, PAGE, MADV_DOFORK));
}

/* NONBLOCK is enough, and the program that keeps does not run. */
TEST_F(kept, rent_takes_what_is_kept)
{
	struct bufpool_block theirs[ALL];
	struct bufpool_stats before, after;
	int i;

	ASSERT_EQ(-EAGAIN, rent_many(self->other, BLOCK, 1, theirs));
	before = stats_of(self->other);
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	for (i = 0; i < ALL; i++)
		ASSERT_EQ(1, rent_many(self->other, BLOCK, 1, &theirs[i]));
	EXPECT_EQ(0, in_stack(self->stack));
	for (i = 0; i < ALL; i++) {
		EXPECT_TRUE(block_is_zero(self->other, theirs[i].offset, BLOCK));
		EXPECT_EQ(SIGBUS, touch(self->at[i]));
		EXPECT_EQ(SIGBUS, poke(self->at[i] + BLOCK - 1, 1));
		EXPECT_EQ(-ESTALE, give(self->fd, self->blocks[i].handle));
	}
	after = stats_of(self->fd);
	EXPECT_EQ(0, after.client_blocks);
	EXPECT_EQ(0, after.client_bytes);
	EXPECT_EQ(ALL, after.client_returns);
	EXPECT_EQ(before.steals + ALL, after.steals);
	EXPECT_EQ(LIMIT, after.in_use);
	EXPECT_EQ(before.waits, after.waits);
}

/* Of large blocks one renter takes no half of a stack: to unmap them takes longer. */
TEST_F(kept, rent_takes_few_large_blocks)
{
	struct bufpool_block large[ALL];
	struct bufpool_rent rented;
	struct bufpool_stack *stack;
	struct bufpool_stats before;

	ASSERT_EQ(0, limit_write(LIMIT + ALL * 256 * PAGE));
	ASSERT_EQ(ALL, rent_many(self->fd, 256 * PAGE, ALL, large));
	stack = map_stack(self->fd, large[0].handle >> 59);
	ASSERT_NE(MAP_FAILED, stack);
	ASSERT_TRUE(keep(stack, large, 0, ALL));
	before = stats_of(self->other);
	ASSERT_EQ(0, rent(self->other, 256 * PAGE, &rented));
	/* of 1024 pages in all */
	EXPECT_EQ(before.steals + 4, stats_of(self->other).steals);
}

/* What is in use is not taken, whatever else is. */
TEST_F(kept, rent_never_takes_what_is_in_use)
{
	struct bufpool_block theirs[ALL];
	int i;

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL / 2));
	EXPECT_EQ(ALL / 2, rent_many(self->other, BLOCK, ALL, theirs));
	EXPECT_EQ(-EAGAIN, rent_many(self->other, BLOCK, ALL, theirs));
	for (i = ALL / 2; i < ALL; i++)
		EXPECT_TRUE(filled(self->at[i], 0x10 + i, BLOCK));
}

/* The longest kept is at the bottom, and goes first. */
TEST_F(kept, bottom_goes_first)
{
	struct bufpool_block theirs;
	__u32 number = 0;

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 2));
	ASSERT_EQ(1, rent_many(self->other, BLOCK, 1, &theirs));
	EXPECT_EQ(self->blocks[0].offset, theirs.offset);
	EXPECT_EQ(1, in_stack(self->stack));
	EXPECT_TRUE(pop(self->stack, &number));
	EXPECT_EQ(entry_of(&self->blocks[1]), number);
	EXPECT_TRUE(filled(self->at[1], 0x11, BLOCK));
	EXPECT_FALSE(pop(self->stack, &number));
}

/* A larger block needs the memory of several smaller ones. */
TEST_F(kept, room_is_made_of_what_is_kept)
{
	struct bufpool_rent large;

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	/* what has been taken may be being zeroed for the moment */
	ASSERT_TRUE(BECOMES(!rent(self->other, LIMIT, &large)));
	EXPECT_TRUE(block_is_zero(self->other, large.offset, LIMIT));
	EXPECT_EQ(0, stats_of(self->fd).client_blocks);
}

/* And smaller blocks may have a larger one in their place. */
TEST_F(kept, smaller_rent_takes_what_is_kept)
{
	struct bufpool_rent small;

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	ASSERT_EQ(0, rent(self->other, BLOCK / 4, &small));
	EXPECT_TRUE(block_is_zero(self->other, small.offset, small.length));
}

static int wait_for_one(void *arg)
{
	struct bufpool_rent rented;
	int fd = pool_open();

	(void)arg;
	CHECK(fd >= 0);
	CHECK(!rent_with(fd, BLOCK, 0, 0, &rented));
	CHECK(block_is_zero(fd, rented.offset, BLOCK));
	return 0;
}

/* The program does not look at the status page, as if it slept meanwhile. */
TEST_F(kept, waiter_gets_what_is_kept_later)
{
	pid_t pid = spawn(wait_for_one, NULL);

	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
	/* until slabs are drained for it rarely only */
	sleep_ms(2000);
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(SIGBUS, touch(self->at[0]));
}

TEST_F(kept, waiter_gets_what_was_kept_before)
{
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	EXPECT_EQ(0, in_child(wait_for_one, NULL));
}

static int poll_for_blocks(void *arg)
{
	struct pollfd poller = { .fd = pool_open(), .events = POLLIN };

	CHECK(poller.fd >= 0);
	CHECK(poll(&poller, 1, 0) == 0);
	word_set(arg, 1);
	CHECK(poll(&poller, 1, 20000) == 1);
	CHECK(poller.revents == POLLIN);
	return 0;
}

/* As the waiter: nothing tells that a program keeps a block. */
TEST_F(kept, poller_is_told_of_what_is_kept_later)
{
	unsigned int *asleep = shared_alloc(sizeof(*asleep));
	pid_t pid;

	ASSERT_NE(NULL, asleep);
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	pid = spawn(poll_for_blocks, asleep);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(word_reaches(asleep, 1));
	sleep_ms(500);
	/* a poller is told of what is enough for any size */
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	EXPECT_EQ(0, reap(pid));
}

/* It says that it keeps what it does not even rent. */
TEST_F(kept, rubbish_is_not_counted)
{
	struct pollfd poller = { .fd = self->other, .events = POLLIN };
	int fd = pool_open();
	struct bufpool_stack *stack = map_stack(fd, self->class);
	struct bufpool_rent rented;

	ASSERT_NE(MAP_FAILED, stack);
	__atomic_store_n(&stack->top, BUFPOOL_STACK_MAX, __ATOMIC_RELEASE);
	EXPECT_EQ(-EAGAIN, rent(self->other, BLOCK, &rented));
	EXPECT_EQ(0, stats_of(self->other).kept);
	EXPECT_EQ(0, poll(&poller, 1, 0));
	close(fd);
}

/* A program that is stopped in the middle of taking a block out has that one, no more. */
TEST_F(kept, owner_that_is_stopped_costs_one_block)
{
	struct bufpool_block theirs[ALL];

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 4));
	__atomic_store_n(&self->stack->top, 3, __ATOMIC_RELAXED);
	EXPECT_EQ(3, rent_many(self->other, BLOCK, ALL, theirs));
	EXPECT_EQ(-EAGAIN, rent_many(self->other, BLOCK, ALL, theirs));
	EXPECT_TRUE(filled(self->at[3], 0x13, BLOCK));
	/* of an empty stack the top is below the bottom for a moment */
	__atomic_store_n(&self->stack->top, 2, __ATOMIC_RELAXED);
	EXPECT_EQ(-EAGAIN, rent_many(self->other, BLOCK, ALL, theirs));
	EXPECT_EQ(3, self->stack->bottom);
	EXPECT_TRUE(filled(self->at[3], 0x13, BLOCK));
}

TEST_F(kept, ceiling_is_kept_by_what_is_kept)
{
	struct bufpool_rent large;

	ASSERT_EQ(0, limit_write(2 * LIMIT));
	ASSERT_EQ(0, set_ceiling(self->fd, LIMIT));
	EXPECT_EQ(-EDQUOT, rent(self->fd, LIMIT / 2, &large));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL / 2));
	ASSERT_EQ(0, rent(self->fd, LIMIT / 2, &large));
	EXPECT_EQ(-EDQUOT, rent(self->fd, LIMIT / 2, &large));
	EXPECT_TRUE(filled(self->at[ALL - 1], 0x10 + ALL - 1, BLOCK));
}

/* In vain nothing is taken. */
TEST_F(kept, ceiling_takes_nothing_in_vain)
{
	struct bufpool_rent large;

	ASSERT_EQ(0, limit_write(2 * LIMIT));
	ASSERT_EQ(0, set_ceiling(self->fd, LIMIT));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL / 2 - 1));
	EXPECT_EQ(-EDQUOT, rent(self->fd, LIMIT / 2, &large));
	EXPECT_EQ(ALL / 2 - 1, in_stack(self->stack));
}

static int keep_and_rent_elsewhere(void *arg)
{
	struct bufpool_block blocks[ALL], theirs[ALL];
	struct bufpool_stack *stack;
	int fds[2], i;

	(void)arg;
	CHECK(become(ALICE, ONLY_OPEN));
	for (i = 0; i < 2; i++) {
		fds[i] = pool_open();
		CHECK(fds[i] >= 0);
	}
	CHECK(rent_many(fds[0], BLOCK, ALL, blocks) == ALL / 2);
	CHECK(rent_many(fds[1], BLOCK, 1, theirs) == -EDQUOT);
	stack = map_stack(fds[0], blocks[0].handle >> 59);
	CHECK(stack != MAP_FAILED);
	for (i = 0; i < 3; i++)
		CHECK(push(stack, entry_of(&blocks[i])));
	/* more than it would do is not tried */
	CHECK(rent_many(fds[1], 4 * BLOCK, 1, theirs) == -EDQUOT);
	CHECK(in_stack(stack) == 3);
	CHECK(rent_many(fds[1], BLOCK, ALL, theirs) == 3);
	CHECK(in_stack(stack) == 0);
	return 0;
}

TEST_F(kept, quota_is_kept_by_what_is_kept)
{
	ASSERT_EQ(0, limit_write(4 * LIMIT));
	ASSERT_EQ(0, parameter_write("quota", LIMIT / 2));
	EXPECT_EQ(0, in_child(keep_and_rent_elsewhere, NULL));
}

TEST_F(kept, trim_takes_what_is_kept)
{
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL / 2));
	EXPECT_EQ(0, trim(self->fd, 2 * BLOCK));
	EXPECT_EQ(0, trim(self->other, 0));
	EXPECT_EQ(ALL / 2, in_stack(self->stack));
	EXPECT_EQ(ALL / 2 * BLOCK, trim(self->fd, BLOCK));
	EXPECT_EQ(0, in_stack(self->stack));
	EXPECT_EQ(ALL / 2, stats_of(self->fd).client_blocks);
}

/* One block makes room below the ceiling, and the other stack keeps its own. */
TEST_F(kept, ceiling_takes_what_it_needs)
{
	struct bufpool_stack *second = map_stack(self->fd, self->class + self->info.nr_classes);
	struct bufpool_rent rented;

	ASSERT_NE(MAP_FAILED, second);
	ASSERT_EQ(0, limit_write(4 * LIMIT));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	ASSERT_TRUE(keep(second, self->blocks, 1, 1));
	ASSERT_EQ(0, set_ceiling(self->fd, ALL * BLOCK));
	EXPECT_EQ(0, rent(self->fd, PAGE, &rented));
	EXPECT_EQ(1, in_stack(self->stack) + in_stack(second));
	munmap(second, PAGE);
}

TEST_F(kept, trim_by_root_takes_all)
{
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_EQ(0, in_stack(self->stack));
	EXPECT_EQ(0, stats_of(self->fd).pinned);
}

TEST_F(kept, idle_stack_gives_all)
{
	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	ASSERT_EQ(0, parameter_write("trim_ms", 100));
	EXPECT_TRUE(BECOMES(!in_stack(self->stack)));
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).pinned));
}

TEST_F(kept, memory_pressure_takes_all)
{
	ASSERT_EQ(0, parameter_write("floor", 0));
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	EXPECT_TRUE(BECOMES(!write_text("/proc/sys/vm/drop_caches", "2") &&
			    !in_stack(self->stack)));
	EXPECT_TRUE(BECOMES(!write_text("/proc/sys/vm/drop_caches", "2") &&
			    !stats_of(self->fd).pinned));
}

TEST_F(kept, stats_tell_what_is_kept)
{
	struct bufpool_rent refused;
	struct bufpool_stats stats;

	EXPECT_EQ(0, stats_of(self->fd).client_kept_blocks);
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 3));
	stats = stats_of(self->fd);
	EXPECT_EQ(3, stats.client_kept_blocks);
	EXPECT_EQ(3 * BLOCK, stats.client_kept_bytes);
	EXPECT_EQ(ALL, stats.client_blocks);
	EXPECT_EQ(0, stats_of(self->other).client_kept_blocks);
	/* of the pool, as it was seen last */
	ASSERT_EQ(-EAGAIN, rent(self->other, LIMIT, &refused));
	EXPECT_EQ(3 * BLOCK, stats_of(self->other).kept);
	EXPECT_EQ(LIMIT, stats_of(self->other).in_use);
	end_client(self->fd, self->stack, self->at);
	EXPECT_TRUE(in_use_becomes(self->other, 0));
	EXPECT_EQ(0, stats_of(self->other).kept);
}

/* What a client kept is counted no more when it is gone, though a poller of it is left. */
TEST_F(kept, poller_of_who_is_gone_keeps_nothing_counted)
{
	int poller = poller_of(self->fd, BLOCK);
	struct bufpool_rent refused;

	ASSERT_LE(0, poller);
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 3));
	ASSERT_EQ(-EAGAIN, rent(self->other, LIMIT, &refused));
	EXPECT_EQ(3 * BLOCK, stats_of(self->other).kept);
	end_client(self->fd, self->stack, self->at);
	EXPECT_TRUE(in_use_becomes(self->other, 0));
	EXPECT_EQ(0, stats_of(self->other).kept);
	close(poller);
}

/* More areas than one of the same stack, in other processes too. */
TEST_F(kept, stack_is_mapped_often)
{
	struct bufpool_block theirs[ALL];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_NE(MAP_FAILED, map_stack(self->fd, self->class));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	EXPECT_EQ(ALL, rent_many(self->other, BLOCK, ALL, theirs));
	munmap(self->stack, PAGE);
}

TEST_F(kept, stack_that_is_not_mapped_any_more)
{
	struct bufpool_block theirs[ALL];

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, ALL));
	ASSERT_EQ(0, munmap(self->stack, PAGE));
	EXPECT_EQ(ALL, rent_many(self->other, BLOCK, ALL, theirs));
}

/* Lies ----------------------------------------------------------------------- */

/* What others rent is not to be had by keeping it. */
TEST_F(kept, blocks_of_others_are_passed_over)
{
	struct bufpool_stack *stack = map_stack(self->other, self->class);
	struct bufpool_block theirs[ALL];
	int i;

	ASSERT_NE(MAP_FAILED, stack);
	for (i = 0; i < ALL; i++)
		ASSERT_TRUE(push(stack, entry_of(&self->blocks[i])));
	EXPECT_EQ(-EAGAIN, rent_many(self->other, BLOCK, ALL, theirs));
	for (i = 0; i < ALL; i++)
		EXPECT_TRUE(filled(self->at[i], 0x10 + i, BLOCK));
	EXPECT_EQ(ALL, stats_of(self->fd).client_blocks);
}

TEST_F(kept, rubbish_is_passed_over)
{
	static const __u32 rubbish[][2] = {	/* top, bottom */
		{ 0, 1 }, { 0, ~0U }, { ~0U, 0 }, { 1U << 31, 0 }, { 0, 1U << 31 },
		{ 256, 0 }, { 257, 0 }, { 512, 0 }, { 5, ~0U - 5 },
	};
	struct bufpool_block theirs[ALL];
	__u64 seed = random_seed();
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(rubbish); i++) {
		for (k = 0; k < BUFPOOL_STACK_ENTRIES; k++)
			self->stack->entries[k] = next_random(&seed) | 1U << 27;
		self->stack->top = rubbish[i][0];
		self->stack->bottom = rubbish[i][1];
		EXPECT_EQ(-EAGAIN, rent_many(self->other, BLOCK, ALL, theirs));
		ASSERT_LE(0, stats_of(self->fd).client_kept_blocks);
		ASSERT_GE(ALL, stats_of(self->fd).client_kept_blocks);
		trim(self->fd, 0);
	}
	EXPECT_EQ(ALL, stats_of(self->fd).client_blocks);
}

/* A block that is named twice is taken once, and one that was returned not at all. */
/* All blocks are rented, and kept, whatever was taken of them before. */
static bool keep_all_again(int fd, struct bufpool_stack *stack, struct bufpool_block *blocks)
{
	__u32 entry;
	int i;

	while (pop(stack, &entry))
		;
	for (i = 0; i < ALL; i++)
		give_up(fd, blocks[i].handle);
	return rent_many(fd, BLOCK, ALL, blocks) == ALL && keep(stack, blocks, 0, ALL);
}

/* However many stacks one user has, others' are looked at as often. */
TEST_F(kept, empty_stacks_of_another_user_are_not_in_the_way)
{
	size_t length = self->info.nr_stacks * PAGE;
	int alice = open_for(ALICE), bob = open_for(BOB), i;
	struct bufpool_block theirs;
	unsigned char *stacks;
	unsigned int nr;

	stacks = map_at(bob, self->info.stacks_offset, length);
	ASSERT_NE(MAP_FAILED, stacks);
	for (nr = self->class; nr < self->info.nr_stacks; nr += self->info.nr_classes)
		ASSERT_EQ(0, stacks[nr * PAGE]);
	/* of those who hold none */
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(keep_all_again(self->fd, self->stack, self->blocks));
		ASSERT_EQ(1, rent_many(alice, BLOCK, 1, &theirs));
		ASSERT_EQ(0, give_up(alice, theirs.handle));
	}
	munmap(stacks, length);
	close(alice);
	close(bob);
}

TEST_F(kept, block_is_taken_once)
{
	struct bufpool_block theirs[ALL];

	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	ASSERT_TRUE(keep(self->stack, self->blocks, 0, 1));
	ASSERT_TRUE(keep(self->stack, self->blocks, 1, 1));
	ASSERT_EQ(0, give_up(self->fd, self->blocks[1].handle));
	EXPECT_EQ(2, rent_many(self->other, BLOCK, ALL, theirs));
	EXPECT_EQ(ALL - 2, stats_of(self->fd).client_blocks);
	EXPECT_EQ(LIMIT, stats_of(self->fd).in_use);
}

/* Of another size: the number may be that of a block of the stack's own class. */
TEST_F(kept, stack_is_for_one_class)
{
	struct bufpool_stack *stack = map_stack(self->fd, self->class + 1);
	struct bufpool_block theirs[ALL];

	ASSERT_NE(MAP_FAILED, stack);
	ASSERT_TRUE(push(stack, entry_of(&self->blocks[0])));
	EXPECT_EQ(-EAGAIN, rent_many(self->other, BLOCK, ALL, theirs));
	EXPECT_EQ(-EAGAIN, rent_many(self->other, 2 * BLOCK, ALL, theirs));
	EXPECT_TRUE(filled(self->at[0], 0x10, BLOCK));
}

TEST_HARNESS_MAIN
