// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slab: its free lists, and its blocks by number, place and page.
 */
#include "unit.h"

static void push(struct bufpool_slab *slab, unsigned int nr, bool dirty)
{
	slab->blks[nr].dirty = dirty;
	spin_lock(&slab->class->lock);
	bufpool_slab_push(slab, &slab->blks[nr]);
	spin_unlock(&slab->class->lock);
}

static int pop(struct bufpool_slab *slab)
{
	struct bufpool_blk *blk;

	spin_lock(&slab->class->lock);
	blk = bufpool_slab_pop(slab);
	spin_unlock(&slab->class->lock);
	return blk->nr;
}

static void last_freed_goes_out_first(struct kunit *test)
{
	struct bufpool_slab *slab = unit_slab(test, unit_class(), unit_class()->per_slab);

	push(slab, 3, false);
	push(slab, 7, false);
	push(slab, 5, false);
	KUNIT_EXPECT_EQ(test, 3, (int)slab->nr_free);
	KUNIT_EXPECT_EQ(test, BUFPOOL_BLK_FREE, (int)slab->blks[7].state);
	KUNIT_EXPECT_EQ(test, 5, pop(slab));
	KUNIT_EXPECT_EQ(test, 7, pop(slab));
	KUNIT_EXPECT_EQ(test, 3, pop(slab));
	KUNIT_EXPECT_EQ(test, 0, (int)slab->nr_free);
	KUNIT_EXPECT_EQ(test, BUFPOOL_BLK_TRANSIT, (int)slab->blks[7].state);
	unit_free_slab(slab);
}

static void clean_ones_go_out_before_dirty_ones(struct kunit *test)
{
	struct bufpool_slab *slab = unit_slab(test, unit_class(), unit_class()->per_slab);

	push(slab, 1, false);
	push(slab, 2, true);
	push(slab, 3, true);
	push(slab, 4, false);
	KUNIT_EXPECT_EQ(test, 4, pop(slab));
	KUNIT_EXPECT_EQ(test, 1, pop(slab));
	KUNIT_EXPECT_EQ(test, 3, pop(slab));
	KUNIT_EXPECT_EQ(test, 2, pop(slab));
	unit_free_slab(slab);
}

static void is_listed_while_a_free_block_is_dirty(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct bufpool_slab *slab = unit_slab(test, class, class->per_slab);

	push(slab, 0, false);
	KUNIT_EXPECT_TRUE(test, list_empty(&class->dirty));
	push(slab, 1, true);
	push(slab, 2, true);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&class->dirty));
	pop(slab);
	pop(slab);
	KUNIT_EXPECT_FALSE(test, list_empty(&class->dirty));
	pop(slab);
	KUNIT_EXPECT_TRUE(test, list_empty(&class->dirty));
	unit_free_slab(slab);
}

static struct bufpool_blk *find(struct bufpool_class *class, u32 index)
{
	struct bufpool_blk *blk;

	rcu_read_lock();
	blk = bufpool_slab_find(class, index);
	rcu_read_unlock();
	return blk;
}

static void blocks_are_found_by_their_index(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct bufpool_slab *first = unit_slab(test, class, class->per_slab);
	struct bufpool_slab *second = unit_slab(test, class, class->per_slab);
	unsigned int nr;

	for (nr = 0; nr < class->per_slab; nr++) {
		KUNIT_EXPECT_PTR_EQ(test, &first->blks[nr], find(class, nr));
		KUNIT_EXPECT_PTR_EQ(test, &second->blks[nr], find(class, class->per_slab + nr));
		KUNIT_EXPECT_PTR_EQ(test, second, bufpool_blk_slab(&second->blks[nr]));
	}
	KUNIT_EXPECT_NULL(test, find(class, 2 * class->per_slab));
	KUNIT_EXPECT_NULL(test, find(class, U32_MAX));
	unit_free_slab(first);
	KUNIT_EXPECT_NULL(test, find(class, 0));
	unit_free_slab(second);
}

static void a_small_slab_has_one_block(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct bufpool_slab *small = unit_slab(test, class, 1);

	KUNIT_EXPECT_TRUE(test, bufpool_slab_is_small(small));
	KUNIT_EXPECT_PTR_EQ(test, &small->blks[0], find(class, 0));
	KUNIT_EXPECT_NULL(test, find(class, 1));
	KUNIT_EXPECT_NULL(test, find(class, class->per_slab - 1));
	unit_free_slab(small);
}

static struct bufpool_blk *find_offset(u64 offset)
{
	struct bufpool_blk *blk;

	rcu_read_lock();
	blk = bufpool_handle_find_offset(unit_pool, offset);
	rcu_read_unlock();
	return blk;
}

