// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiters: in which order they are served. None of them sleeps; all are this task.
 */
#include <linux/sched/signal.h>
#include "unit.h"

struct stranger {
	struct bufpool_request request;
	struct bufpool_waiter waiter;
};

static void init(struct stranger *stranger, struct bufpool_client *client,
		 struct bufpool_class *class)
{
	*stranger = (struct stranger){
		.request = {
			.client = client,
			.branch = client->branch,
			.class = class,
			.count = 1,
		},
		.waiter = {
			.task = current,
			.request = &stranger->request,
		},
	};
}

/* A client of that user's begins to wait. */
static void enlist(struct kunit *test, struct stranger *stranger, unsigned int uid)
{
	init(stranger, unit_open(test, uid), unit_class());
	bufpool_waitq_enlist(unit_class(), &stranger->waiter);
}

static void leave(struct stranger *stranger)
{
	bufpool_waitq_delist(stranger->request.class, &stranger->waiter);
}

static bool is_first(struct stranger *stranger)
{
	return bufpool_waitq_is_first(stranger->request.class, &stranger->waiter);
}

static struct bufpool_account *account_of(struct stranger *stranger)
{
	return stranger->request.client->account;
}

/* As if an account had so much in slabs */
static void set_held(struct stranger *stranger, long bytes)
{
	atomic_long_set(&account_of(stranger)->pinned.used, bytes);
}

/* As if an account had been given a slab that another could have had */
static void end_turn(struct stranger *stranger)
{
	struct bufpool_class *class = stranger->request.class;

	spin_lock(&class->lock);
	bufpool_waitq_end_turn(class, bufpool_rent_holding(&stranger->request, class));
	spin_unlock(&class->lock);
}

static void oldest_of_a_user_comes_first(struct kunit *test)
{
	struct stranger a, b, c;

	enlist(test, &a, 1000);
	enlist(test, &b, 1000);
	enlist(test, &c, 1000);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	KUNIT_EXPECT_FALSE(test, is_first(&b));
	leave(&a);
	KUNIT_EXPECT_TRUE(test, is_first(&b));
	KUNIT_EXPECT_FALSE(test, is_first(&c));
	leave(&b);
	leave(&c);
}

static void who_comes_back_has_the_old_place(struct kunit *test)
{
	struct stranger a, b;

	enlist(test, &a, 1000);
	enlist(test, &b, 1000);
	leave(&a);
	KUNIT_EXPECT_TRUE(test, is_first(&b));
	bufpool_waitq_enlist(a.request.class, &a.waiter);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	leave(&a);
	leave(&b);
}

static void users_take_turns(struct kunit *test)
{
	struct stranger a, b;

	enlist(test, &a, 1000);
	enlist(test, &b, 1001);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	end_turn(&a);
	KUNIT_EXPECT_TRUE(test, is_first(&b));
	end_turn(&b);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	leave(&a);
	leave(&b);
}

static void who_holds_less_comes_first(struct kunit *test)
{
	struct stranger a, b;

	enlist(test, &a, 1000);
	enlist(test, &b, 1001);
	set_held(&a, SZ_1M);
	set_held(&b, SZ_1M - 1);
	KUNIT_EXPECT_TRUE(test, is_first(&b));
	set_held(&b, SZ_1M);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	set_held(&a, 0);
	set_held(&b, 0);
	leave(&a);
	leave(&b);
}

static void who_was_passed_by_for_long_comes_first(struct kunit *test)
{
	struct stranger a, b;
	unsigned int i;

	enlist(test, &a, 1000);
	enlist(test, &b, 1001);
	set_held(&a, SZ_1M);
	/* eight rounds of nobody but others */
	for (i = 0; i < 8 * (unit_pool->nr_holders + 1); i++)
		end_turn(&b);
	KUNIT_EXPECT_FALSE(test, is_first(&a));
	end_turn(&b);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	set_held(&a, 0);
	leave(&a);
	leave(&b);
}

