// SPDX-License-Identifier: MIT
/*
 * libbufpool: what it tells of a pool and of blocks, to programs of any age
 */
#include "library_test.h"

#include <stdio.h>

/* Every call that fills in a structure which begins with its size */

static int call_info(struct bufpool *pool, void *to)
{
	return bufpool_info(pool, to);
}

static int call_class(struct bufpool *pool, void *to)
{
	return bufpool_class(pool, 0, to);
}

static int call_stats(struct bufpool *pool, void *to)
{
	return bufpool_stats(pool, to);
}

static int call_counters(struct bufpool *pool, void *to)
{
	return bufpool_counters(pool, to);
}

static const struct telling {
	int (*call)(struct bufpool *pool, void *to);
	uint32_t size;		/* as this program was compiled */
	uint32_t first;		/* of the first version */
} tellings[] = {
	{ call_info, sizeof(struct bufpool_info),
	  offsetof(struct bufpool_info, status_offset) },
	{ call_class, sizeof(struct bufpool_class_info), sizeof(struct bufpool_class_info) },
	{ call_stats, sizeof(struct bufpool_stats),
	  offsetof(struct bufpool_stats, refused_again) },
	{ call_counters, sizeof(struct bufpool_counters), sizeof(struct bufpool_counters) },
};

static const struct telling *const end = tellings + ARRAY_SIZE(tellings);

/* A structure, and what follows it in an older program's memory */
union told {
	uint32_t size;
	unsigned char bytes[8192];
};

static int tell(struct bufpool *pool, const struct telling *telling, uint32_t size,
		union told *told)
{
	memset(told, 0x5a, sizeof(*told));
	told->size = size;
	return telling->call(pool, told);
}

TEST_F(library, nothing_is_written_beyond_an_older_structure)
{
	const struct telling *telling;
	union told all, told;
	uint32_t size;

	for (telling = tellings; telling < end; telling++) {
		ASSERT_EQ(0, tell(self->pool, telling, telling->size, &all));
		for (size = telling->first; size <= telling->size; size += 4) {
			ASSERT_EQ(0, tell(self->pool, telling, size, &told));
			EXPECT_EQ(size, told.size);
			EXPECT_TRUE(filled(told.bytes + size, 0x5a, sizeof(told) - size));
			/* counters of calls go on */
			if (telling->call != call_stats && telling->call != call_counters)
				EXPECT_EQ(0, memcmp(told.bytes + 4, all.bytes + 4, size - 4));
		}
	}
}

TEST_F(library, a_newer_structure_is_zero_beyond_what_is_known)
{
	const struct telling *telling;
	union told told;

	for (telling = tellings; telling < end; telling++) {
		ASSERT_EQ(0, tell(self->pool, telling, telling->size + 24, &told));
		EXPECT_EQ(telling->size + 24, told.size);
		EXPECT_TRUE(filled(told.bytes + telling->size, 0, 24));
		EXPECT_TRUE(filled(told.bytes + telling->size + 24, 0x5a, 64));
	}
}

TEST_F(library, a_size_that_is_none_is_refused)
{
	const uint32_t sizes[] = { 0, 1, 4, 7 };
	const struct telling *telling;
	union told told;
	size_t i;

	for (telling = tellings; telling < end; telling++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			EXPECT_EQ(-EINVAL, tell(self->pool, telling, sizes[i], &told));
		EXPECT_EQ(-EINVAL, tell(self->pool, telling, telling->first - 1, &told));
		EXPECT_EQ(-E2BIG, tell(self->pool, telling, 4097, &told));
		EXPECT_EQ(-E2BIG, tell(self->pool, telling, 0x5a5a5a5a, &told));
		EXPECT_TRUE(filled(told.bytes + 4, 0x5a, sizeof(told) - 4));
		EXPECT_EQ(-EINVAL, telling->call(self->pool, NULL));
		EXPECT_EQ(-EINVAL, tell(NULL, telling, telling->size, &told));
	}
}

