// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of classes: which one serves a size, and where its blocks are.
 */
#include "unit.h"

/* Whether a class has the smallest blocks of its backing that hold so many bytes. */
static void expect_smallest(struct kunit *test, struct bufpool_class *class, u64 size)
{
	size_t block = bufpool_class_block_size(class);

	KUNIT_EXPECT_GE(test, (u64)block, size);
	if (block > PAGE_SIZE)
		KUNIT_EXPECT_LT(test, (u64)block / 2, size);
}

static void check_backing(struct kunit *test, bool io, u64 largest)
{
	struct bufpool_class *class;
	u64 power;

	for (power = 1; power <= largest; power <<= 1) {
		u64 sizes[] = { power - 1 ?: 1, power, min(power + 1, largest) };
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			class = bufpool_pool_class(unit_pool, sizes[i], io);
			KUNIT_ASSERT_NOT_NULL(test, class);
			KUNIT_EXPECT_EQ(test, io, class->backing->has_refs);
			expect_smallest(test, class, sizes[i]);
		}
	}
	KUNIT_EXPECT_NULL(test, bufpool_pool_class(unit_pool, largest + 1, io));
	KUNIT_EXPECT_NULL(test, bufpool_pool_class(unit_pool, U64_MAX, io));
}

static void smallest_that_is_large_enough(struct kunit *test)
{
	check_backing(test, false, unit_pool->max_rent);
	check_backing(test, true, unit_pool->max_rent_io);
}

static void larger_ones_are_of_the_same_backing(struct kunit *test)
{
	struct bufpool_class *class, *larger;
	unsigned int nr, ends = 0;

	for (nr = 0; nr < unit_pool->nr_classes; nr++) {
		class = &unit_pool->classes[nr];
		larger = bufpool_pool_larger_class(class);
		if (!larger) {
			ends++;
			continue;
		}
		KUNIT_EXPECT_PTR_EQ(test, class->backing, larger->backing);
		KUNIT_EXPECT_EQ(test, 2 * bufpool_class_block_size(class),
				bufpool_class_block_size(larger));
	}
	/* one for each backing */
	KUNIT_EXPECT_EQ(test, 2U, ends);
}

static void every_class_has_a_span_of_the_window(struct kunit *test)
{
	unsigned int nr;

	for (nr = 0; nr < unit_pool->nr_classes; nr++) {
		struct bufpool_class *class = &unit_pool->classes[nr];
		u32 first = nr << BUFPOOL_INDEX_BITS;
		u32 last = first + (BUFPOOL_SPAN >> class->shift) - 1;

		KUNIT_EXPECT_EQ(test, nr * BUFPOOL_SPAN, bufpool_class_offset(class, first));
		KUNIT_EXPECT_EQ(test, (nr + 1) * BUFPOOL_SPAN - bufpool_class_block_size(class),
				bufpool_class_offset(class, last));
	}
	KUNIT_EXPECT_LE(test, unit_pool->nr_classes * BUFPOOL_SPAN, BUFPOOL_STACKS_OFFSET);
}

static void slabs_are_whole_blocks(struct kunit *test)
{
	unsigned int nr;

	for (nr = 0; nr < unit_pool->nr_classes; nr++) {
		const struct bufpool_class *class = &unit_pool->classes[nr];

		KUNIT_EXPECT_EQ(test, class->slab_size,
				(size_t)class->per_slab << class->shift);
		KUNIT_EXPECT_EQ(test, 1U << class->slab_shift, (unsigned int)class->per_slab);
		if (class->backing->has_refs)
			KUNIT_EXPECT_EQ(test, 1, (int)class->per_slab);
		else
			KUNIT_EXPECT_GE(test, class->slab_size, unit_pool->config.slab_size);
	}
}

static void a_config_out_of_range_makes_no_pool(struct kunit *test)
{
	const struct bufpool_config good = unit_pool->config;
	struct bufpool_config config = good;

	KUNIT_EXPECT_EQ(test, 0, bufpool_config_check(&config));
	config.limit = good.slab_size - 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, bufpool_config_check(&config));
	config = good;
	config.quota = PAGE_SIZE - 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, bufpool_config_check(&config));
	config = good;
	config.max_clients = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, bufpool_config_check(&config));
	config = good;
	config.slab_size = 3 * good.slab_size / 2;
	KUNIT_EXPECT_EQ(test, -EINVAL, (int)PTR_ERR_OR_ZERO(bufpool_pool_create("none", &config)));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(smallest_that_is_large_enough),
	KUNIT_CASE(larger_ones_are_of_the_same_backing),
	KUNIT_CASE(every_class_has_a_span_of_the_window),
	KUNIT_CASE(slabs_are_whole_blocks),
	KUNIT_CASE(a_config_out_of_range_makes_no_pool),
	{}
};

struct kunit_suite classes_suite = {
	.name = "bufpool_classes",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
