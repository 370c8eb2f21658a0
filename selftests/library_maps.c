// SPDX-License-Identifier: MIT
/*
 * libbufpool's private pools where a process has as many mappings as it may.
 *
 * A kernel that checks all mappings at each change takes hours for that, so the
 * VM does not run this.
 */
#include "library_test.h"

/* This program is about nothing else: before it asks for a device. */
static void __attribute__((constructor(101))) choose_private(void)
{
	setenv("BUFPOOL_PROVIDER", "private", 1);
}

/*
 * Every second block of these comes back: more mappings than a process may have.
 */
#define SCATTERED	66400

/* What that takes on a busy machine, at most */
#define SECONDS	240

FIXTURE(scattered)
{
	struct bufpool *pool;
	char **blocks;
	int maps;
};

FIXTURE_SETUP(scattered)
{
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", "1G", 1));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	self->blocks = calloc(SCATTERED, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_EQ(SCATTERED, bufpool_rent_many(self->pool, 1, 0,
					       (void **)self->blocks, SCATTERED));
	self->maps = count_maps();
}

FIXTURE_TEARDOWN(scattered)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

static int return_every_second(struct bufpool *pool, char **blocks,
			       unsigned int flags)
{
	int i, ret = 0;

	for (i = 0; i < SCATTERED && !ret; i += 2)
		ret = bufpool_return(pool, blocks[i], flags);
	return ret;
}

/* What cannot be hidden is free all the same, and zero when it is rented again. */
TEST_F_TIMEOUT(scattered, revoking_beyond_the_map_count_loses_nothing,
	       SECONDS)
{
	int i;

	for (i = 0; i < SCATTERED; i += 1000)
		*self->blocks[i] = 1;
	ASSERT_EQ(0, return_every_second(self->pool, self->blocks,
					 BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(SCATTERED / 2, held(self->pool));
	/* A write after return may go unnoticed, or fault. */
	poke(self->blocks[SCATTERED - 2], 1);
	for (i = 0; i < SCATTERED; i += 2) {
		self->blocks[i] = bufpool_rent(self->pool, 1,
					       BUFPOOL_RENT_NONBLOCK);
		ASSERT_NE(NULL, self->blocks[i]);
		ASSERT_EQ(0, *self->blocks[i]);
	}
	EXPECT_EQ(SCATTERED, held(self->pool));
}

TEST_F_TIMEOUT(scattered, giving_memory_back_leaves_half_of_the_mappings,
	       SECONDS)
{
	struct bufpool_provider *provider = &self->pool->provider;
	struct bufpool_stats stats;
	__u64 trimmed;

	ASSERT_EQ(0, return_every_second(self->pool, self->blocks, 0));
	ASSERT_EQ(0, provider->ops->trim(provider, 0, &trimmed));
	ASSERT_EQ(0, trimmed_stats(self->pool, &stats));
	EXPECT_EQ(0, stats.warm);
	EXPECT_GT(self->maps + 33000, count_maps());
	EXPECT_LT(self->maps + 30000, count_maps());
}

TEST_HARNESS_MAIN