TEST_F(library, info_and_classes_agree)
{
	struct bufpool_class_info class = { .size = sizeof(class) };
	uint64_t largest[BUFPOOL_BACKINGS] = { 0 }, smallest = ~0ULL;
	unsigned int nr;

	EXPECT_LT(0, self->info.limit);
	for (nr = 0; nr < self->info.nr_classes; nr++) {
		ASSERT_EQ(0, bufpool_class(self->pool, nr, &class));
		EXPECT_EQ(nr, class.nr);
		EXPECT_EQ(0, class.block_size & (class.block_size - 1));
		ASSERT_GT(BUFPOOL_BACKINGS, class.backing);
		/* of each backing, the smallest first */
		EXPECT_LT(largest[class.backing], class.block_size);
		largest[class.backing] = class.block_size;
		if (class.block_size < smallest)
			smallest = class.block_size;
	}
	EXPECT_EQ(self->info.max_rent, largest[BUFPOOL_BACKING_SLAB]);
	EXPECT_EQ(self->info.max_rent_io, largest[BUFPOOL_BACKING_PAGES]);
	EXPECT_EQ(self->info.page_size, smallest);
	EXPECT_EQ(-EINVAL, bufpool_class(self->pool, nr, &class));
	EXPECT_EQ(-EINVAL, bufpool_class(self->pool, ~0U, &class));
}

TEST_F(library, counters_tell_hits_from_misses)
{
	struct bufpool_counters before = { .size = sizeof(before) }, after = before;
	void *block;
	int i;

	block = bufpool_rent(self->pool, 1, 0);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	ASSERT_EQ(0, bufpool_counters(self->pool, &before));
	EXPECT_LE(1, before.misses);
	if (!self->pool->caches.all)
		SKIP(return, "nothing is kept here");
	EXPECT_LE(1, before.kept_blocks);
	EXPECT_EQ(before.kept_blocks * self->info.page_size, before.kept_bytes);
	for (i = 0; i < 100; i++) {
		block = bufpool_rent(self->pool, 1, i % 2 ? BUFPOOL_RENT_NONBLOCK : 0);
		ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	}
	ASSERT_EQ(0, bufpool_counters(self->pool, &after));
	EXPECT_EQ(before.hits + 100, after.hits);
	EXPECT_EQ(before.misses, after.misses);
	EXPECT_EQ(before.kept_blocks, after.kept_blocks);
	ASSERT_EQ(0, bufpool_trim(self->pool, 0, NULL));
	ASSERT_EQ(0, bufpool_counters(self->pool, &after));
	EXPECT_EQ(0, after.kept_blocks);
	EXPECT_EQ(0, after.kept_bytes);
}

/* Blocks ---------------------------------------------------------------------- */

static int block_of_error(struct bufpool *pool, const void *inside)
{
	errno = 0;
	return bufpool_block_of(pool, inside, NULL) ? 0 : -errno;
}

TEST_F(library, any_byte_tells_its_block)
{
	char *block = bufpool_rent(self->pool, 20000, 0), *small;
	size_t size = bufpool_block_size(self->pool, block), told;
	size_t at[] = { 0, 1, 4095, 4096, size / 2, size - 1 };
	unsigned int i;

	ASSERT_NE(NULL, block);
	small = bufpool_rent(self->pool, 1, 0);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		EXPECT_EQ(block, bufpool_block_of(self->pool, block + at[i], &told));
		EXPECT_EQ(size, told);
		EXPECT_EQ(block, bufpool_block_of(self->pool, block + at[i], NULL));
	}
	EXPECT_EQ(small, bufpool_block_of(self->pool, small + 7, NULL));
	EXPECT_EQ(-EINVAL, block_of_error(self->pool, NULL));
	EXPECT_EQ(-EINVAL, block_of_error(NULL, block));
	EXPECT_EQ(-ENOENT, block_of_error(self->pool, &size));
	EXPECT_NE(0, block_of_error(self->pool, block + size));
	ASSERT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, block_of_error(self->pool, block + 1));
	EXPECT_EQ(0, bufpool_return(self->pool, small, 0));
}

