// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of waiters of a class; see waitq.h.
 */
#include <linux/jiffies.h>
#include <linux/sched.h>
#include "bufpool.h"
#include "trace.h"

static bool waitq_is_older(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct bufpool_waiter, node)->ticket <
	       rb_entry(b, struct bufpool_waiter, node)->ticket;
}

static struct bufpool_holding *waitq_holding(const struct bufpool_class *class,
					     const struct bufpool_waiter *waiter)
{
	return bufpool_rent_holding(waiter->request, class);
}

static struct bufpool_waiter *waitq_first_of(struct bufpool_holding *holding, bool exact)
{
	return rb_entry_safe(rb_first_cached(&holding->waiters[exact]),
			     struct bufpool_waiter, node);
}

/* The one of two that has waited longer; either may be NULL. */
static struct bufpool_waiter *waitq_older(struct bufpool_waiter *waiter,
					  struct bufpool_waiter *other)
{
	if (!waiter || !other)
		return waiter ?: other;
	return waiter->ticket < other->ticket ? waiter : other;
}

/* The waiter of an account that has waited longest, or NULL. */
static struct bufpool_waiter *waitq_first_of_account(struct bufpool_holding *holding)
{
	return waitq_older(waitq_first_of(holding, true), waitq_first_of(holding, false));
}

static bool waitq_is_earlier(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct bufpool_holding, node)->turn <
	       rb_entry(b, struct bufpool_holding, node)->turn;
}

/* The holding that is in line for longest, or NULL. */
static struct bufpool_holding *waitq_first_in_line(struct bufpool_class *class)
{
	lockdep_assert_held(&class->lock);
	return rb_entry_safe(rb_first_cached(&class->waiting), struct bufpool_holding, node);
}

/* The one that came into line after another, or NULL. */
static struct bufpool_holding *waitq_next_in_line(struct bufpool_holding *holding)
{
	return rb_entry_safe(rb_next(&holding->node), struct bufpool_holding, node);
}

/* In how many rounds of all accounts others are served before one that holds more. */
#define WAITQ_ROUNDS	8

/* Whether others have been given so much that it is a holding's turn now, whatever it has. */
static bool waitq_is_overdue(const struct bufpool_pool *pool,
			     const struct bufpool_holding *holding)
{
	u64 since = atomic64_read(&pool->grants) - READ_ONCE(holding->grants);

	return since > WAITQ_ROUNDS * (READ_ONCE(pool->nr_holders) + 1ULL);
}

/*
 * Whether it is one holding's turn before another's, of whatever classes. At each instant
 * that is a total order: so there is a first of all that wait.
 */
static bool waitq_precedes(const struct bufpool_pool *pool,
			   const struct bufpool_holding *holding,
			   const struct bufpool_holding *other)
{
	bool overdue = waitq_is_overdue(pool, holding);
	unsigned long held, others;

	if (overdue != waitq_is_overdue(pool, other))
		return overdue;
	held = bufpool_budget_used(&holding->account->pinned);
	others = bufpool_budget_used(&other->account->pinned);
	if (!overdue && held != others)
		return held < others;
	return READ_ONCE(holding->turn) < READ_ONCE(other->turn);
}

/* Whether the last time that a waiter was told something is not long ago. */
static bool waitq_was_told(const struct bufpool_waiter *waiter)
{
	return time_before_eq(jiffies, READ_ONCE(waiter->told_at) + BUFPOOL_WAITQ_ABSENT);
}

/*
 * Whether a waiter was told that there may be room, and has not come to see for a while: it
 * gets no processor.
 */
static bool waitq_is_absent(const struct bufpool_waiter *waiter)
{
	/* pairs with bufpool_waitq_set_retry(): told at that time, or later */
	return smp_load_acquire(&waiter->retry) && !waitq_was_told(waiter);
}

/* How many absent waiters of an account are passed by. */
#define WAITQ_ABSENTEES	16

