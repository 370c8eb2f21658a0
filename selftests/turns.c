// SPDX-License-Identifier: MIT
/*
 * Turns: whose waiter is next when a slab is free, and what there is beside somebody else's
 * waiter.
 */
#include "holding_fixture.h"
#include "turn.h"

#include <poll.h>

#define PATIENT	4		/* waiters of Alice's, before one of Bob's */

/* Slabs go to users in turn, and within one to the longest waiter. */
TEST_F(holding, users_take_turns)
{
	struct turns *turns = shared_alloc(sizeof(*turns));
	struct turn turn = { .turns = turns, .size = self->info.slab_size };
	pid_t pids[PATIENT + 1];
	int holder = pool_open();
	unsigned int i;

	ASSERT_NE(NULL, turns);
	/* So that both have as much when Alice has got one. */
	ASSERT_EQ(0, rent(self->bob, self->info.slab_size, &self->rent));
	ASSERT_EQ(self->slabs - 1, drain(holder, self->info.slab_size, self->blocks, MOST));
	for (i = 0; i <= PATIENT; i++) {
		turn.user = i == PATIENT;
		turn.fd = turn.user ? self->bob : self->alice;
		pids[i] = spawn(wait_for_a_block, &turn);
		ASSERT_TRUE(BECOMES(stats_of(holder).waiting == i + 1));
	}
	/* The first is Alice's, and the next Bob's, though three came before. */
	ASSERT_EQ(0, give_up(holder, self->blocks[0].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[0]) == 1));
	ASSERT_EQ(0, give_up(holder, self->blocks[1].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[1]) == 1));
	EXPECT_EQ(1, word_get(&turns->served[0]));
	for (i = 2; i <= PATIENT; i++)
		ASSERT_EQ(0, give_up(holder, self->blocks[i].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[0]) == PATIENT));
	word_set(&turns->stop, 1);
	for (i = 0; i <= PATIENT; i++)
		EXPECT_EQ(0, reap(pids[i]));
	close(holder);
}

/* Who holds less is served first, though it came later. */
TEST_F(holding, who_holds_less_comes_first)
{
	struct turns *turns = shared_alloc(sizeof(*turns));
	struct turn turn = { .turns = turns, .size = self->info.slab_size };
	int holder = pool_open();
	pid_t pids[2];

	ASSERT_NE(NULL, turns);
	ASSERT_EQ(4, rent_many(self->alice, self->info.slab_size, 4, self->blocks));
	ASSERT_EQ(self->slabs - 4, drain(holder, self->info.slab_size, self->blocks, MOST));
	for (turn.user = 0; turn.user < 2; turn.user++) {
		turn.fd = turn.user ? self->bob : self->alice;
		pids[turn.user] = spawn(wait_for_a_block, &turn);
		ASSERT_TRUE(BECOMES(stats_of(holder).waiting == turn.user + 1));
	}
	ASSERT_EQ(0, give_up(holder, self->blocks[0].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[1]) == 1));
	EXPECT_EQ(0, word_get(&turns->served[0]));
	ASSERT_EQ(0, give_up(holder, self->blocks[1].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[0]) == 1));
	word_set(&turns->stop, 1);
	EXPECT_EQ(0, reap(pids[0]));
	EXPECT_EQ(0, reap(pids[1]));
	close(holder);
}

static struct turns *stirred;

static void be_stirred(int sig)
{
	(void)sig;
	__atomic_add_fetch(&stirred->stirs, 1, __ATOMIC_SEQ_CST);
}

/* A signal ends the call, and the kernel begins it again. */
static int wait_stirred(void *arg)
{
	struct sigaction action = { .sa_handler = be_stirred, .sa_flags = SA_RESTART };

	stirred = ((const struct turn *)arg)->turns;
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	return wait_for_a_block(arg);
}

#define FEW	200		/* times that others are served before one, at most */
#define TOO_OFTEN	20000

/* Interrupt who waits, and see that it is. */
static void stir(const struct turn *turn)
{
	unsigned int stirs = word_get(&turn->turns->stirs);

	kill(turn->stirred, SIGUSR1);
	while (!word_get(&turn->turns->served[0]) && word_get(&turn->turns->stirs) == stirs)
		;
}