TEST_F(exhausted, all_are_rented_or_none)
{
	struct bufpool_stats before, after;
	void *blocks[8];

	ASSERT_EQ(0, bufpool_return(self->pool, self->block, 0));
	ASSERT_EQ(0, trimmed_stats(self->pool, &before));
	EXPECT_EQ(-EAGAIN, bufpool_rent_many(self->pool, self->size / 4, BUFPOOL_RENT_ALL,
					     blocks, 5));
	ASSERT_EQ(0, trimmed_stats(self->pool, &after));
	EXPECT_EQ(before.client_blocks, after.client_blocks);
	EXPECT_EQ(4, bufpool_rent_many(self->pool, self->size / 4, BUFPOOL_RENT_ALL,
				       blocks, 4));
	EXPECT_EQ(-EAGAIN, bufpool_rent_many(self->pool, self->size / 4, BUFPOOL_RENT_ALL,
					     blocks, 1));
	EXPECT_EQ(4, bufpool_return_many(self->pool, blocks, 4, 0));
	/* without it some are enough */
	EXPECT_EQ(4, bufpool_rent_many(self->pool, self->size / 4, 0, blocks, 8));
	EXPECT_EQ(4, bufpool_return_many(self->pool, blocks, 4, 0));
}

TEST_F(library, rent_all_refusals)
{
	void *block;

	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 1, BUFPOOL_RENT_ALL, &block, 0));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 0, BUFPOOL_RENT_ALL, &block, 1));
	EXPECT_EQ(-EINVAL, bufpool_rent_many(self->pool, 1, BUFPOOL_RENT_ALL, NULL, 1));
	EXPECT_EQ(-EMSGSIZE, bufpool_rent_many(self->pool, SIZE_MAX, BUFPOOL_RENT_ALL,
					       &block, 1));
	EXPECT_EQ(-EINVAL, rent_error(self->pool, 1, BUFPOOL_RENT_ALL));
}

static int use_scope(struct bufpool *pool, bool early)
{
	BUFPOOL_SCOPED(block, pool, 100);

	if (!block)
		return -errno;
	memset(block, 1, 100);
	if (early)
		return 1;
	return held(pool);
}

TEST_F(library, a_scope_returns_its_block)
{
	EXPECT_EQ(1, use_scope(self->pool, false));
	EXPECT_EQ(0, held(self->pool));
	EXPECT_EQ(1, use_scope(self->pool, true));
	EXPECT_EQ(0, held(self->pool));
	EXPECT_EQ(-EINVAL, use_scope(NULL, true));
}

/* Words ----------------------------------------------------------------------- */

TEST(errors_have_words)
{
	const int errors[] = {
		EAGAIN, EACCES, EBADF, ECANCELED, ECHILD, EDEADLK, EDQUOT, EEXIST, EFBIG,
		EINTR, EINVAL, EMFILE, EMSGSIZE, ENOENT, ENOMEM, ENOTTY, ESTALE,
		ETIMEDOUT, E2BIG,
	};
	const char *other = bufpool_strerror(EXDEV);
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		EXPECT_EQ(bufpool_strerror(errors[i]), bufpool_strerror(-errors[i]));
		EXPECT_STRNE(other, bufpool_strerror(errors[i]));
		for (k = 0; k < i; k++)
			EXPECT_STRNE(bufpool_strerror(errors[k]), bufpool_strerror(errors[i]));
	}
	EXPECT_EQ(other, bufpool_strerror(INT_MIN));
	EXPECT_EQ(other, bufpool_strerror(INT_MAX));
}

TEST(the_header_has_the_librarys_version)
{
	char version[32];

	snprintf(version, sizeof(version), "%d.%d.%d", BUFPOOL_VERSION_MAJOR,
		 BUFPOOL_VERSION_MINOR, BUFPOOL_VERSION_PATCH);
	EXPECT_STREQ(bufpool_version(), version);
}

TEST_HARNESS_MAIN
