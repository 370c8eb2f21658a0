// SPDX-License-Identifier: GPL-2.0-only
/*
 * A holding: its partial slabs by how full they are.
 */
#include "unit.h"

static struct bufpool_holding *holding_of(struct kunit *test)
{
	return bufpool_client_holding(unit_open(test, 1000), unit_class());
}

static void init_slab(struct bufpool_slab *slab, unsigned int nr_free)
{
	*slab = (struct bufpool_slab){ .nr_free = nr_free };
	INIT_LIST_HEAD(&slab->node);
}

static void move(struct bufpool_holding *holding, struct bufpool_slab *slab, unsigned int nr_free)
{
	bufpool_holding_leave(holding, slab);
	slab->nr_free = nr_free;
	bufpool_holding_move(holding, slab);
}

static void fewest_free_blocks_come_first(struct kunit *test)
{
	struct bufpool_holding *holding = holding_of(test);
	struct bufpool_slab a, b, c;

	KUNIT_EXPECT_NULL(test, bufpool_holding_fullest(holding));
	init_slab(&a, 9);
	init_slab(&b, 2);
	init_slab(&c, 0);
	bufpool_holding_move(holding, &a);
	bufpool_holding_move(holding, &b);
	bufpool_holding_move(holding, &c);
	KUNIT_EXPECT_PTR_EQ(test, &b, bufpool_holding_fullest(holding));
	move(holding, &b, 0);
	KUNIT_EXPECT_PTR_EQ(test, &a, bufpool_holding_fullest(holding));
	move(holding, &a, 0);
	KUNIT_EXPECT_NULL(test, bufpool_holding_fullest(holding));
	move(holding, &c, 1);
	KUNIT_EXPECT_PTR_EQ(test, &c, bufpool_holding_fullest(holding));
	bufpool_holding_leave(holding, &c);
	list_del(&a.node);
	list_del(&b.node);
	list_del(&c.node);
}

static void each_list_has_up_to_twice_as_many(struct kunit *test)
{
	static const struct {
		unsigned int nr_free;
		unsigned int list;
	} expected[] = {
		{ 1, 0 }, { 2, 1 }, { 3, 1 }, { 4, 2 }, { 7, 2 }, { 8, 3 }, { 127, 6 },
		{ 128, BUFPOOL_FULLNESS - 1 }, { 40000, BUFPOOL_FULLNESS - 1 },
	};
	struct bufpool_holding *holding = holding_of(test);
	struct bufpool_slab slab;
	unsigned int i;

	init_slab(&slab, 1);
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		move(holding, &slab, expected[i].nr_free);
		KUNIT_EXPECT_EQ(test, BIT(expected[i].list), holding->filled);
		KUNIT_EXPECT_FALSE(test, list_empty(&holding->partial[expected[i].list]));
	}
	bufpool_holding_leave(holding, &slab);
	KUNIT_EXPECT_EQ(test, 0UL, holding->filled);
	list_del(&slab.node);
}

static void a_list_is_filled_until_its_last_leaves(struct kunit *test)
{
	struct bufpool_holding *holding = holding_of(test);
	struct bufpool_slab a, b;

	init_slab(&a, 4);
	init_slab(&b, 5);
	bufpool_holding_move(holding, &a);
	bufpool_holding_move(holding, &b);
	move(holding, &a, 0);
	KUNIT_EXPECT_EQ(test, BIT(2), holding->filled);
	move(holding, &b, 0);
	KUNIT_EXPECT_EQ(test, 0UL, holding->filled);
	list_del(&a.node);
	list_del(&b.node);
}

static void what_is_set_aside_comes_last(struct kunit *test)
{
	struct bufpool_holding *holding = holding_of(test);
	struct bufpool_slab a, b;

	init_slab(&a, 0);
	init_slab(&b, 0);
	b.reserved = true;
	bufpool_holding_move(holding, &a);
	bufpool_holding_move(holding, &b);
	KUNIT_EXPECT_PTR_EQ(test, &a.node, holding->full.next);
	move(holding, &a, 4);
	move(holding, &b, 4);
	KUNIT_EXPECT_PTR_EQ(test, &a, bufpool_holding_fullest(holding));
	move(holding, &b, 0);
	move(holding, &a, 0);
	list_del(&a.node);
	list_del(&b.node);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fewest_free_blocks_come_first),
	KUNIT_CASE(each_list_has_up_to_twice_as_many),
	KUNIT_CASE(a_list_is_filled_until_its_last_leaves),
	KUNIT_CASE(what_is_set_aside_comes_last),
	{}
};

struct kunit_suite holding_suite = {
	.name = "bufpool_holding",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