static struct bufpool_waiter *waitq_next(struct bufpool_waiter *waiter)
{
	return rb_entry_safe(rb_next(&waiter->node), struct bufpool_waiter, node);
}

/* See waitq_first_present(). */
static noinline struct bufpool_waiter *waitq_pass_absent(struct bufpool_holding *holding,
							 bool larger)
{
	struct bufpool_waiter *exact = larger ? NULL : waitq_first_of(holding, true);
	struct bufpool_waiter *any = waitq_first_of(holding, false);
	struct bufpool_waiter *first;
	unsigned int left = WAITQ_ABSENTEES;

	while ((first = waitq_older(exact, any)) && waitq_is_absent(first)) {
		if (!left--)
			return NULL;
		if (first == exact)
			exact = waitq_next(exact);
		else
			any = waitq_next(any);
	}
	return first;
}

/*
 * The waiter that has waited longest of those that are not absent, and may have a larger
 * block, or, unless @larger, of all of the account; or NULL.
 */
static struct bufpool_waiter *waitq_first_present(struct bufpool_holding *holding, bool larger)
{
	struct bufpool_waiter *first = larger ? waitq_first_of(holding, false) :
						waitq_first_of_account(holding);

	return first && waitq_is_absent(first) ? waitq_pass_absent(holding, larger) : first;
}

/* Whether the first of them cannot use room, if there is any who is not absent. */
static bool waitq_backs_off(struct bufpool_holding *holding)
{
	struct bufpool_waiter *first = waitq_first_present(holding, false);

	return !first || first->nomem_backoff;
}

/* How often accounts are looked at under one lock. */
#define WAITQ_LOOKS	64

/* How many in line are compared by what their accounts hold, of those who come when told. */
#define WAITQ_RIVALS	8

/*
 * The holding whose turn it is, of the first few in line, or NULL. To grow takes a waiter who
 * is @present; what is idle is handed to others, too.
 */
static struct bufpool_holding *waitq_next_turn(struct bufpool_class *class, bool present)
{
	struct bufpool_holding *holding = waitq_first_in_line(class), *first = NULL;
	unsigned int rivals = WAITQ_RIVALS, left = WAITQ_LOOKS;

	for (; holding && rivals && left--; holding = waitq_next_in_line(holding)) {
		if (present && !waitq_first_present(holding, false))
			continue;
		rivals--;
		if (!first || waitq_precedes(class->pool, holding, first))
			first = holding;
	}
	return first;
}

/*
 * Let other classes know whose turn it is, by bufpool_pool_is_for_others(); NULL is nobody's.
 * Return: whether room is of use to that.
 */
static bool waitq_note_first(struct bufpool_class *class, struct bufpool_holding *first)
{
	bool is_of_use = first && !waitq_backs_off(first);
	unsigned long held = ULONG_MAX;

	if (is_of_use)
		held = waitq_is_overdue(class->pool, first) ? 0 :
		       bufpool_budget_used(&first->account->pinned);
	WRITE_ONCE(class->first_held, held);
	return is_of_use;
}

/* The line has changed. */
static void waitq_update_first(struct bufpool_class *class)
{
	waitq_note_first(class, waitq_next_turn(class, true));
}

/* A waiter backs off, or does not any more. */
void bufpool_waitq_set_nomem_backoff(struct bufpool_class *class,
				     struct bufpool_waiter *waiter, bool backoff)
{
	spin_lock(&class->lock);
	waiter->nomem_backoff = backoff;
	waitq_update_first(class);
	spin_unlock(&class->lock);
}

/*
 * The account comes into line with its first waiter. That one may have been here before,
 * and been interrupted: it keeps its place, but not if the account has been served since, and
 * how often it was passed by.
 */
