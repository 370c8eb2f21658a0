// SPDX-License-Identifier: MIT
/*
 * libbufpool: blocks that several threads have rented, in one call of another
 */
#include "library_test.h"

#define OWNERS	3
#define EACH	4
#define ALL	(OWNERS * EACH)

struct owner {
	struct bufpool *pool;
	void **blocks;
	pthread_barrier_t *barrier;
};

/* Rent some, and keep the cache until the test is over. */
static void *rent_and_idle(void *argument)
{
	struct owner *owner = argument;
	int i;

	for (i = 0; i < EACH; i++)
		owner->blocks[i] = bufpool_rent(owner->pool, PAGE, BUFPOOL_RENT_ZERO);
	pthread_barrier_wait(owner->barrier);
	pthread_barrier_wait(owner->barrier);
	return NULL;
}

FIXTURE(owners)
{
	struct bufpool *pool;
	void *blocks[ALL];
	struct owner owners[OWNERS];
	pthread_t threads[OWNERS];
	pthread_barrier_t barrier;
};

FIXTURE_SETUP(owners)
{
	int i;

	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(0, pthread_barrier_init(&self->barrier, NULL, OWNERS + 1));
	for (i = 0; i < OWNERS; i++) {
		self->owners[i] = (struct owner){
			self->pool, self->blocks + i * EACH, &self->barrier,
		};
		ASSERT_EQ(0, pthread_create(&self->threads[i], NULL, rent_and_idle,
					    &self->owners[i]));
	}
	pthread_barrier_wait(&self->barrier);
	for (i = 0; i < ALL; i++) {
		ASSERT_NE(NULL, self->blocks[i]);
		*(int *)self->blocks[i] = i;
	}
}

FIXTURE_TEARDOWN(owners)
{
	int i;

	pthread_barrier_wait(&self->barrier);
	for (i = 0; i < OWNERS; i++)
		ASSERT_EQ(0, pthread_join(self->threads[i], NULL));
	EXPECT_EQ(0, bufpool_close(self->pool));
}

TEST_F(owners, their_blocks_are_returned_at_once)
{
	int i;

	EXPECT_EQ(ALL, bufpool_return_many(self->pool, self->blocks, ALL, 0));
	for (i = 0; i < ALL; i++)
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, self->blocks[i], 0));
	EXPECT_EQ(0, held(self->pool));
}

/* A channel with room for all; false: there are none, and the test is a skip */
static bool open_channel(struct __test_metadata *_metadata, struct bufpool *pool, int *ends)
{
	int ret = bufpool_channel(pool, ALL, ends);

	if (ret == -EOPNOTSUPP || ret == -ENOTTY)
		return false;
	ASSERT_EQ(0, ret);
	return true;
}

/* Send them from the @from-th on. Return: how many went */
static int send_from(struct bufpool *pool, int end, void **blocks, int from)
{
	struct bufpool_parcel parcels[ALL];
	int i;

	for (i = from; i < ALL; i++)
		parcels[i] = (struct bufpool_parcel){
			.size = sizeof(*parcels), .block = blocks[i], .used = sizeof(int),
		};
	return bufpool_send_many(pool, end, parcels + from, ALL - from,
				 BUFPOOL_SEND_NONBLOCK, 0);
}

/* Receive and return as many, of which the first has that number in it. */
static void receive(struct __test_metadata *_metadata, struct bufpool *pool, int end,
		    int first, int count)
{
	struct bufpool_parcel parcels[ALL];
	int i;

	for (i = 0; i < ALL; i++)
		parcels[i].size = sizeof(*parcels);
	ASSERT_EQ(count, bufpool_receive_many(pool, end, parcels, ALL,
					      BUFPOOL_RECEIVE_NONBLOCK, 0));
	for (i = 0; i < count; i++) {
		EXPECT_EQ(first + i, *(int *)parcels[i].block);
		EXPECT_EQ(0, bufpool_return(pool, parcels[i].block, 0));
	}
}

TEST_F(owners, their_blocks_are_sent_at_once)
{
	int ends[2], i;

	if (!open_channel(_metadata, self->pool, ends))
		SKIP(return, "no channels here");
	ASSERT_EQ(ALL, send_from(self->pool, ends[1], self->blocks, 0));
	for (i = 0; i < ALL; i++)
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, self->blocks[i], 0));
	receive(_metadata, self->pool, ends[0], 0, ALL);
	EXPECT_EQ(0, held(self->pool));
	close(ends[0]);
	close(ends[1]);
}

/* What is returned already ends a call, and what comes before it goes. */
TEST_F(owners, some_of_their_blocks_are_sent)
{
	int ends[2], over = EACH + 1;

	if (!open_channel(_metadata, self->pool, ends))
		SKIP(return, "no channels here");
	ASSERT_EQ(0, bufpool_return(self->pool, self->blocks[over], 0));
	ASSERT_EQ(over, send_from(self->pool, ends[1], self->blocks, 0));
	receive(_metadata, self->pool, ends[0], 0, over);
	EXPECT_EQ(-ESTALE, send_from(self->pool, ends[1], self->blocks, over));
	ASSERT_EQ(ALL - over - 1, send_from(self->pool, ends[1], self->blocks, over + 1));
	receive(_metadata, self->pool, ends[0], over + 1, ALL - over - 1);
	EXPECT_EQ(0, held(self->pool));
	close(ends[0]);
	close(ends[1]);
}

TEST_HARNESS_MAIN
