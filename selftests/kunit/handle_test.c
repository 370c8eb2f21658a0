// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: which block, which rental, and whose.
 */
#include "unit.h"

/* Let a client rent a block, which the caller owns. Return: its handle. */
static u64 rent(struct bufpool_client *client, struct bufpool_blk *blk)
{
	struct bufpool_block block;

	spin_lock(&client->lock);
	bufpool_client_own(client, blk);
	bufpool_handle_issue(client, blk, bufpool_blk_place(blk));
	spin_unlock(&client->lock);
	bufpool_blk_report(blk, &block);
	return block.handle;
}

static void give_back(struct bufpool_client *client, struct bufpool_blk *blk)
{
	spin_lock(&client->lock);
	bufpool_client_disown(client, blk);
	list_del_init(&blk->node);
	spin_unlock(&client->lock);
}

static struct bufpool_blk *lookup(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	blk = bufpool_handle_lookup(client, handle);
	spin_unlock(&client->lock);
	return blk;
}

static long lookup_error(struct bufpool_client *client, u64 handle)
{
	return PTR_ERR_OR_ZERO(lookup(client, handle));
}

static void names_the_block_while_it_is_rented(struct kunit *test)
{
	struct bufpool_class *class = bufpool_pool_class(unit_pool, SZ_8K, false);
	struct bufpool_client *client = unit_open(test, 1000);
	struct bufpool_slab *slab = unit_slab(test, class, class->per_slab);
	u64 a = rent(client, &slab->blks[1]), b = rent(client, &slab->blks[2]);

	/* the first by all its numbers, the second by the slab that was used last */
	KUNIT_EXPECT_PTR_EQ(test, &slab->blks[1], lookup(client, a));
	KUNIT_EXPECT_PTR_EQ(test, slab, client->last_slab);
	KUNIT_EXPECT_PTR_EQ(test, &slab->blks[2], lookup(client, b));
	KUNIT_EXPECT_PTR_EQ(test, class, bufpool_handle_class(unit_pool, a));
	give_back(client, &slab->blks[1]);
	give_back(client, &slab->blks[2]);
	unit_free_slab(slab);
}

static void is_stale_afterwards(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct bufpool_client *client = unit_open(test, 1000);
	struct bufpool_slab *slab = unit_slab(test, class, class->per_slab);
	struct bufpool_blk *blk = &slab->blks[0];
	u64 old = rent(client, blk), new;

	give_back(client, blk);
	KUNIT_EXPECT_EQ(test, -ESTALE, lookup_error(client, old));
	new = rent(client, blk);
	KUNIT_EXPECT_NE(test, old, new);
	KUNIT_EXPECT_EQ(test, -ESTALE, lookup_error(client, old));
	KUNIT_EXPECT_PTR_EQ(test, blk, lookup(client, new));
	give_back(client, blk);
	unit_free_slab(slab);
	KUNIT_EXPECT_EQ(test, -ESTALE, lookup_error(client, new));
}

static void of_another_client_was_never_issued(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct bufpool_client *client = unit_open(test, 1000), *other = unit_open(test, 1000);
	struct bufpool_slab *slab = unit_slab(test, class, class->per_slab);
	u64 handle;

	/* whatever the two drew when they were opened */
	client->cookie = 1;
	other->cookie = 2;
	handle = rent(client, &slab->blks[0]);
	KUNIT_EXPECT_EQ(test, -ENOENT, lookup_error(other, handle));
	KUNIT_EXPECT_EQ(test, -ENOENT, lookup_error(client, handle + 1));
	KUNIT_EXPECT_EQ(test, -ENOENT, lookup_error(client, handle - 1));
	KUNIT_EXPECT_EQ(test, -ENOENT, lookup_error(client, 0));
	KUNIT_EXPECT_EQ(test, -ENOENT, lookup_error(client, U64_MAX));
	give_back(client, &slab->blks[0]);
	unit_free_slab(slab);
}

static void exactly_those_that_were_issued(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	u32 place = 5, base = bufpool_handle_base(client, place), serial;
	u64 handle;

	client->issued = 3;
	for (serial = 0; serial < 6; serial++) {
		handle = (u64)place << 32 | (u32)(base + serial);
		KUNIT_EXPECT_EQ(test, serial >= 1 && serial <= 3,
				bufpool_handle_was_issued(client, handle));
	}
}

static void no_generation_is_zero(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	struct bufpool_blk blk = {};
	u32 place = 9;

	/* the next one would be */
	client->issued = (u32)-bufpool_handle_base(client, place) - 1UL;
	spin_lock(&client->lock);
	bufpool_handle_issue(client, &blk, place);
	spin_unlock(&client->lock);
	KUNIT_EXPECT_EQ(test, 1U, blk.generation);
}

static void a_class_that_is_none_is_never_found(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	u64 nr;

	for (nr = unit_pool->nr_classes; nr < 32; nr++)
		KUNIT_EXPECT_EQ(test, -ENOENT,
				lookup_error(client, nr << (32 + BUFPOOL_INDEX_BITS)));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(names_the_block_while_it_is_rented),
	KUNIT_CASE(is_stale_afterwards),
	KUNIT_CASE(of_another_client_was_never_issued),
	KUNIT_CASE(exactly_those_that_were_issued),
	KUNIT_CASE(no_generation_is_zero),
	KUNIT_CASE(a_class_that_is_none_is_never_found),
	{}
};

struct kunit_suite handle_suite = {
	.name = "bufpool_handle",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