static void waitq_add(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	struct bufpool_holding *holding = waitq_holding(class, waiter);
	u64 since = max(holding->served, waiter->since);

	lockdep_assert_held(&class->lock);
	rb_add_cached(&waiter->node, &holding->waiters[waiter->exact], waitq_is_older);
	waiter->is_queued = true;
	if (!holding->nr_waiting || since < holding->grants)
		WRITE_ONCE(holding->grants, since);
	if (!holding->nr_waiting++) {
		WRITE_ONCE(holding->turn, max(holding->turn, waiter->ticket));
		rb_add_cached(&holding->node, &class->waiting, waitq_is_earlier);
	}
	if (!class->nr_waiting)
		set_bit(class->nr, &class->pool->waiting);
	WRITE_ONCE(class->nr_waiting, class->nr_waiting + 1);
	waitq_update_first(class);
}

static void waitq_remove(struct bufpool_class *class,
			 struct bufpool_waiter *waiter)
{
	struct bufpool_holding *holding = waitq_holding(class, waiter);

	lockdep_assert_held(&class->lock);
	rb_erase_cached(&waiter->node, &holding->waiters[waiter->exact]);
	waiter->is_queued = false;
	if (!--holding->nr_waiting)
		rb_erase_cached(&holding->node, &class->waiting);
	WRITE_ONCE(class->nr_waiting, class->nr_waiting - 1);
	if (!class->nr_waiting)
		clear_bit(class->nr, &class->pool->waiting);
	waitq_update_first(class);
}

/**
 * bufpool_waitq_end_turn - let all other accounts come before one
 * @class: in this class; its lock is held
 * @holding: of the account that got a slab just now, which could have been another's
 */
void bufpool_waitq_end_turn(struct bufpool_class *class, struct bufpool_holding *holding)
{
	u64 turn = atomic64_inc_return(&class->pool->tickets);

	if (holding->nr_waiting)
		rb_erase_cached(&holding->node, &class->waiting);
	WRITE_ONCE(holding->turn, turn);
	holding->served = atomic64_inc_return(&class->pool->grants);
	WRITE_ONCE(holding->grants, holding->served);
	if (holding->nr_waiting)
		rb_add_cached(&holding->node, &class->waiting, waitq_is_earlier);
	waitq_update_first(class);
}

static void waitq_tell(struct bufpool_waiter *waiter)
{
	bufpool_waitq_set_retry(waiter);
	wake_up_process(waiter->task);
}

/* Tell the waiters of an account that are first, of those that come when they are told. */
static void waitq_tell_account(struct bufpool_holding *holding)
{
	struct bufpool_waiter *first = waitq_first_present(holding, false);
	struct bufpool_waiter *larger = waitq_first_present(holding, true);

	if (first)
		waitq_tell(first);
	if (larger && larger != first)
		waitq_tell(larger);
}

/*
 * Give a block to a waiter. Its task is woken last: it may be gone with its stack as
 * soon as it sees the block and class->lock is free.
 */
static void waitq_serve(struct bufpool_class *class,
			struct bufpool_waiter *waiter, struct bufpool_blk *blk)
{
	waitq_remove(class, waiter);
	trace_bufpool_serve(class, waiter->task);
	WRITE_ONCE(waiter->blk, blk);
	wake_up_process(waiter->task);
}

/**
 * bufpool_waitq_hand_over - give a block to the first waiter of its account
 * @class: the block's class; its lock is held
 * @blk: the caller's
 *
 * Return: false if there is none; the caller keeps the block.
 */
bool bufpool_waitq_hand_over(struct bufpool_class *class,
			     struct bufpool_blk *blk)
{
	struct bufpool_holding *holding = bufpool_blk_slab(blk)->holding;
	struct bufpool_waiter *waiter = NULL;

	if (holding)
		waiter = waitq_first_of_account(holding);
	if (waiter)
		waitq_serve(class, waiter, blk);
	return waiter;
}

/*
 * The same with a block of a new slab: who has made room for it, and made it, is one of those who
 * come when they are told.
 */
bool bufpool_waitq_hand_over_new(struct bufpool_class *class, struct bufpool_blk *blk)
{
	struct bufpool_holding *holding = bufpool_blk_slab(blk)->holding;
	struct bufpool_waiter *waiter = holding ? waitq_first_present(holding, false) : NULL;

	if (!waiter)
		return bufpool_waitq_hand_over(class, blk);
	waitq_serve(class, waiter, blk);
	return true;
}

