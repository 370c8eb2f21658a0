// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of waiters of a class; see waitq.h.
 */
#include <linux/sched.h>
#include "bufpool.h"
#include "trace.h"

static bool waitq_is_older(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct bufpool_waiter, node)->ticket <
	       rb_entry(b, struct bufpool_waiter, node)->ticket;
}

static struct bufpool_waiter *waitq_first_of(struct bufpool_class *class,
					     bool exact)
{
	lockdep_assert_held(&class->lock);
	return rb_entry_safe(rb_first_cached(&class->waiters[exact]),
			     struct bufpool_waiter, node);
}

/* The waiter that has waited longest, or NULL. */
static struct bufpool_waiter *waitq_first(struct bufpool_class *class)
{
	struct bufpool_waiter *exact = waitq_first_of(class, true);
	struct bufpool_waiter *any = waitq_first_of(class, false);

	if (!exact || !any)
		return exact ?: any;
	return exact->ticket < any->ticket ? exact : any;
}

static void waitq_add(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	rb_add_cached(&waiter->node, &class->waiters[waiter->exact],
		      waitq_is_older);
	waiter->is_queued = true;
	WRITE_ONCE(class->nr_waiting, class->nr_waiting + 1);
}

static void waitq_remove(struct bufpool_class *class,
			 struct bufpool_waiter *waiter)
{
	lockdep_assert_held(&class->lock);
	rb_erase_cached(&waiter->node, &class->waiters[waiter->exact]);
	waiter->is_queued = false;
	WRITE_ONCE(class->nr_waiting, class->nr_waiting - 1);
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
 * bufpool_waitq_hand_over - give a block to the first waiter
 * @class: the block's class; its lock is held
 * @blk: the caller's
 *
 * Return: false if there is none; the caller keeps the block.
 */
bool bufpool_waitq_hand_over(struct bufpool_class *class,
			     struct bufpool_blk *blk)
{
	struct bufpool_waiter *waiter = waitq_first(class);

	if (waiter)
		waitq_serve(class, waiter, blk);
	return waiter;
}

/**
 * bufpool_waitq_hand_to - give a larger block to the waiter that it was found for
 * @class: of the waiter; its lock is held
 * @waiter: which
 * @blk: the caller's
 *
 * Return: false if it has a block already, or an older waiter may have this one; the
 * caller keeps the block.
 */
bool bufpool_waitq_hand_to(struct bufpool_class *class,
			   struct bufpool_waiter *waiter,
			   struct bufpool_blk *blk)
{
	if (waitq_first_of(class, false) != waiter)
		return false;
	waitq_serve(class, waiter, blk);
	return true;
}

static void waitq_tell(struct bufpool_waiter *waiter)
{
	WRITE_ONCE(waiter->retry, 1);
	wake_up_process(waiter->task);
}

/* Tell the waiters that are first in a class to try again. Its lock is held. */
void bufpool_waitq_retry_first(struct bufpool_class *class)
{
	struct bufpool_waiter *first = waitq_first(class);
	struct bufpool_waiter *larger = waitq_first_of(class, false);

	if (first)
		waitq_tell(first);
	if (larger && larger != first)
		waitq_tell(larger);
}

/**
 * bufpool_waitq_retry - tell waiters that trying again may succeed now
 * @pool: where; for bufpool_pool_wake_waiters(), which knows whether there are any
 */
void bufpool_waitq_retry(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++) {
		struct bufpool_class *class = &pool->classes[i];

		if (!bufpool_class_has_waiters(class))
			continue;
		spin_lock(&class->lock);
		bufpool_waitq_retry_first(class);
		spin_unlock(&class->lock);
	}
}

/**
 * bufpool_waitq_has_older - whether a class has a waiter since an earlier time
 * @class: which
 * @ticket: of that time
 * @nomem_backoff: count a waiter in backoff, too
 */
bool bufpool_waitq_has_older(struct bufpool_class *class, u64 ticket,
			     bool nomem_backoff)
{
	struct bufpool_waiter *first;
	bool ret;

	if (!bufpool_class_has_waiters(class))
		return false;
	spin_lock(&class->lock);
	first = waitq_first(class);
	ret = first && first->ticket < ticket &&
	      (nomem_backoff || !first->nomem_backoff);
	spin_unlock(&class->lock);
	return ret;
}

/**
 * bufpool_waitq_is_turn - whether a class may grow now
 * @class: which
 * @ticket: of the waiter that it would grow for, or BUFPOOL_NO_TICKET
 *
 * Return: whether no waiter of another class is older, but those in backoff.
 */
bool bufpool_waitq_is_turn(struct bufpool_class *class, u64 ticket)
{
	struct bufpool_pool *pool = class->pool;
	unsigned int i;

	if (!bufpool_pool_waiting(pool))
		return true;
	for (i = 0; i < pool->nr_classes; i++)
		if (&pool->classes[i] != class &&
		    bufpool_waitq_has_older(&pool->classes[i], ticket, false))
			return false;
	return true;
}

/* Whether a waiter is the first of its class. */
bool bufpool_waitq_is_first(struct bufpool_class *class,
			    struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = waitq_first(class) == waiter;
	spin_unlock(&class->lock);
	return ret;
}

/* Whether a waiter is the first of its class that may have a larger block. */
bool bufpool_waitq_is_first_for_larger(struct bufpool_class *class,
				       struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = waitq_first_of(class, false) == waiter;
	spin_unlock(&class->lock);
	return ret;
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
	}
	bufpool_waitq_retry_first(class);
	spin_unlock(&class->lock);
}

/*
 * Wait from now on, unless a block has come back by now. A waiter that had a ticket
 * already gets its old place.
 */
void bufpool_waitq_enlist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	struct bufpool_pool *pool = class->pool;

	atomic_inc(&pool->status->waiting);
	/* pairs with bufpool_pool_wake_waiters(); growing is tried after this */
	smp_mb__after_atomic();
	spin_lock(&class->lock);
	if (!waiter->ticket)
		waiter->ticket = atomic64_inc_return(&pool->tickets);
	if (!waitq_first(class))
		waiter->blk = bufpool_class_take(class);
	if (waiter->blk) {
		trace_bufpool_serve(class, waiter->task);
	} else {
		waitq_add(class, waiter);
		/* a waiter behind another is told when that one leaves */
		waiter->retry = waitq_first(class) == waiter ||
				waitq_first_of(class, false) == waiter;
	}
	spin_unlock(&class->lock);
	bufpool_poll_kick(pool, BUFPOOL_POLL_PRI);
}

/* Wait no longer. What was handed over up to now is in waiter->blk. */
void bufpool_waitq_delist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	spin_lock(&class->lock);
	if (waiter->is_queued)
		waitq_remove(class, waiter);
	spin_unlock(&class->lock);
	atomic_dec(&class->pool->status->waiting);
}