static void blocks_are_found_by_every_byte_of_theirs(struct kunit *test)
{
	unsigned int nr;

	for (nr = 0; nr < unit_pool->nr_classes; nr++) {
		struct bufpool_class *class = &unit_pool->classes[nr];
		struct bufpool_slab *slab = bufpool_slab_create(class, NULL, class->per_slab);
		struct bufpool_blk *blk;
		u64 from, size = bufpool_class_block_size(class);

		/* the largest may not be had */
		if (IS_ERR(slab))
			continue;
		blk = &slab->blks[class->per_slab - 1];
		from = bufpool_blk_offset(blk);
		KUNIT_EXPECT_PTR_EQ(test, blk, find_offset(from));
		KUNIT_EXPECT_PTR_EQ(test, blk, find_offset(from + size - 1));
		KUNIT_EXPECT_PTR_NE(test, blk, find_offset(from + size));
		KUNIT_EXPECT_PTR_NE(test, blk, find_offset(from - 1));
		unit_free_slab(slab);
	}
	KUNIT_EXPECT_NULL(test, find_offset(BUFPOOL_STATUS_OFFSET));
	KUNIT_EXPECT_NULL(test, find_offset(U64_MAX));
}

static void pages_follow_each_other(struct kunit *test)
{
	struct bufpool_class *class = bufpool_pool_class(unit_pool, SZ_16K, false);
	struct bufpool_slab *slab = unit_slab(test, class, class->per_slab);
	struct bufpool_blk *blk = &slab->blks[2];

	KUNIT_EXPECT_PTR_EQ(test, slab->memory + 2 * SZ_16K, bufpool_blk_page(blk, 0));
	KUNIT_EXPECT_PTR_EQ(test, slab->memory + 2 * SZ_16K + PAGE_SIZE, bufpool_blk_page(blk, 1));
	KUNIT_EXPECT_EQ(test, SZ_16K / PAGE_SIZE - 1, bufpool_blk_run(blk, 1));
	unit_free_slab(slab);
}

static void pages_of_pieces_are_in_these(struct kunit *test)
{
	void *a = (void *)SZ_1M, *b = (void *)SZ_4M, *pieces[] = { a, b };
	struct bufpool_class *class = bufpool_pool_class(unit_pool, 4 * PAGE_SIZE, false);
	struct bufpool_slab *slab = kunit_kzalloc(test, struct_size(slab, blks, 1), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slab);
	slab->class = class;
	slab->pieces = pieces;
	slab->piece_order = 1;
	KUNIT_EXPECT_PTR_EQ(test, a, bufpool_blk_page(&slab->blks[0], 0));
	KUNIT_EXPECT_PTR_EQ(test, a + PAGE_SIZE, bufpool_blk_page(&slab->blks[0], 1));
	KUNIT_EXPECT_PTR_EQ(test, b, bufpool_blk_page(&slab->blks[0], 2));
	KUNIT_EXPECT_EQ(test, 2UL, bufpool_blk_run(&slab->blks[0], 0));
	KUNIT_EXPECT_EQ(test, 1UL, bufpool_blk_run(&slab->blks[0], 3));
}

static void scrubbing_zeroes_what_follows_and_no_more(struct kunit *test)
{
	static const size_t used[] = {
		0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE,
	};
	struct bufpool_class *class = bufpool_pool_class(unit_pool, 2 * PAGE_SIZE, false);
	struct bufpool_slab *slab = unit_slab(test, class, class->per_slab);
	struct bufpool_blk *blk = &slab->blks[1];
	void *bytes = bufpool_blk_page(blk, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(used); i++) {
		memset(bytes - 1, 0xff, 2 * PAGE_SIZE + 2);
		blk->dirty = true;
		bufpool_blk_scrub_from(blk, used[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(bytes - 1, 0xff, used[i] + 1));
		KUNIT_EXPECT_NULL(test, memchr_inv(bytes + used[i], 0, 2 * PAGE_SIZE - used[i]));
		KUNIT_EXPECT_EQ(test, 0xff, (int)*(u8 *)(bytes + 2 * PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, used[i] > 0, (bool)blk->dirty);
	}
	memset(bytes - 1, 0, 2 * PAGE_SIZE + 2);
	blk->dirty = false;
	unit_free_slab(slab);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(last_freed_goes_out_first),
	KUNIT_CASE(clean_ones_go_out_before_dirty_ones),
	KUNIT_CASE(is_listed_while_a_free_block_is_dirty),
	KUNIT_CASE(blocks_are_found_by_their_index),
	KUNIT_CASE(a_small_slab_has_one_block),
	KUNIT_CASE(blocks_are_found_by_every_byte_of_theirs),
	KUNIT_CASE(pages_follow_each_other),
	KUNIT_CASE(pages_of_pieces_are_in_these),
	KUNIT_CASE(scrubbing_zeroes_what_follows_and_no_more),
	{}
};

struct kunit_suite slab_suite = {
	.name = "bufpool_slab",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
