// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts and branches: one for each user, for as long as they are needed.
 */
#include <linux/cred.h>
#include "unit.h"

/* More than there are buckets of branches */
#define NR_USERS	300

static struct bufpool_account *get(struct kunit *test, unsigned int uid)
{
	const struct cred *old = unit_become(test, uid);
	struct bufpool_account *account = bufpool_account_get(unit_pool);

	unit_revert(old);
	KUNIT_ASSERT_NOT_NULL(test, account);
	return account;
}

static void every_user_has_one(struct kunit *test)
{
	struct bufpool_account *a = get(test, 1000), *again = get(test, 1000), *b = get(test, 1001);

	KUNIT_EXPECT_PTR_EQ(test, a, again);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, 2U, a->refs);
	bufpool_account_put(a);
	KUNIT_EXPECT_FALSE(test, xa_empty(&unit_pool->accounts));
	bufpool_account_put(a);
	bufpool_account_put(b);
	KUNIT_EXPECT_TRUE(test, xa_empty(&unit_pool->accounts));
}

static void clients_of_a_user_share_it(struct kunit *test)
{
	struct bufpool_client *a = unit_open(test, 1000), *b = unit_open(test, 1000);
	struct bufpool_client *c = unit_open(test, 1001);

	KUNIT_EXPECT_PTR_EQ(test, a->account, b->account);
	KUNIT_EXPECT_PTR_EQ(test, a->branch, b->branch);
	KUNIT_EXPECT_PTR_NE(test, a->account, c->account);
	KUNIT_EXPECT_PTR_NE(test, a->branch, c->branch);
	KUNIT_EXPECT_EQ(test, 2UL, bufpool_budget_used(&a->account->clients));
}

static void are_looked_through_in_order(struct kunit *test)
{
	static const unsigned int uids[] = { 7, 1000, 65534 };
	struct bufpool_account *accounts[ARRAY_SIZE(uids)];
	unsigned long uid = 0;
	unsigned int i;

	for (i = ARRAY_SIZE(uids); i--;)
		accounts[i] = get(test, uids[i]);
	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(uids); i++, uid++) {
		KUNIT_EXPECT_PTR_EQ(test, accounts[i], bufpool_account_next(unit_pool, &uid));
		KUNIT_EXPECT_EQ(test, (unsigned long)uids[i], uid);
	}
	KUNIT_EXPECT_NULL(test, bufpool_account_next(unit_pool, &uid));
	rcu_read_unlock();
	for (i = 0; i < ARRAY_SIZE(uids); i++)
		bufpool_account_put(accounts[i]);
}

static void many_branches_are_told_apart(struct kunit *test)
{
	struct bufpool_branch **branches =
		kunit_kcalloc(test, NR_USERS, sizeof(*branches), GFP_KERNEL);
	struct bufpool_account *account;
	struct bufpool_branch *again;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, branches);
	for (i = 0; i < NR_USERS; i++) {
		account = get(test, 2000 + i);
		branches[i] = bufpool_branch_get(account);
		KUNIT_ASSERT_NOT_NULL(test, branches[i]);
		bufpool_account_put(account);
	}
	for (i = 0; i < NR_USERS; i++) {
		KUNIT_EXPECT_EQ(test, 2000 + i, __kuid_val(branches[i]->account->uid));
		again = bufpool_branch_get(branches[i]->account);
		KUNIT_EXPECT_PTR_EQ(test, branches[i], again);
		KUNIT_EXPECT_TRUE(test, bufpool_branch_put(again));
	}
	for (i = 0; i < NR_USERS; i++)
		bufpool_supply_put_branch(branches[i]);
	KUNIT_EXPECT_TRUE(test, xa_empty(&unit_pool->accounts));
}

static void set_warm(struct bufpool_account *account, int cpu, s64 bytes)
{
	s64 *part = per_cpu_ptr(account->warm, cpu);

	*part = bytes;
}

static void warm_bytes_are_those_of_all_processors(struct kunit *test)
{
	struct bufpool_account *account = unit_open(test, 1000)->account;
	int cpu;

	/* as one that returns on one, and rents on another, leaves them */
	for_each_possible_cpu(cpu)
		set_warm(account, cpu, cpu ? -1 : 1000);
	KUNIT_EXPECT_EQ(test, 1000ULL - (num_possible_cpus() - 1), bufpool_account_warm(account));
	for_each_possible_cpu(cpu)
		set_warm(account, cpu, -1);
	KUNIT_EXPECT_EQ(test, 0ULL, bufpool_account_warm(account));
	for_each_possible_cpu(cpu)
		set_warm(account, cpu, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_user_has_one),
	KUNIT_CASE(clients_of_a_user_share_it),
	KUNIT_CASE(are_looked_through_in_order),
	KUNIT_CASE(many_branches_are_told_apart),
	KUNIT_CASE(warm_bytes_are_those_of_all_processors),
	{}
};

struct kunit_suite account_suite = {
	.name = "bufpool_account",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
