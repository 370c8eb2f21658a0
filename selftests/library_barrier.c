// SPDX-License-Identifier: MIT
/*
 * libbufpool: when it has all threads pass a barrier, so that what a thread does alone needs
 * none. The barriers are counted, and nothing else is seen of them: they are for what two
 * processors do within nanoseconds.
 */
#include "barriers.h"
#include "library_test.h"

#include <cache.h>

/* Who returns another thread's block shares that one's cache from then on. */
TEST_F(library, passed_when_a_cache_is_shared)
{
	void *one = bufpool_rent(self->pool, 1, 0), *other = bufpool_rent(self->pool, 1, 0);
	unsigned int before = barriers;

	ASSERT_NE(NULL, one);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, return_elsewhere(self->pool, one));
	EXPECT_EQ(1, barriers_since(before));
	ASSERT_EQ(0, return_elsewhere(self->pool, other));
	EXPECT_EQ(1, barriers_since(before));
}

/* And when its thread is alone again. */
TEST_F(library, passed_when_a_cache_is_shared_no_more)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	unsigned int before, i;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, return_elsewhere(self->pool, block));
	before = barriers;
	for (i = 0; i < 3 * BUFPOOL_RETURNS_ALONE; i++) {
		block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	EXPECT_EQ(1, barriers_since(before));
}

/* A kernel that is short of memory is asked again. */
TEST_F(library, passed_in_the_end)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	unsigned int before = barriers;

	ASSERT_NE(NULL, block);
	refused = ENOMEM;
	ASSERT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_EQ(0, refused);
	EXPECT_EQ(1, barriers_since(before));
}

/* One that refuses for good is not; and all goes on. */
TEST_F(library, not_asked_for_again_where_they_are_forbidden)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	unsigned int before = barriers;

	ASSERT_NE(NULL, block);
	refused = EPERM;
	ASSERT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_EQ(0, refused);
	EXPECT_EQ(0, barriers_since(before));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
}

TEST_HARNESS_MAIN
