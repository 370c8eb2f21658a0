// SPDX-License-Identifier: MIT
/*
 * Stealing: warm blocks of a client that others need, the longest unused first,
 * also while their old owner touches them.
 */
#include "effort.h"
#include "warm.h"

#include <pthread.h>
#include <sched.h>

#define LIMIT	(1 * MIB)
#define ALL	16		/* blocks within the limit */

/* Two clients, and as many blocks as the pool may have. */
FIXTURE(steal)
{
	int fd;
	int thief;
	struct bufpool_block blocks[ALL];
	unsigned char *at[ALL];
	struct bufpool_stats before;
};

FIXTURE_SETUP(steal)
{
	int i;

	ASSERT_EQ(0, limit_write(LIMIT));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->thief = pool_open();
	ASSERT_LE(0, self->thief);
	ASSERT_EQ(ALL, rent_many(self->fd, BLOCK, ALL, self->blocks));
	for (i = 0; i < ALL; i++) {
		self->at[i] = map_at(self->fd, self->blocks[i].offset, BLOCK);
		ASSERT_NE(MAP_FAILED, self->at[i]);
		memset(self->at[i], 0xff, BLOCK);
	}
	ASSERT_EQ(0, pool_stats(self->thief, &self->before));
}

FIXTURE_TEARDOWN(steal)
{
	close(self->fd);
	close(self->thief);
	parameters_restore();
}