/*
 * Whether it is the turn of a holding that has no free block to be given a wholly free slab.
 * What is charged to a cgroup nobody else can use as it is, but the room for it is for
 * whoever comes first, as it is where others hold less and wait for other sizes.
 */
static bool waitq_may_have_idle(struct bufpool_class *class, struct bufpool_holding *holding)
{
	struct bufpool_holding *first;

	if (bufpool_pool_is_for_others(class, holding->account) &&
	    !waitq_is_overdue(class->pool, holding))
		return false;
	if (!holding->branch->is_charged)
		return true;
	first = waitq_next_turn(class, true);
	return first == holding || (first && waitq_backs_off(first));
}

/* Serve the first waiter of a holding with a free block, if there is one for it. */
static bool waitq_serve_account(struct bufpool_class *class,
				struct bufpool_holding *holding)
{
	struct bufpool_waiter *waiter = waitq_first_of_account(holding);
	bool own = holding->filled;
	struct bufpool_blk *blk;

	if (!waiter || (!own && !waitq_may_have_idle(class, holding)))
		return false;
	blk = bufpool_class_take(class, holding,
				 bufpool_client_quota(waiter->request->client));
	if (!blk)
		return false;
	waitq_serve(class, waiter, blk);
	if (!own)
		bufpool_waitq_end_turn(class, holding);
	return true;
}

/* Serve the next account in line for which there is a free block; look at @left at most. */
static bool waitq_serve_next(struct bufpool_class *class, unsigned int *left)
{
	struct bufpool_holding *first = waitq_next_turn(class, false);
	struct bufpool_holding *holding = waitq_first_in_line(class);

	if (!first || !*left)
		return false;
	--*left;
	if (waitq_serve_account(class, first))
		return true;
	for (; holding && *left; holding = waitq_next_in_line(holding)) {
		--*left;
		if (holding != first && waitq_serve_account(class, holding))
			return true;
	}
	return false;
}

/**
 * bufpool_waitq_serve - hand out free blocks, to one account after the other
 * @class: whose; its lock is held
 *
 * There are some where a slab became wholly free, or was drained, or the pool was over
 * its limit. An account whose quota does not admit more is passed over.
 */
void bufpool_waitq_serve(struct bufpool_class *class)
{
	unsigned int left = WAITQ_LOOKS;

	while (waitq_serve_next(class, &left))
		;
}

/* The same, for the account of a waiter only: of what that has, and how far in line it is. */
void bufpool_waitq_serve_own(struct bufpool_class *class,
			     const struct bufpool_waiter *waiter)
{
	struct bufpool_holding *holding = waitq_holding(class, waiter);
	unsigned int left = WAITQ_LOOKS;

	while (left-- && holding->filled && waitq_serve_account(class, holding))
		;
}

/**
 * bufpool_waitq_hand_to - give a larger block to the waiter that it was found for
 * @class: of the waiter; its lock is held
 * @waiter: which
 * @blk: the caller's
 *
 * Return: false if it has a block already, or an older waiter of its account may have
 * this one; the caller keeps the block.
 */
bool bufpool_waitq_hand_to(struct bufpool_class *class,
			   struct bufpool_waiter *waiter,
			   struct bufpool_blk *blk)
{
	if (waitq_first_present(waitq_holding(class, waiter), true) != waiter)
		return false;
	waitq_serve(class, waiter, blk);
	return true;
}

/* Tell the waiters that are first in a class to try again. Its lock is held. */
void bufpool_waitq_retry_first(struct bufpool_class *class)
{
	struct bufpool_holding *holding = waitq_next_turn(class, true);
	unsigned int left = BUFPOOL_WAITQ_TELLS;

	waitq_note_first(class, holding);
	if (holding)
		waitq_tell_account(holding);
	holding = waitq_first_in_line(class);
	for (; holding && left--; holding = waitq_next_in_line(holding))
		waitq_tell_account(holding);
}

