// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets: up to a bound and not beyond.
 */
#include "unit.h"

static void charges_up_to_the_bound(struct kunit *test)
{
	struct bufpool_budget budget = {};

	KUNIT_EXPECT_TRUE(test, bufpool_budget_charge(&budget, 60, 100));
	KUNIT_EXPECT_TRUE(test, bufpool_budget_charge(&budget, 40, 100));
	KUNIT_EXPECT_EQ(test, 100UL, bufpool_budget_used(&budget));
}

static void refuses_one_more(struct kunit *test)
{
	struct bufpool_budget budget = {};

	KUNIT_EXPECT_TRUE(test, bufpool_budget_charge(&budget, 100, 100));
	KUNIT_EXPECT_FALSE(test, bufpool_budget_charge(&budget, 1, 100));
	KUNIT_EXPECT_EQ(test, 100UL, bufpool_budget_used(&budget));
}

static void a_bound_may_sink_below_what_is_used(struct kunit *test)
{
	struct bufpool_budget budget = {};

	KUNIT_EXPECT_TRUE(test, bufpool_budget_charge(&budget, 100, 100));
	KUNIT_EXPECT_FALSE(test, bufpool_budget_charge(&budget, 1, 50));
	bufpool_budget_uncharge(&budget, 60);
	KUNIT_EXPECT_TRUE(test, bufpool_budget_charge(&budget, 10, 50));
	KUNIT_EXPECT_FALSE(test, bufpool_budget_charge(&budget, 1, 50));
}

static void no_amount_overflows(struct kunit *test)
{
	struct bufpool_budget budget = {};

	KUNIT_EXPECT_FALSE(test, bufpool_budget_charge(&budget, ULONG_MAX, LONG_MAX));
	KUNIT_EXPECT_TRUE(test, bufpool_budget_charge(&budget, LONG_MAX, LONG_MAX));
	KUNIT_EXPECT_FALSE(test, bufpool_budget_charge(&budget, 1, LONG_MAX));
	KUNIT_EXPECT_FALSE(test, bufpool_budget_charge(&budget, LONG_MAX, LONG_MAX));
	KUNIT_EXPECT_EQ(test, (unsigned long)LONG_MAX, bufpool_budget_used(&budget));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(charges_up_to_the_bound),
	KUNIT_CASE(refuses_one_more),
	KUNIT_CASE(a_bound_may_sink_below_what_is_used),
	KUNIT_CASE(no_amount_overflows),
	{}
};

struct kunit_suite budget_suite = {
	.name = "bufpool_budget",
	.test_cases = cases,
};
