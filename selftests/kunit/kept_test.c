// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of kept blocks: in which order they are looked at, and what they count as.
 */
#include "unit.h"

/* Stacks of the class that the cases are about, by their number in that */
static struct page *page_of(struct bufpool_client *client, unsigned int nr)
{
	return bufpool_kept_page(client, nr * client->pool->nr_classes);
}

static void make(struct kunit *test, struct bufpool_client *client, unsigned int count)
{
	struct page *page;

	while (count--) {
		page = page_of(client, count);
		KUNIT_ASSERT_NOT_NULL(test, page);
		put_page(page);
	}
}

static struct bufpool_kept *next(struct bufpool_kept *(*order)(struct bufpool_keepers *keepers),
				 struct bufpool_keepers *keepers)
{
	struct bufpool_kept *kept = order(keepers);

	if (kept)
		bufpool_client_put(kept->client);
	return kept;
}

static void users_take_turns(struct kunit *test)
{
	struct bufpool_client *a = unit_open(test, 1000), *b = unit_open(test, 1001);
	struct bufpool_keepers *keepers = &unit_class()->kept;
	struct bufpool_kept *kept;
	unsigned int i;

	make(test, a, 5);
	make(test, b, 1);
	for (i = 0; i < 12; i++) {
		kept = next(bufpool_kept_next_turn, keepers);
		KUNIT_ASSERT_NOT_NULL(test, kept);
		KUNIT_EXPECT_PTR_EQ(test, i % 2 ? b : a, kept->client);
	}
	bufpool_kept_unlink_all(a);
	kept = next(bufpool_kept_next_turn, keepers);
	KUNIT_EXPECT_PTR_EQ(test, b, kept->client);
	bufpool_kept_unlink_all(b);
	KUNIT_EXPECT_NULL(test, next(bufpool_kept_next_turn, keepers));
}

static void each_stack_is_looked_at_once(struct kunit *test)
{
	struct bufpool_client *a = unit_open(test, 1000), *b = unit_open(test, 1001);
	struct bufpool_kept *kept;
	unsigned int i;

	make(test, a, 3);
	make(test, b, 1);
	for (i = 0; i < 4; i++) {
		kept = next(bufpool_kept_next, &unit_class()->kept);
		KUNIT_EXPECT_EQ(test, 0U, kept->seen_top);
		kept->seen_top = 1;
	}
	for (i = 0; i < 3; i++) {
		kept = next(bufpool_kept_next_turn,
			    &bufpool_client_holding(a, unit_class())->kept);
		KUNIT_EXPECT_EQ(test, 1U, kept->seen_top);
		kept->seen_top = 2;
	}
	bufpool_kept_unlink_all(a);
	bufpool_kept_unlink_all(b);
}

static void count_as_clients(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	unsigned long most = unit_pool->config.max_clients;

	unit_pool->config.max_clients = 3;
	make(test, client, 2);
	KUNIT_EXPECT_NULL(test, page_of(client, 2));
	KUNIT_EXPECT_EQ(test, 3UL, bufpool_budget_used(&client->account->clients));
	bufpool_kept_unlink_all(client);
	unit_pool->config.max_clients = most;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(users_take_turns),
	KUNIT_CASE(each_stack_is_looked_at_once),
	KUNIT_CASE(count_as_clients),
	{}
};

struct kunit_suite kept_suite = {
	.name = "bufpool_kept",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