/**
 * bufpool_waitq_retry - tell waiters that trying again may succeed now
 * @pool: where; for bufpool_pool_wake_waiters(), which knows whether there are any
 */
void bufpool_waitq_retry(struct bufpool_pool *pool)
{
	unsigned long waiting = READ_ONCE(pool->waiting);
	unsigned int nr;

	for_each_set_bit(nr, &waiting, BUFPOOL_MAX_CLASSES) {
		struct bufpool_class *class = &pool->classes[nr];

		spin_lock(&class->lock);
		bufpool_waitq_retry_first(class);
		spin_unlock(&class->lock);
	}
}

/**
 * bufpool_waitq_has_older - whether a class has a waiter that precedes another
 * @class: which
 * @other: that waiter, in whatever class, or NULL for a newcomer
 * @nomem_backoff: count a waiter in backoff, too
 */
bool bufpool_waitq_has_older(struct bufpool_class *class,
			     const struct bufpool_waiter *other, bool nomem_backoff)
{
	struct bufpool_holding *holding;
	bool ret = false;

	if (!bufpool_class_has_waiters(class))
		return false;
	spin_lock(&class->lock);
	holding = waitq_next_turn(class, true);
	if (waitq_note_first(class, holding) || (holding && nomem_backoff))
		ret = !other || waitq_precedes(class->pool, holding,
					       waitq_holding(other->request->class, other));
	spin_unlock(&class->lock);
	return ret;
}

/**
 * bufpool_waitq_is_turn - whether a class may grow now
 * @class: which
 * @waiter: that it would grow for, or NULL for a newcomer
 *
 * Return: whether no waiter precedes that, but those in backoff. (Which waiter of its own class
 * is first is another question.)
 */
bool bufpool_waitq_is_turn(struct bufpool_class *class,
			   const struct bufpool_waiter *waiter)
{
	struct bufpool_pool *pool = class->pool;
	unsigned long waiting = READ_ONCE(pool->waiting);
	unsigned int nr;

	/* in its own class a waiter knows its place */
	if (waiter)
		waiting &= ~BIT(class->nr);
	for_each_set_bit(nr, &waiting, BUFPOOL_MAX_CLASSES)
		if (bufpool_waitq_has_older(&pool->classes[nr], waiter, false))
			return false;
	return true;
}

/* Whether a waiter is the first of its class: a slab is for that. */
bool bufpool_waitq_is_first(struct bufpool_class *class,
			    struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = waitq_next_turn(class, true) == waitq_holding(class, waiter) &&
	      waitq_first_present(waitq_holding(class, waiter), false) == waiter;
	spin_unlock(&class->lock);
	return ret;
}

/* Whether it is the first of its account: what that has is for it. */
bool bufpool_waitq_is_first_of_account(struct bufpool_class *class,
				       struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = waitq_first_present(waitq_holding(class, waiter), false) == waiter;
	spin_unlock(&class->lock);
	return ret;
}

/* Whether it is the first of its account that may have a larger block. */
bool bufpool_waitq_is_first_for_larger(struct bufpool_class *class,
				       struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = waitq_first_present(waitq_holding(class, waiter), true) == waiter;
	spin_unlock(&class->lock);
	return ret;
}

/* Count a waiter by the classes that may serve it; or, with -1, no more. */
static void waitq_count(struct bufpool_class *class, bool exact, int nr)
{
	struct bufpool_status_page *status = class->pool->status;
	unsigned int larger = exact ? 0 : BUFPOOL_LARGER_CLASSES;

	atomic_add(nr, &status->waiting_of[class->nr]);
	while (larger-- && (class = bufpool_pool_larger_class(class)))
		atomic_add(nr, &status->waiting_of[class->nr]);
}