static void who_was_told_and_does_not_come_is_passed_by(struct kunit *test)
{
	struct stranger a, b;

	enlist(test, &a, 1000);
	enlist(test, &b, 1001);
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	a.waiter.told_at = jiffies - BUFPOOL_WAITQ_ABSENT - 1;
	KUNIT_EXPECT_TRUE(test, is_first(&b));
	a.waiter.retry = 0;
	KUNIT_EXPECT_TRUE(test, is_first(&a));
	leave(&a);
	leave(&b);
}

static void only_who_may_have_a_larger_block_is_first_for_it(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct stranger a, b;

	enlist(test, &a, 1000);
	enlist(test, &b, 1000);
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_is_first_for_larger(class, &a.waiter));
	bufpool_waitq_set_exact(class, &a.waiter);
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_is_first_of_account(class, &a.waiter));
	KUNIT_EXPECT_FALSE(test, bufpool_waitq_is_first_for_larger(class, &a.waiter));
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_is_first_for_larger(class, &b.waiter));
	leave(&a);
	leave(&b);
}

static void who_backs_off_precedes_nobody(struct kunit *test)
{
	struct bufpool_class *class = unit_class();
	struct stranger a;

	enlist(test, &a, 1000);
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_has_older(class, NULL, false));
	KUNIT_EXPECT_FALSE(test, bufpool_waitq_is_turn(class, NULL));
	bufpool_waitq_set_nomem_backoff(class, &a.waiter, true);
	KUNIT_EXPECT_FALSE(test, bufpool_waitq_has_older(class, NULL, false));
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_has_older(class, NULL, true));
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_is_turn(class, NULL));
	leave(&a);
}

static void turns_are_across_classes(struct kunit *test)
{
	struct bufpool_class *other = unit_class() + 3;
	struct stranger a, b;

	enlist(test, &a, 1000);
	init(&b, unit_open(test, 1001), other);
	bufpool_waitq_enlist(other, &b.waiter);
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_is_turn(a.request.class, &a.waiter));
	KUNIT_EXPECT_FALSE(test, bufpool_waitq_is_turn(other, &b.waiter));
	end_turn(&a);
	KUNIT_EXPECT_TRUE(test, bufpool_waitq_is_turn(other, &b.waiter));
	leave(&a);
	leave(&b);
}

static void nothing_is_left_of_those_that_are_gone(struct kunit *test)
{
	struct stranger a, b;
	unsigned int nr;

	enlist(test, &a, 1000);
	enlist(test, &b, 1001);
	KUNIT_EXPECT_EQ(test, BIT(0), unit_pool->waiting);
	KUNIT_EXPECT_EQ(test, 2, bufpool_pool_waiting(unit_pool));
	KUNIT_EXPECT_EQ(test, 2, bufpool_pool_waiting_of(unit_pool, unit_class() + 2));
	bufpool_waitq_set_exact(unit_class(), &b.waiter);
	KUNIT_EXPECT_EQ(test, 2, bufpool_pool_waiting_of(unit_pool, unit_class()));
	KUNIT_EXPECT_EQ(test, 1, bufpool_pool_waiting_of(unit_pool, unit_class() + 2));
	leave(&b);
	leave(&a);
	KUNIT_EXPECT_EQ(test, 0UL, unit_pool->waiting);
	KUNIT_EXPECT_EQ(test, 0, bufpool_pool_waiting(unit_pool));
	for (nr = 0; nr < unit_pool->nr_classes; nr++)
		KUNIT_EXPECT_EQ(test, 0,
				bufpool_pool_waiting_of(unit_pool, &unit_pool->classes[nr]));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, unit_class()->first_held);
}

#define SLABS	200	/* of one user, who gives up half of them to one who has none */
#define STEP	64	/* so many begin, or end, to be drained at once */

/* Have a client hold so many slabs of a block each. */
static void hold(struct kunit *test, struct bufpool_client *client, struct bufpool_blk **blks)
{
	struct bufpool_class *class = unit_class();
	struct bufpool_holding *holding = bufpool_client_holding(client, class);
	unsigned int nr;

	WRITE_ONCE(class->small_until, jiffies + MAX_JIFFY_OFFSET / 2);
	for (nr = 0; nr < SLABS; nr++)
		KUNIT_ASSERT_EQ(test, 0, bufpool_supply_grow(class, holding, LONG_MAX, &blks[nr]));
	WRITE_ONCE(class->small_until, jiffies);
}