TEST_F(steal, takes_all_if_it_has_to)
{
	struct bufpool_block theirs[ALL];
	struct bufpool_stats after;
	int i;

	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	EXPECT_EQ(ALL, warm_blocks(self->fd));
	ASSERT_EQ(ALL, rent_many(self->thief, BLOCK, ALL, theirs));
	for (i = 0; i < ALL; i++) {
		EXPECT_TRUE(block_is_zero(self->thief, theirs[i].offset,
					  BLOCK));
		EXPECT_EQ(SIGBUS, touch(self->at[i]));
		EXPECT_EQ(SIGBUS, poke(self->at[i] + BLOCK - 1, 1));
		EXPECT_EQ(-ESTALE, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(-ENOENT, give(self->thief, self->blocks[i].handle));
	}
	EXPECT_EQ(0, warm_blocks(self->fd));
	after = stats_of(self->thief);
	EXPECT_EQ(self->before.steals + ALL, after.steals);
	EXPECT_EQ(self->before.waits, after.waits);
	EXPECT_EQ(self->before.slabs_created, after.slabs_created);
	EXPECT_EQ(0, after.warm);
	EXPECT_EQ(LIMIT, after.in_use);
}

/* As few as are needed. */
TEST_F(steal, takes_no_more_than_it_needs)
{
	struct bufpool_rent theirs;
	int i, gone = 0;

	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(0, rent(self->thief, BLOCK, &theirs));
	EXPECT_EQ(ALL - 1, warm_blocks(self->fd));
	for (i = 0; i < ALL; i++)
		gone += touch(self->at[i]) == SIGBUS;
	EXPECT_EQ(1, gone);
	EXPECT_EQ(theirs.offset, self->blocks[0].offset);
}

/* Nothing is stolen while the pool may grow. */
TEST_F(steal, only_in_need)
{
	struct bufpool_block theirs[ALL];

	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(0, limit_write(2 * LIMIT));
	ASSERT_EQ(ALL, rent_many(self->thief, BLOCK, ALL, theirs));
	EXPECT_EQ(ALL, warm_blocks(self->fd));
	EXPECT_EQ(self->before.steals, stats_of(self->thief).steals);
}

/* The longest unused block goes first, whichever client has it. */
TEST_F(steal, longest_idle_first)
{
	/* The order of return, by the number of the block. */
	static const int order[ALL] = {
		7, 2, 11, 0, 15, 4, 9, 1, 12, 3, 14, 6, 8, 13, 5, 10,
	};
	int clients[4] = { self->fd, pool_open(), pool_open(), pool_open() };
	struct bufpool_block blocks[ALL];
	struct bufpool_rent rented;
	int i;

	/* Each of four clients has a quarter of the blocks. */
	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	ASSERT_LT(0, trim(self->fd, 0));
	for (i = 0; i < ALL; i++)
		ASSERT_EQ(1, rent_many(clients[i % 4], BLOCK, 1, &blocks[i]));
	for (i = 0; i < ALL; i++) {
		ASSERT_EQ(0, give(clients[order[i] % 4],
				  blocks[order[i]].handle));
		sleep_ms(20);
	}
	for (i = 0; i < ALL; i++) {
		ASSERT_EQ(0, rent(self->thief, BLOCK, &rented));
		EXPECT_EQ(blocks[order[i]].offset, rented.offset) {
			TH_LOG("the %d. to go", i + 1);
		}
	}
	for (i = 1; i < 4; i++)
		close(clients[i]);
}

/* Using one again makes it the last. */
TEST_F(steal, use_makes_it_young)
{
	struct bufpool_rent rented;
	int i;

	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	sleep_ms(20);
	ASSERT_EQ(1, rent_many(self->fd, BLOCK, 1, &self->blocks[0]));
	ASSERT_TRUE(give_all(self->fd, self->blocks + 1, ALL - 1));
	sleep_ms(20);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	for (i = 1; i < ALL; i++)
		ASSERT_EQ(0, rent(self->thief, BLOCK, &rented));
	EXPECT_EQ(1, warm_blocks(self->fd));
	ASSERT_EQ(0, rent(self->thief, BLOCK, &rented));
	EXPECT_EQ(self->blocks[0].offset, rented.offset);
}

/* For another size, as many as make room; what the thief gets is zero. */
TEST_F(steal, for_another_size)
{
	struct bufpool_rent large;
	struct bufpool_block small;

	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(1, rent_many(self->thief, 1, 1, &small));
	EXPECT_TRUE(block_is_zero(self->thief, small.offset, small.length));
	ASSERT_EQ(0, give_up(self->thief, small.handle));
	ASSERT_EQ(0, rent(self->thief, LIMIT, &large));
	EXPECT_TRUE(block_is_zero(self->thief, large.offset, LIMIT));
	EXPECT_EQ(0, warm_blocks(self->fd));
}

/* A client's own warm blocks do not stand in its way. */
TEST_F(steal, from_itself)
{
	struct bufpool_rent large;

	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	ASSERT_EQ(0, rent(self->fd, LIMIT, &large));
	EXPECT_TRUE(block_is_zero(self->fd, large.offset, LIMIT));
	EXPECT_EQ(0, warm_blocks(self->fd));
	EXPECT_EQ(SIGBUS, touch(self->at[0]));
}

/* A rented block is never taken, whatever else is. */
TEST_F(steal, never_what_is_rented)
{
	struct bufpool_block theirs[ALL];
	int i;

	ASSERT_TRUE(give_all(self->fd, self->blocks + ALL / 2, ALL / 2));
	EXPECT_EQ(ALL / 2, rent_many(self->thief, BLOCK, ALL, theirs));
	EXPECT_EQ(-EAGAIN, rent_many(self->thief, BLOCK, ALL, theirs));
	for (i = 0; i < ALL / 2; i++)
		EXPECT_TRUE(filled(self->at[i], 0xff, BLOCK));
}

/* The end of a client is the end of what it keeps warm. */
static int die_with_warm_blocks(void *arg)
{
	struct bufpool_block blocks[ALL];
	int fd = pool_open(), i;

	CHECK(fd >= 0);
	CHECK(rent_many(fd, BLOCK, ALL, blocks) == ALL);
	for (i = 0; i < ALL; i++)
		CHECK(block_fill(fd, blocks[i].offset, BLOCK, 0xff));
	CHECK(give_all(fd, blocks, ALL));
	CHECK(warm_blocks(fd) == ALL);
	if (arg)
		raise(SIGKILL);
	return 0;
}

TEST_F(steal, ends_with_the_client)
{
	struct bufpool_block theirs[ALL];
	int i, kill;

	close(self->fd);
	for (i = 0; i < ALL; i++)
		ASSERT_EQ(0, munmap(self->at[i], BLOCK));
	for (kill = 0; kill < 2; kill++) {
		struct bufpool_stats after;

		EXPECT_EQ(kill ? -SIGKILL : 0,
			  in_child(die_with_warm_blocks, kill ? &kill : NULL));
		EXPECT_TRUE(BECOMES(!stats_of(self->thief).warm));
		after = stats_of(self->thief);
		EXPECT_EQ(0, after.in_use);
		EXPECT_EQ(0, after.user_held);
		EXPECT_EQ(after.rents, after.returns);
		ASSERT_EQ(ALL, rent_many(self->thief, BLOCK, ALL, theirs));
		EXPECT_EQ(self->before.steals, stats_of(self->thief).steals);
		for (i = 0; i < ALL; i++) {
			EXPECT_TRUE(block_is_zero(self->thief,
						  theirs[i].offset, BLOCK));
			ASSERT_EQ(0, give_up(self->thief, theirs[i].handle));
		}
	}
	self->fd = pool_open();
}

/* Theft under the owner's hands --------------------------------------------------- */

/*
 * Two clients rent all they get, mark it, and return it, so that what the one has
 * warm the other takes. In each, a toucher touches all of the client's mapping all
 * the time, a thread in the one and a process of its own in the other: it sees
 * the client's own mark, or zero, or SIGBUS; and what it writes the other client
 * never finds.
 */
struct client_under_theft {
	unsigned int stop;
	unsigned int rounds;
	unsigned int warm;		/* rentals of warm blocks */
	unsigned int touches;
	unsigned int faults;
	int fd;
	bool by_process;
	unsigned char mark;
	__u64 seed;
	__u64 start;			/* of the class's span */
	__u64 reach;			/* bytes of it that are mapped */
};

/* Rounds of each client */
#define THEFT_ROUNDS	120

static int touch_everything(struct client_under_theft *client)
{
	__u64 seed = client->seed ^ 0x5555;
	unsigned char *span = map_at(client->fd, client->start, client->reach);

	CHECK(span != MAP_FAILED);
	while (!__atomic_load_n(&client->stop, __ATOMIC_ACQUIRE)) {
		unsigned char *at = span + next_random(&seed) % client->reach;
		unsigned char value = 0;
		int sig;

		if (next_random(&seed) % 8 == 0)
			sig = poke(at, client->mark);
		else
			sig = peek(at, &value);
		CHECK(!sig || sig == SIGBUS);
		CHECK(!value || value == client->mark);
		client->touches++;
		client->faults += !!sig;
	}
	return 0;
}

static void *touch_as_thread(void *arg)
{
	touch_everything(arg);
	return NULL;
}

static int touch_as_process(void *arg)
{
	return touch_everything(arg);
}

static bool only_has(const unsigned char *at, unsigned char mark)
{
	size_t i;

	for (i = 0; i < BLOCK; i++) {
		if (at[i] && at[i] != mark)
			return false;
	}
	return true;
}

static void one_round(struct client_under_theft *client, unsigned char *span)
{
	struct bufpool_block blocks[ALL];
	int count, i;

	count = rent_many(client->fd, BLOCK, 1 + next_random(&client->seed) % ALL,
			  blocks);
	CHECK(count > 0 || count == -EAGAIN);
	for (i = 0; i < count; i++) {
		unsigned char *at = span + (blocks[i].offset - client->start);

		CHECK(blocks[i].length == BLOCK);
		CHECK(only_has(at, client->mark));
		memset(at, client->mark, BLOCK);
	}
	if (next_random(&client->seed) % 4 == 0)
		sched_yield();
	for (i = 0; i < count; i++) {
		unsigned char *at = span + (blocks[i].offset - client->start);

		CHECK(filled(at, client->mark, BLOCK));
		CHECK(!give(client->fd, blocks[i].handle));
	}
	client->rounds++;
}

static int be_stolen_from(void *arg)
{
	struct client_under_theft *client = arg;
	struct bufpool_info info;
	struct bufpool_rent rented;
	unsigned char *span;
	pthread_t thread;
	pid_t pid = 0;

	client->fd = pool_open();
	CHECK(client->fd >= 0);
	CHECK(!pool_info(client->fd, &info));
	CHECK(!rent_with(client->fd, BLOCK, 0, 0, &rented));
	CHECK(!give(client->fd, rented.handle));
	client->start = rented.offset - rented.offset % info.span;
	client->reach = 2 * LIMIT;
	span = map_at(client->fd, client->start, client->reach);
	CHECK(span != MAP_FAILED);
	if (client->by_process)
		pid = spawn(touch_as_process, client);
	else
		CHECK(!pthread_create(&thread, NULL, touch_as_thread, client));
	while (!__atomic_load_n(&client->stop, __ATOMIC_ACQUIRE))
		one_round(client, span);
	if (client->by_process)
		CHECK(!reap(pid));
	else
		CHECK(!pthread_join(thread, NULL));
	client->warm = stats_of(client->fd).client_warm_rents;
	return 0;
}

TEST_F_TIMEOUT(steal, while_the_owner_touches, A_DAY)
{
	struct client_under_theft *clients = shared_alloc(2 * sizeof(*clients));
	struct effort effort = effort_begin(THEFT_ROUNDS, 5);
	__u64 seed = random_seed();
	pid_t pids[2];
	int i;

	ASSERT_NE(NULL, clients);
	ASSERT_TRUE(give_all(self->fd, self->blocks, ALL));
	ASSERT_LT(0, trim(self->fd, 0));
	for (i = 0; i < 2; i++) {
		clients[i].seed = next_random(&seed);
		clients[i].mark = i ? 0xf0 : 0x0f;
		clients[i].by_process = i;
		pids[i] = spawn(be_stolen_from, &clients[i]);
	}
	while ((effort_goes_on(&effort, word_get(&clients[0].rounds)) ||
		effort_goes_on(&effort, word_get(&clients[1].rounds))) &&
	       !child_has_ended())
		sleep_ms(1);
	for (i = 0; i < 2; i++)
		word_set(&clients[i].stop, 1);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_LT(0, clients[i].rounds);
		EXPECT_LT(0, clients[i].warm);
		EXPECT_LT(0, clients[i].faults);
		TH_LOG("%u rounds, %u warm rentals, %u touches, %u of them SIGBUS",
		       clients[i].rounds, clients[i].warm, clients[i].touches,
		       clients[i].faults);
	}
	EXPECT_LT(self->before.steals, stats_of(self->thief).steals);
	EXPECT_TRUE(in_use_becomes(self->thief, 0));
}

TEST_HARNESS_MAIN
