// SPDX-License-Identifier: MIT
/*
 * libbufpool with BUFPOOL_STRICT: what is used after it was returned faults.
 */
#include "library_test.h"

FIXTURE(strict)
{
	struct bufpool *pool;
};

FIXTURE_SETUP(strict)
{
	ASSERT_EQ(0, setenv("BUFPOOL_STRICT", "1", 1));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
}

FIXTURE_TEARDOWN(strict)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
	unsetenv("BUFPOOL_STRICT");
}

TEST_F(strict, a_use_after_return_faults)
{
	unsigned char byte;
	void *block;
	size_t size;

	for (size = PAGE; size <= MIB; size *= 4) {
		block = bufpool_rent(self->pool, size, 0);
		ASSERT_NE(NULL, block);
		memset(block, 1, size);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
		EXPECT_EQ(gone_signal(), peek(block, &byte));
		EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	}
}

TEST_F(strict, a_use_after_return_many_faults)
{
	void *blocks[3];
	unsigned char byte;
	int i;

	ASSERT_EQ(3, bufpool_rent_many(self->pool, 1, 0, blocks, 3));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, poke(blocks[i], 1));
	ASSERT_EQ(3, bufpool_return_many(self->pool, blocks, 3, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(gone_signal(), peek(blocks[i], &byte));
}

TEST_F(strict, nothing_is_kept)
{
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	EXPECT_EQ(1, rented_of(self->pool));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(0, rented_of(self->pool));
}

/* At least so many of a size are not rented again, if there are others. */
#define QUARANTINE	64

static void *rent_without_waiting(void *arg)
{
	struct bufpool *pool = arg;
	unsigned int i, refused = 0;

	for (i = 0; i < 2000; i++) {
		void *block = bufpool_rent(pool, 1, BUFPOOL_RENT_NONBLOCK);

		if (block)
			bufpool_return(pool, block, 0);
		else
			refused++;
	}
	return refused ? arg : NULL;
}

/* What is not rented is there for each thread, whatever the others look for. */
TEST_F(strict, threads_find_what_is_free)
{
	pthread_t threads[2];
	void *refused;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, rent_without_waiting,
					    self->pool));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &refused));
		EXPECT_EQ(NULL, refused);
	}
}

TEST_F(strict, the_longest_returned_is_rented_next)
{
	void *first = bufpool_rent(self->pool, 1, 0), *block;
	int i;

	ASSERT_NE(NULL, first);
	ASSERT_EQ(0, bufpool_return(self->pool, first, 0));
	for (i = 0; i < QUARANTINE; i++) {
		block = bufpool_rent(self->pool, 1, i % 2 ? BUFPOOL_RENT_NONBLOCK : 0);
		ASSERT_NE(NULL, block);
		ASSERT_NE(first, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(strict, a_use_after_return_faults_though_others_rent)
{
	char *stale = bufpool_rent(self->pool, 1, 0), *other;

	ASSERT_NE(NULL, stale);
	*stale = 1;
	ASSERT_EQ(0, bufpool_return(self->pool, stale, 0));
	other = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, other);
	*other = 1;
	EXPECT_EQ(gone_signal(), poke(stale, 2));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, stale, 0));
	EXPECT_EQ(-ESTALE, size_error(self->pool, stale));
	EXPECT_EQ(0, bufpool_return(self->pool, other, 0));
}

/* More than are asked for at once, and of several sizes */
TEST_F(strict, many_are_rented_as_ever)
{
	void *blocks[600];
	int round;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(600, bufpool_rent_many(self->pool, 1, 0, blocks, 600));
		ASSERT_EQ(600, held(self->pool));
		ASSERT_EQ(600, bufpool_return_many(self->pool, blocks, 600, 0));
		ASSERT_EQ(8, bufpool_rent_many(self->pool, 10000, 0, blocks, 8));
		ASSERT_EQ(8, bufpool_return_many(self->pool, blocks, 8, 0));
	}
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(strict, where_there_are_no_others_it_is_rented_again)
{
	void *blocks[64];
	unsigned int count = 0;

	ASSERT_EQ(0, bufpool_close(self->pool));
	ASSERT_EQ(0, small_limit());
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	while (count < 64 && (blocks[count] = bufpool_rent(self->pool, MIB,
							   BUFPOOL_RENT_NONBLOCK)))
		count++;
	ASSERT_LT(3, count);
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[0], 0));
	ASSERT_EQ(0, bufpool_return(self->pool, blocks[1], 0));
	EXPECT_EQ(blocks[0], bufpool_rent(self->pool, MIB, 0));
	EXPECT_EQ(blocks[1], bufpool_rent(self->pool, MIB, BUFPOOL_RENT_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_error(self->pool, MIB, BUFPOOL_RENT_NONBLOCK));
	if (!private_chosen())
		limit_restore();
}

TEST_HARNESS_MAIN
