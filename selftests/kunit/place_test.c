// SPDX-License-Identifier: GPL-2.0-only
/*
 * Places of waiters that were interrupted.
 */
#include "unit.h"

static void is_good_once(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	struct bufpool_class *class = unit_class();
	ktime_t deadline = 0;
	u64 passed = 0;

	KUNIT_ASSERT_TRUE(test, bufpool_place_keep(client, class, 7, 5, 123));
	KUNIT_EXPECT_TRUE(test, bufpool_place_is_any(client));
	KUNIT_EXPECT_TRUE(test, bufpool_place_take(client, class, 7, &passed, &deadline));
	KUNIT_EXPECT_EQ(test, 5ULL, passed);
	KUNIT_EXPECT_EQ(test, 123LL, (long long)deadline);
	KUNIT_EXPECT_FALSE(test, bufpool_place_take(client, class, 7, &passed, &deadline));
	KUNIT_EXPECT_FALSE(test, bufpool_place_is_any(client));
}

static void is_for_its_class_and_ticket(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	struct bufpool_class *class = unit_class();
	ktime_t deadline;
	u64 passed;

	KUNIT_ASSERT_TRUE(test, bufpool_place_keep(client, class, 7, 5, 123));
	KUNIT_EXPECT_FALSE(test, bufpool_place_take(client, class, 8, &passed, &deadline));
	KUNIT_EXPECT_FALSE(test, bufpool_place_take(client, class + 1, 7, &passed, &deadline));
	bufpool_place_drop(client, class, 8);
	KUNIT_EXPECT_TRUE(test, bufpool_place_is_any(client));
	bufpool_place_drop(client, class, 7);
	KUNIT_EXPECT_FALSE(test, bufpool_place_is_any(client));
}

/* As many as a client may have, and one more */
static void the_oldest_is_forgotten(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	struct bufpool_class *class = unit_class();
	ktime_t deadline;
	u64 ticket, passed;

	for (ticket = 1; ticket <= 1025; ticket++)
		KUNIT_ASSERT_TRUE(test, bufpool_place_keep(client, class, ticket, 0, 0));
	KUNIT_EXPECT_EQ(test, 1024U, client->nr_places);
	KUNIT_EXPECT_FALSE(test, bufpool_place_take(client, class, 1, &passed, &deadline));
	KUNIT_EXPECT_TRUE(test, bufpool_place_take(client, class, 2, &passed, &deadline));
	KUNIT_EXPECT_TRUE(test, bufpool_place_take(client, class, 1025, &passed, &deadline));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(is_good_once),
	KUNIT_CASE(is_for_its_class_and_ticket),
	KUNIT_CASE(the_oldest_is_forgotten),
	{}
};

struct kunit_suite place_suite = {
	.name = "bufpool_place",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