/* No larger block is for a waiter any more; but one may be for the next. */
void bufpool_waitq_set_exact(struct bufpool_class *class,
			     struct bufpool_waiter *waiter)
{
	spin_lock(&class->lock);
	if (waiter->is_queued) {
		waitq_remove(class, waiter);
		waiter->exact = true;
		waitq_add(class, waiter);
		/* its own class does not lose it meanwhile */
		waitq_count(class, true, 1);
		waitq_count(class, false, -1);
	}
	bufpool_waitq_retry_first(class);
	spin_unlock(&class->lock);
	/* pairs with poll_arm(): a larger block is for who polls now */
	smp_mb();
	bufpool_poll_kick(class->pool);
}

/*
 * Wait from now on, unless a block has come back by now. A waiter that had a ticket
 * already gets its old place.
 */
void bufpool_waitq_enlist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	struct bufpool_client *client = waiter->request->client;
	struct bufpool_holding *holding = waitq_holding(class, waiter);
	struct bufpool_pool *pool = class->pool;

	atomic_inc(&pool->status->waiting);
	waitq_count(class, waiter->exact, 1);
	/* pairs with bufpool_pool_wake_waiters() and the like; growing is tried after this */
	smp_mb__after_atomic();
	spin_lock(&class->lock);
	if (!waiter->ticket)
		waiter->ticket = atomic64_inc_return(&pool->tickets);
	waiter->since = atomic64_read(&pool->grants) - waiter->passed;
	waiter->blk = bufpool_class_take_new(class, holding,
					     bufpool_client_quota(client), false);
	if (waiter->blk) {
		trace_bufpool_serve(class, waiter->task);
	} else {
		waitq_add(class, waiter);
		/* a waiter behind another is told when that one leaves */
		if (waitq_first_present(holding, false) == waiter ||
		    waitq_first_present(holding, true) == waiter)
			bufpool_waitq_set_retry(waiter);
	}
	spin_unlock(&class->lock);
	/* cheap where it is under way */
	queue_delayed_work(pool->wq, &pool->tell_waiters, BUFPOOL_WAITQ_ABSENT);
	bufpool_poll_kick_pri(pool);
}

/* Wait no longer. What was handed over up to now is in waiter->blk. */
void bufpool_waitq_delist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	struct bufpool_holding *holding = waitq_holding(class, waiter);

	spin_lock(&class->lock);
	if (waiter->is_queued)
		waitq_remove(class, waiter);
	waiter->passed = atomic64_read(&class->pool->grants) -
			 max(holding->served, waiter->since);
	/* the next of the account may be far from the first in line */
	waitq_tell_account(holding);
	spin_unlock(&class->lock);
	waitq_count(class, waiter->exact, -1);
	atomic_dec(&class->pool->status->waiting);
}

/* Tell those that are first of the accounts in line, and have not looked for a while. */
static void waitq_tell_unaware(struct bufpool_class *class)
{
	struct bufpool_waiter *first, *larger;
	struct bufpool_holding *holding;
	unsigned int left = WAITQ_LOOKS;

	spin_lock(&class->lock);
	holding = waitq_first_in_line(class);
	for (; holding && left--; holding = waitq_next_in_line(holding)) {
		first = waitq_first_present(holding, false);
		larger = waitq_first_present(holding, true);
		if (first && !waitq_was_told(first))
			waitq_tell(first);
		if (larger && !waitq_was_told(larger))
			waitq_tell(larger);
	}
	spin_unlock(&class->lock);
}

/*
 * Now and then, as long as anybody waits. A waiter is told by the one before it that it is
 * first; but that one may get no processor.
 */
void bufpool_waitq_work(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(to_delayed_work(work), struct bufpool_pool, tell_waiters);
	unsigned long waiting = READ_ONCE(pool->waiting);
	unsigned int nr;

	for_each_set_bit(nr, &waiting, BUFPOOL_MAX_CLASSES)
		waitq_tell_unaware(&pool->classes[nr]);
	if (waiting)
		queue_delayed_work(pool->wq, &pool->tell_waiters, BUFPOOL_WAITQ_ABSENT);
}