/* Wait for a block, and return it as soon as the other one and Alice wait, again and again. */
static int take_turns_with_another(void *arg)
{
	const struct turn *turn = arg;
	struct bufpool_rent rented;

	while (!word_get(&turn->turns->served[0]) &&
	       word_get(&turn->turns->served[1]) < TOO_OFTEN) {
		if (rent_with(turn->fd, turn->size, 0, 100 * NSEC_PER_MSEC, &rented))
			continue;
		__atomic_add_fetch(&turn->turns->served[1], 1, __ATOMIC_SEQ_CST);
		if (turn->stirred)
			stir(turn);
		while (!word_get(&turn->turns->served[0]) && stats_of(turn->fd).waiting != 2)
			;
		CHECK(!give_up(turn->fd, rented.handle));
	}
	return 0;
}

/* Alice waits, and Bob and Carol are served. Return: how often, until she was. */
static unsigned int served_before_alice(struct _test_data_holding *self, struct turns *turns,
					bool is_stirred)
{
	struct turn turn = { .turns = turns, .size = self->info.slab_size };
	int holder = pool_open(), carol = open_for(CAROL);
	pid_t pids[3];

	if (rent_many(self->alice, self->info.slab_size, 4, self->blocks) != 4 ||
	    drain(holder, self->info.slab_size, self->blocks, MOST) != (int)self->slabs - 4)
		return TOO_OFTEN;
	turn.fd = self->alice;
	pids[0] = spawn(wait_stirred, &turn);
	if (!BECOMES(stats_of(holder).waiting == 1))
		return TOO_OFTEN;
	turn.stirred = is_stirred ? pids[0] : 0;
	turn.user = 1;
	turn.fd = self->bob;
	pids[1] = spawn(take_turns_with_another, &turn);
	turn.fd = carol;
	pids[2] = spawn(take_turns_with_another, &turn);
	if (!BECOMES(stats_of(holder).waiting == 3) ||
	    give_up(holder, self->blocks[0].handle))
		return TOO_OFTEN;
	reap(pids[1]);
	reap(pids[2]);
	if (!word_get(&turns->served[0]))
		return TOO_OFTEN;
	word_set(&turns->stop, 1);
	kill(pids[0], SIGKILL);
	reap(pids[0]);
	close(holder);
	close(carol);
	return word_get(&turns->served[1]);
}

/* Others who hold less are served before one, but not for ever. */
TEST_F(holding, nobody_is_passed_by_for_ever)
{
	struct turns *turns = shared_alloc(sizeof(*turns));
	unsigned int others;

	ASSERT_NE(NULL, turns);
	others = served_before_alice(self, turns, false);
	TH_LOG("others were served %u times before", others);
	EXPECT_GE(FEW, others);
}

/* Not by a signal at each turn of the others, either. */
TEST_F(holding, who_is_interrupted_is_not_passed_by_for_ever)
{
	struct turns *turns = shared_alloc(sizeof(*turns));
	unsigned int others;

	ASSERT_NE(NULL, turns);
	others = served_before_alice(self, turns, true);
	TH_LOG("others were served %u times before", others);
	EXPECT_GE(FEW, others);
}

/* What one returns is room for who waits for another size and holds less. */
TEST_F(holding, room_is_for_who_holds_less)
{
	const __u64 size = self->info.slab_size;
	struct turn turn = {
		.user = 1,
		.size = size / 2,
	};
	unsigned int round;
	pid_t pid;

	ASSERT_EQ(self->slabs, drain(self->alice, size, self->blocks, MOST));
	for (round = 0; round < 8; round++) {
		turn.fd = open_for(BOB);
		turn.turns = shared_alloc(sizeof(*turn.turns));
		ASSERT_NE(NULL, turn.turns);
		pid = spawn(wait_for_a_block, &turn);
		ASSERT_TRUE(BECOMES(stats_of(self->alice).waiting == 1));
		ASSERT_EQ(0, give_up(self->alice, self->blocks[round].handle));
		EXPECT_EQ(-EAGAIN, rent(self->alice, size, &self->rent));
		EXPECT_TRUE(BECOMES(word_get(&turn.turns->served[1]) == 1));
		word_set(&turn.turns->stop, 1);
		EXPECT_EQ(0, reap(pid));
		/* or else half a slab may be left for the next one */
		close(turn.fd);
		ASSERT_TRUE(BECOMES(!rent(self->alice, size, &self->rent)));
	}
}

