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

/* Stacks that one call of the shrinker may look at in vain */
#define LOOKS	64

/* As if the system were short of memory */
static unsigned long shrink(void)
{
	struct shrinker *shrinker = bufpool_shrinker_get(&unit_pool->shrinker);
	struct shrink_control sc = { .nr_to_scan = 128 };

	return shrinker->scan_objects(shrinker, &sc);
}

/* Use stacks once, so that the next look at each is seen; they are empty still. */
static void use(struct bufpool_client *client)
{
	struct bufpool_kept *kept;
	unsigned long nr;

	xa_for_each(&client->kept, nr, kept) {
		kept->stack->top++;
		kept->stack->bottom++;
	}
}

/* How many stacks have been looked at since then */
static unsigned int looked_at(struct bufpool_client *client)
{
	struct bufpool_kept *kept;
	unsigned int looks = 0;
	unsigned long nr;

	xa_for_each(&client->kept, nr, kept)
		looks += kept->seen_top == kept->stack->top;
	return looks;
}

static void the_shrinker_looks_at_so_many(struct kunit *test)
{
	struct bufpool_client *client = unit_open(test, 1000);
	unsigned int calls;

	make(test, client, 3 * LOOKS);
	use(client);
	for (calls = 1; calls <= 3; calls++) {
		KUNIT_EXPECT_EQ(test, 0UL, shrink());
		KUNIT_EXPECT_EQ(test, calls * LOOKS, looked_at(client));
	}
	bufpool_kept_unlink_all(client);
	KUNIT_EXPECT_EQ(test, SHRINK_STOP, shrink());
}

static void the_shrinker_goes_on_where_a_client_went(struct kunit *test)
{
	struct bufpool_client *a = unit_open(test, 1000), *b = unit_open(test, 1000);

	make(test, a, LOOKS);
	make(test, b, LOOKS);
	use(b);
	/* the next are those of the other, then */
	shrink();
	KUNIT_EXPECT_EQ(test, 0U, looked_at(b));
	bufpool_kept_unlink_all(a);
	shrink();
	KUNIT_EXPECT_EQ(test, (unsigned int)LOOKS, looked_at(b));
	bufpool_kept_unlink_all(b);
}

static void nobody_hides_others_from_the_shrinker(struct kunit *test)
{
	struct bufpool_client *a = unit_open(test, 1000), *b = unit_open(test, 1001);
	struct bufpool_client *c = unit_open(test, 1002);
	struct page *page;
	unsigned int nr;

	make(test, a, 8 * LOOKS);
	make(test, b, 1);
	/* of another class */
	page = bufpool_kept_page(c, 3);
	KUNIT_ASSERT_NOT_NULL(test, page);
	put_page(page);
	use(b);
	use(c);
	shrink();
	KUNIT_EXPECT_EQ(test, 1U, looked_at(b));
	for (nr = 1; nr < bufpool_pool_nr_used(unit_pool); nr++)
		shrink();
	KUNIT_EXPECT_EQ(test, 1U, looked_at(c));
	bufpool_kept_unlink_all(a);
	bufpool_kept_unlink_all(b);
	bufpool_kept_unlink_all(c);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(users_take_turns),
	KUNIT_CASE(each_stack_is_looked_at_once),
	KUNIT_CASE(count_as_clients),
	KUNIT_CASE(the_shrinker_looks_at_so_many),
	KUNIT_CASE(the_shrinker_goes_on_where_a_client_went),
	KUNIT_CASE(nobody_hides_others_from_the_shrinker),
	{}
};

struct kunit_suite kept_suite = {
	.name = "bufpool_kept",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
