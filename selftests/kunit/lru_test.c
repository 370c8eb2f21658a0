// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of things by their last use.
 */
#include "unit.h"

#define NR	4

static struct bufpool_lru_entry *first(struct bufpool_lru *lru)
{
	struct bufpool_lru_entry *entry;

	spin_lock(&lru->lock);
	entry = bufpool_lru_first(lru);
	spin_unlock(&lru->lock);
	return entry;
}

static void longest_unused_comes_first(struct kunit *test)
{
	static const unsigned int order[NR] = { 2, 0, 3, 1 };
	struct bufpool_lru_entry entries[NR];
	struct bufpool_lru lru;
	unsigned int i;

	bufpool_lru_init(&lru);
	KUNIT_EXPECT_TRUE(test, bufpool_lru_is_empty(&lru));
	for (i = 0; i < NR; i++)
		bufpool_lru_add(&lru, &entries[order[i]], 100 + order[i]);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_PTR_EQ(test, &entries[i], first(&lru));
		bufpool_lru_remove(&lru, &entries[i]);
	}
	KUNIT_EXPECT_TRUE(test, bufpool_lru_is_empty(&lru));
	KUNIT_EXPECT_NULL(test, first(&lru));
}

static void a_time_that_is_put_right_moves_the_thing(struct kunit *test)
{
	struct bufpool_lru_entry a, b;
	struct bufpool_lru lru;

	bufpool_lru_init(&lru);
	bufpool_lru_add(&lru, &a, 1);
	bufpool_lru_add(&lru, &b, 2);
	bufpool_lru_update(&lru, &a, 3);
	KUNIT_EXPECT_PTR_EQ(test, &b, first(&lru));
	bufpool_lru_update(&lru, &b, 4);
	KUNIT_EXPECT_PTR_EQ(test, &a, first(&lru));
}

/* jiffies do that five minutes after boot */
static void the_clock_may_wrap(struct kunit *test)
{
	struct bufpool_lru_entry before, after;
	struct bufpool_lru lru;

	bufpool_lru_init(&lru);
	bufpool_lru_add(&lru, &after, 5);
	bufpool_lru_add(&lru, &before, -5UL);
	KUNIT_EXPECT_PTR_EQ(test, &before, first(&lru));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(longest_unused_comes_first),
	KUNIT_CASE(a_time_that_is_put_right_moves_the_thing),
	KUNIT_CASE(the_clock_may_wrap),
	{}
};

struct kunit_suite lru_suite = {
	.name = "bufpool_lru",
	.test_cases = cases,
};