/* Also where somebody who holds more waits for just that. */
TEST_F(holding, room_is_for_who_holds_less_and_waits)
{
	struct turns *turns = shared_alloc(sizeof(*turns));
	struct turn alice = { .fd = self->alice, .size = self->info.slab_size, .turns = turns };
	struct turn bob = { .fd = self->bob, .user = 1, .size = 2 * self->info.slab_size,
			    .turns = turns };
	int holder = pool_open();
	pid_t pids[2];

	ASSERT_NE(NULL, turns);
	ASSERT_EQ(0, rent(self->alice, alice.size, &self->rent));
	ASSERT_EQ(self->slabs - 1, drain(holder, alice.size, self->blocks, MOST));
	pids[0] = spawn(wait_for_a_block, &alice);
	ASSERT_TRUE(BECOMES(stats_of(holder).waiting == 1));
	pids[1] = spawn(wait_for_a_block, &bob);
	ASSERT_TRUE(BECOMES(stats_of(holder).waiting == 2));
	ASSERT_EQ(0, give_up(holder, self->blocks[0].handle));
	EXPECT_EQ(0, word_get(&turns->served[0]));
	ASSERT_EQ(0, give_up(holder, self->blocks[1].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[1]) == 1));
	EXPECT_EQ(0, word_get(&turns->served[0]));
	ASSERT_EQ(0, give_up(holder, self->blocks[2].handle));
	EXPECT_TRUE(BECOMES(word_get(&turns->served[0]) == 1));
	word_set(&turns->stop, 1);
	EXPECT_EQ(0, reap(pids[0]));
	EXPECT_EQ(0, reap(pids[1]));
	close(holder);
}

/* What is drained for waiters is not for longer than there are any. */
TEST_F(holding, draining_ends_with_the_last_waiter)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	struct turns *turns = shared_alloc(sizeof(*turns));
	struct turn turn = { .user = 1, .size = 1, .turns = turns };
	int carol = open_for(CAROL);
	unsigned int i, round;
	pid_t pids[2];

	ASSERT_NE(NULL, turns);
	ASSERT_EQ(LIMIT / PAGE, rent_all_pages(self->alice, self->blocks));
	for (round = 0; round < often(20); round++) {
		turn.fd = self->bob;
		pids[0] = spawn(wait_for_a_block, &turn);
		turn.fd = carol;
		pids[1] = spawn(wait_for_a_block, &turn);
		ASSERT_TRUE(BECOMES(stats_of(self->alice).waiting == 2));
		sleep_ms(20);
		kill(pids[round % 2], SIGKILL);
		kill(pids[1 - round % 2], SIGKILL);
		EXPECT_EQ(-SIGKILL, reap(pids[0]));
		EXPECT_EQ(-SIGKILL, reap(pids[1]));
		for (i = 0; i < LIMIT / PAGE; i += pages)
			ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
		for (i = 0; i < LIMIT / PAGE; i += pages) {
			ASSERT_EQ(0, rent(self->alice, 1, &self->rent));
			self->blocks[i].handle = self->rent.handle;
		}
	}
	close(carol);
}

/* A poller who could not have what is idle is not told of it. */
TEST_F(holding, pollers_are_not_told_of_what_is_for_others)
{
	const unsigned int pages = self->info.slab_size / PAGE, last = LIMIT / PAGE - pages;
	struct pollfd poller = { .fd = self->alice, .events = POLLIN };
	struct turn turn = {
		.fd = self->bob,
		.user = 1,
		.size = 8 * self->info.slab_size,
		.turns = shared_alloc(sizeof(*turn.turns)),
	};
	unsigned int i;
	pid_t pid;

	ASSERT_NE(NULL, turn.turns);
	ASSERT_EQ(LIMIT / PAGE, rent_all_pages(self->alice, self->blocks));
	pid = spawn(wait_for_a_block, &turn);
	ASSERT_TRUE(BECOMES(stats_of(self->alice).waiting == 1));
	sleep_ms(20);
	/* One of these is drained, or neither, and is idle for Bob, who needs more. */
	for (i = 0; i < pages; i++) {
		ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
		ASSERT_EQ(0, give_up(self->alice, self->blocks[last + i].handle));
	}
	EXPECT_EQ(0, poll(&poller, 1, 0));
	EXPECT_EQ(-EAGAIN, rent(self->alice, 1, &self->rent));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_EQ(1, poll(&poller, 1, 0));
	EXPECT_EQ(0, rent(self->alice, 1, &self->rent));
}

