// SPDX-License-Identifier: MIT
/*
 * Waiters that get no processor: room is for who is next, if it comes.
 *
 * They wait on processor 0, which another task has to itself; the test runs on processor 1.
 */
#include "processor.h"
#include "tenant.h"
#include "turn.h"

#define ALICE	4711
#define BOB	4712
#define CAROL	4713
#define SLABS	32

#define ABSENT_USERS	9	/* more than are compared by what they hold */
#define ABSENT_OF_ONE	16	/* as many as are passed by of one user */

FIXTURE(absent)
{
	int alice, bob, holder;
	__u64 size;			/* of a slab; what waiters want is two */
	struct bufpool_block blocks[SLABS + 1];
	struct turns *turns;
	unsigned int *spins;
	pid_t spinner;
	pid_t pids[ABSENT_OF_ONE + 1];
	unsigned int count;		/* of these */
	unsigned int returned;		/* blocks of the holder */
};

/* The holder has all that there is, and who waits on processor 0 can be kept from it. */
FIXTURE_SETUP(absent)
{
	struct bufpool_info info;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || !set_real_time_leaves_some(false))
		SKIP_FIXTURE("a task cannot have a processor to itself here");
	self->holder = pool_open();
	ASSERT_EQ(0, pool_info(self->holder, &info));
	self->size = info.slab_size;
	ASSERT_EQ(0, limit_write(SLABS * self->size));
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	self->alice = open_for(ALICE);
	self->bob = open_for(BOB);
	self->turns = shared_alloc(sizeof(*self->turns));
	ASSERT_NE(NULL, self->turns);
	self->spins = shared_alloc(sizeof(*self->spins));
	ASSERT_NE(NULL, self->spins);
	ASSERT_TRUE(pin(0, 1));
	ASSERT_EQ(SLABS, drain(self->holder, self->size, self->blocks, SLABS + 1));
}

FIXTURE_TEARDOWN(absent)
{
	close(self->holder);
	close(self->alice);
	close(self->bob);
	set_real_time_leaves_some(true);
	parameters_restore();
}

static int wait_on_processor_0(void *arg)
{
	CHECK(pin(0, 0));
	return wait_for_a_block(arg);
}

static int spin_on_processor_0(void *arg)
{
	unsigned int *spins = arg;

	CHECK(be_alone_on(0));
	word_set(spins, 1);
	while (word_get(spins))
		;
	return 0;
}

/* Processes begin to wait. Return: whether all do */
static bool add_waiters(struct _test_data_absent *self, int (*wait)(void *), struct turn turn,
			unsigned int count)
{
	turn.size = 2 * self->size;
	turn.turns = self->turns;
	while (count--) {
		self->pids[self->count++] = spawn(wait, &turn);
		if (!BECOMES(stats_of(self->holder).waiting == self->count))
			return false;
	}
	return true;
}

static bool take_processor_0(struct _test_data_absent *self)
{
	self->spinner = spawn(spin_on_processor_0, self->spins);
	return word_reaches(self->spins, 1);
}

static bool leave_processor_0(struct _test_data_absent *self)
{
	word_set(self->spins, 0);
	return !reap(self->spinner);
}

/* What one waiter needs comes back. Return: whether that worked */
static bool make_room_for_one(struct _test_data_absent *self)
{
	unsigned int end = self->returned + 2;

	while (self->returned < end)
		if (give_up(self->holder, self->blocks[self->returned++].handle))
			return false;
	return true;
}

static void dismiss_waiters(struct _test_data_absent *self)
{
	while (self->count--) {
		kill(self->pids[self->count], SIGKILL);
		reap(self->pids[self->count]);
	}
}

TEST_F(absent, delays_nobody)
{
	struct turn alice = { .fd = self->alice }, bob = { .fd = self->bob, .user = 1 };
	struct bufpool_rent rented;

	/* So Bob is first, who has less. */
	ASSERT_EQ(0, give_up(self->holder, self->blocks[SLABS - 1].handle));
	ASSERT_EQ(0, rent(self->alice, self->size, &rented));
	ASSERT_TRUE(add_waiters(self, wait_on_processor_0, bob, 1));
	ASSERT_TRUE(take_processor_0(self));
	ASSERT_TRUE(add_waiters(self, wait_for_a_block, alice, 1));
	ASSERT_TRUE(make_room_for_one(self));
	EXPECT_TRUE(BECOMES(word_get(&self->turns->served[0]) == 1));
	EXPECT_TRUE(leave_processor_0(self));
	/* And there is some for it as well. */
	ASSERT_TRUE(make_room_for_one(self));
	EXPECT_TRUE(BECOMES(word_get(&self->turns->served[1]) == 1));
	dismiss_waiters(self);
}

/* As many as there may be before one of their user who comes. */
TEST_F(absent, do_not_delay_their_own_user)
{
	struct turn bob = { .fd = self->bob, .user = 1 };

	ASSERT_TRUE(add_waiters(self, wait_on_processor_0, bob, ABSENT_OF_ONE));
	ASSERT_TRUE(take_processor_0(self));
	bob.user = 0;
	ASSERT_TRUE(add_waiters(self, wait_for_a_block, bob, 1));
	ASSERT_TRUE(make_room_for_one(self));
	EXPECT_TRUE(BECOMES(word_get(&self->turns->served[0]) == 1));
	EXPECT_EQ(0, word_get(&self->turns->served[1]));
	EXPECT_TRUE(leave_processor_0(self));
	/* And now it is the first of them. */
	ASSERT_TRUE(make_room_for_one(self));
	EXPECT_TRUE(BECOMES(word_get(&self->turns->served[1]) == 1));
	dismiss_waiters(self);
}

/* However many users they are of, who are first of all. */
TEST_F(absent, of_many_users_delay_nobody)
{
	struct turn alice = { .fd = self->alice }, absent = { .user = 1 };
	int fds[ABSENT_USERS], i;

	for (i = 0; i < ABSENT_USERS; i++) {
		fds[i] = open_for(CAROL + i);
		absent.fd = fds[i];
		ASSERT_TRUE(add_waiters(self, wait_on_processor_0, absent, 1));
	}
	ASSERT_TRUE(take_processor_0(self));
	ASSERT_TRUE(add_waiters(self, wait_for_a_block, alice, 1));
	ASSERT_TRUE(make_room_for_one(self));
	EXPECT_TRUE(BECOMES(word_get(&self->turns->served[0]) == 1));
	EXPECT_TRUE(leave_processor_0(self));
	dismiss_waiters(self);
	for (i = 0; i < ABSENT_USERS; i++)
		close(fds[i]);
}

TEST_HARNESS_MAIN