static void let_go(struct bufpool_blk **blks)
{
	unsigned int nr;

	for (nr = 0; nr < SLABS; nr++)
		bufpool_supply_put(blks[nr]);
	bufpool_supply_drop(unit_pool, SIZE_MAX);
}

/* A user gives up half of what it has more, and gets it back, a number of slabs at a time. */
static void slabs_are_drained_step_by_step(struct kunit *test)
{
	struct bufpool_blk **blks = kunit_kcalloc(test, SLABS, sizeof(*blks), GFP_KERNEL);
	size_t missing = SZ_128K, most = SZ_8M, slab = PAGE_SIZE;
	struct bufpool_client *rich = unit_open(test, 1000);
	struct stranger poor;

	KUNIT_ASSERT_NOT_NULL(test, blks);
	init(&poor, unit_open(test, 1001), unit_class() + 3);
	hold(test, rich, blks);
	KUNIT_EXPECT_TRUE(test, bufpool_supply_start_draining(&poor.waiter, &missing, &most));
	KUNIT_EXPECT_EQ(test, STEP * slab, bufpool_supply_draining(unit_pool));
	KUNIT_EXPECT_FALSE(test, bufpool_supply_start_draining(&poor.waiter, &missing, &most));
	KUNIT_EXPECT_EQ(test, SLABS / 2 * slab, bufpool_supply_draining(unit_pool));
	KUNIT_EXPECT_EQ(test, SZ_8M - SLABS / 2 * slab, most);
	KUNIT_EXPECT_TRUE(test, bufpool_supply_stop_draining(unit_pool));
	KUNIT_EXPECT_EQ(test, (SLABS / 2 - STEP) * slab, bufpool_supply_draining(unit_pool));
	KUNIT_EXPECT_FALSE(test, bufpool_supply_stop_draining(unit_pool));
	KUNIT_EXPECT_EQ(test, 0UL, bufpool_supply_draining(unit_pool));
	KUNIT_EXPECT_EQ(test, 0L, atomic_long_read(&rich->account->draining));
	let_go(blks);
}

/* As if this task had been killed, or not */
static void set_killed(bool killed)
{
	spin_lock_irq(&current->sighand->siglock);
	if (killed) {
		sigaddset(&current->pending.signal, SIGKILL);
		set_thread_flag(TIF_SIGPENDING);
	} else {
		sigdelset(&current->pending.signal, SIGKILL);
		clear_thread_flag(TIF_SIGPENDING);
	}
	spin_unlock_irq(&current->sighand->siglock);
}

static void who_is_killed_takes_no_more_from_others(struct kunit *test)
{
	struct bufpool_request request = { .steals = 2 };
	bool may;

	KUNIT_EXPECT_TRUE(test, bufpool_rent_may_steal(&request));
	set_killed(true);
	may = bufpool_rent_may_steal(&request);
	set_killed(false);
	KUNIT_EXPECT_FALSE(test, may);
	KUNIT_EXPECT_TRUE(test, bufpool_rent_may_steal(&request));
	KUNIT_EXPECT_FALSE(test, bufpool_rent_may_steal(&request));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(oldest_of_a_user_comes_first),
	KUNIT_CASE(who_comes_back_has_the_old_place),
	KUNIT_CASE(users_take_turns),
	KUNIT_CASE(who_holds_less_comes_first),
	KUNIT_CASE(who_was_passed_by_for_long_comes_first),
	KUNIT_CASE(who_was_told_and_does_not_come_is_passed_by),
	KUNIT_CASE(only_who_may_have_a_larger_block_is_first_for_it),
	KUNIT_CASE(who_backs_off_precedes_nobody),
	KUNIT_CASE(turns_are_across_classes),
	KUNIT_CASE(nothing_is_left_of_those_that_are_gone),
	KUNIT_CASE(slabs_are_drained_step_by_step),
	KUNIT_CASE(who_is_killed_takes_no_more_from_others),
	{}
};

struct kunit_suite waitq_suite = {
	.name = "bufpool_waitq",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