/* Who has more than a waiter gives up half of that, and keeps the rest. */
TEST_F(holding, who_has_more_gives_up_half)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	struct turn turn = {
		.fd = self->bob,
		.user = 1,
		.size = 1,
		.turns = shared_alloc(sizeof(*turn.turns)),
	};
	unsigned int i, again = 0;
	pid_t pid;

	ASSERT_NE(NULL, turn.turns);
	ASSERT_EQ(LIMIT / PAGE, rent_all_pages(self->alice, self->blocks));
	pid = spawn(wait_for_a_block, &turn);
	ASSERT_TRUE(BECOMES(stats_of(self->alice).waiting == 1));
	/* longer than the first looks take */
	sleep_ms(50);
	for (i = 0; i < LIMIT / PAGE; i += pages)
		ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
	while (!rent(self->alice, 1, &self->rent))
		again++;
	TH_LOG("%u of %u slabs go on", again, self->slabs);
	EXPECT_LE(self->slabs * 3 / 8, again);
	EXPECT_GE(self->slabs * 5 / 8, again);
	kill(pid, SIGKILL);
	reap(pid);
}

/* Beside somebody else's waiter --------------------------------------------------- */

/* Bob waits for a block, in a pool that root has all the rest of. Return: its pid */
static pid_t have_bob_wait(int bob, struct turn *turn, int holder, __u64 size)
{
	static struct bufpool_block rest[MOST];
	struct bufpool_info info;

	if (pool_info(bob, &info) || drain(holder, info.slab_size, rest, MOST) <= 0)
		return -1;
	*turn = (struct turn){
		.fd = bob,
		.user = 1,
		.size = size,
		.turns = shared_alloc(sizeof(*turn->turns)),
	};
	return turn->turns ? spawn(wait_for_a_block, turn) : -1;
}

/* What is free in one's own slabs is there, whoever waits for a slab. */
TEST_F(holding, own_blocks_are_there_while_others_wait)
{
	struct bufpool_block theirs[3];
	int holder = pool_open();
	struct turn turn;
	pid_t pid;

	ASSERT_EQ(3, rent_many(self->alice, self->info.slab_size / 4, 3, theirs));
	pid = have_bob_wait(self->bob, &turn, holder, self->info.slab_size / 4);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(BECOMES(stats_of(holder).waiting == 1));
	EXPECT_EQ(0, rent(self->alice, self->info.slab_size / 4, &self->rent));
	EXPECT_EQ(-EAGAIN, rent(self->alice, self->info.slab_size / 4, &self->rent));
	kill(pid, SIGKILL);
	reap(pid);
	close(holder);
}

/* Over one's quota is over it, however many wait for room. */
TEST_F(holding, over_the_quota_nobody_waits)
{
	int holder = pool_open();
	struct turn turn;
	pid_t pid;

	ASSERT_EQ(0, parameter_write("quota", self->info.slab_size));
	ASSERT_EQ(0, rent(self->alice, self->info.slab_size, &self->rent));
	pid = have_bob_wait(self->bob, &turn, holder, self->info.slab_size);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(BECOMES(stats_of(holder).waiting == 1));
	EXPECT_EQ(-EDQUOT, rent(self->alice, 1, &self->rent));
	EXPECT_EQ(-EDQUOT, rent_with(self->alice, 1, 0, 0, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->alice, self->info.slab_size, &self->rent));
	kill(pid, SIGKILL);
	reap(pid);
	close(holder);
}

static int rent_all_the_time(void *arg)
{
	const struct turn *turn = arg;
	struct bufpool_rent rented;

	while (!word_get(&turn->turns->stop)) {
		if (rent(turn->fd, turn->size, &rented))
			continue;
		__atomic_add_fetch(&turn->turns->served[0], 1, __ATOMIC_SEQ_CST);
		CHECK(!give_up(turn->fd, rented.handle));
	}
	return 0;
}

/* Room is for who waits for it, and not for who comes by. */
TEST_F(holding, newcomers_do_not_pass_a_waiter)
{
	int holder = pool_open();
	unsigned int round;
	struct turn turn, passer;
	pid_t pid, other;

	for (round = 0; round < often(20); round++) {
		ASSERT_EQ(0, limit_write(LIMIT));
		pid = have_bob_wait(self->bob, &turn, holder, self->info.slab_size);
		ASSERT_LT(0, pid);
		ASSERT_TRUE(BECOMES(stats_of(holder).waiting == 1));
		passer = turn;
		passer.fd = self->alice;
		other = spawn(rent_all_the_time, &passer);
		sleep_ms(1);
		ASSERT_EQ(0, limit_write(LIMIT + self->info.slab_size));
		ASSERT_TRUE(word_reaches(&turn.turns->served[1], 1));
		EXPECT_EQ(0, word_get(&turn.turns->served[0]));
		word_set(&turn.turns->stop, 1);
		EXPECT_EQ(0, reap(pid));
		EXPECT_EQ(0, reap(other));
		close(holder);
		close(self->bob);
		holder = pool_open();
		self->bob = open_for(BOB);
	}
	close(holder);
}

/*
 * One who waits for one share in so many of the pool leaves others the rest. Which
 * blocks those are is a matter of luck, so look several times.
 */
static void leave_the_rest(struct __test_metadata *_metadata,
			   struct _test_data_holding *self, unsigned int shares)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	struct turn turn = { .fd = self->bob, .user = 1, .size = LIMIT / shares };
	unsigned int i, left;
	int count;
	pid_t pid;

	turn.turns = shared_alloc(sizeof(*turn.turns));
	ASSERT_NE(NULL, turn.turns);
	count = rent_all_pages(self->alice, self->blocks);
	ASSERT_EQ(LIMIT / PAGE, count);
	/* One block of each slab stays out, so none comes back whole. */
	ASSERT_TRUE(keep_one_in(self->alice, self->blocks, count, pages));
	pid = spawn(wait_for_a_block, &turn);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(BECOMES(stats_of(self->alice).waiting == 1));
	for (i = 0; i < 8; i++) {
		sleep_ms(250);
		left = rent_all_pages(self->alice, self->blocks + count);
		EXPECT_LE(count - count / shares - count / pages, left);
		ASSERT_TRUE(give_all(self->alice, self->blocks + count, left));
		trim(self->alice, 0);
	}
	EXPECT_EQ(0, word_get(&turn.turns->served[1]));
	/* As those blocks return it is served. */
	for (i = 0; i < (unsigned int)count; i += pages)
		ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
	EXPECT_TRUE(word_reaches(&turn.turns->served[1], 1));
	word_set(&turn.turns->stop, 1);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(holding, a_large_waiter_leaves_others_half)
{
	if (LIMIT / 2 > self->info.max_rent)
		SKIP(return, "no block is as large as half of the limit here");
	leave_the_rest(_metadata, self, 2);
}

TEST_F(holding, a_waiter_has_others_give_up_its_share)
{
	if (LIMIT / 4 > self->info.max_rent)
		SKIP(return, "no block is as large as a quarter of the limit here");
	ASSERT_EQ(0, parameter_write("share", LIMIT / 4));
	leave_the_rest(_metadata, self, 4);
}

/* Nobody waits for what others would never give up. */
TEST_F(holding, beyond_its_share_nobody_waits)
{
	int holder = pool_open();

	ASSERT_LE(0, holder);
	ASSERT_LT(0, drain(holder, self->info.slab_size, self->blocks, MOST));
	ASSERT_EQ(0, parameter_write("share", MIB / 2));
	EXPECT_EQ(-EDQUOT, rent_with(self->alice, MIB, 0, 0, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_with(self->alice, MIB, BUFPOOL_RENT_NONBLOCK, 0, &self->rent));
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->alice, MIB / 2, 0, NSEC_PER_MSEC, &self->rent));
	/* Whoever is exempt from quotas is from this. */
	EXPECT_EQ(-ETIMEDOUT, rent_with(holder, MIB, 0, NSEC_PER_MSEC, &self->rent));
	ASSERT_EQ(0, parameter_write("share", MIB));
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->alice, MIB, 0, NSEC_PER_MSEC, &self->rent));
	/* By default it is half of the limit. */
	ASSERT_EQ(0, parameter_write("share", 0));
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->alice, MIB, 0, NSEC_PER_MSEC, &self->rent));
	/* What is free is there all the same. */
	ASSERT_EQ(0, parameter_write("share", MIB / 2));
	close(holder);
	EXPECT_EQ(0, rent_with(self->alice, MIB, 0, 0, &self->rent));
}

/* A slab that only the background has a block of keeps nobody from the quota. */
TEST_F(holding, zeroing_takes_nothing_from_the_quota)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	unsigned int round, i;
	char *at;

	ASSERT_EQ(0, parameter_write("quota", self->info.slab_size));
	for (round = 0; round < often(200); round++) {
		ASSERT_EQ(pages, rent_many(self->alice, 1, pages, self->blocks));
		for (i = 0; i < pages; i++) {
			at = map_at(self->alice, self->blocks[i].offset, PAGE);
			ASSERT_NE(MAP_FAILED, at);
			*at = 1;
			munmap(at, PAGE);
		}
		for (i = 0; i < pages; i++)
			ASSERT_EQ(0, give_up(self->alice, self->blocks[i].handle));
		ASSERT_EQ(0, rent(self->alice, 2 * PAGE, &self->rent));
		ASSERT_EQ(0, give_up(self->alice, self->rent.handle));
	}
}

TEST_HARNESS_MAIN
