// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of waiters of a class, under the class's lock.
 */
#include <linux/poll.h>
#include <linux/sched.h>
#include "bufpool.h"
#include "trace.h"

/**
 * bufpool_waitq_hand_over - give a block to the first who waits for one
 * @class: the block's class; its lock is held
 * @blk: in transit
 *
 * Return: false if nobody waits; the caller keeps the block.
 */
bool bufpool_waitq_hand_over(struct bufpool_class *class, struct bufpool_blk *blk)
{
	struct bufpool_waiter *waiter = bufpool_waitq_first(class);

	if (!waiter)
		return false;
	list_del_init(&waiter->node);
	class->nr_waiting--;
	WRITE_ONCE(waiter->blk, blk);
	trace_bufpool_serve(class, waiter->task);
	wake_up_process(waiter->task);
	return true;
}

/* Tell the first waiter of a class to try again. The class's lock is held. */
void bufpool_waitq_retry_first(struct bufpool_class *class)
{
	struct bufpool_waiter *waiter = bufpool_waitq_first(class);

	if (!waiter)
		return;
	WRITE_ONCE(waiter->retry, 1);
	wake_up_process(waiter->task);
}

/**
 * bufpool_waitq_retry - tell those who wait that growing may succeed now
 * @pool: where; for bufpool_pool_wake_waiters(), which knows whether anybody waits
 */
void bufpool_waitq_retry(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++) {
		struct bufpool_class *class = &pool->classes[i];

		spin_lock(&class->lock);
		bufpool_waitq_retry_first(class);
		spin_unlock(&class->lock);
	}
}

/**
 * bufpool_waitq_has_older - whether anybody waits for a class since an earlier time
 * @class: which
 * @ticket: of that time
 * @nomem_backoff: count who starves, too
 */
bool bufpool_waitq_has_older(struct bufpool_class *class, u64 ticket,
			    bool nomem_backoff)
{
	struct bufpool_waiter *first;
	bool ret;

	spin_lock(&class->lock);
	first = bufpool_waitq_first(class);
	ret = first && first->ticket < ticket &&
	      (nomem_backoff || !first->nomem_backoff);
	spin_unlock(&class->lock);
	return ret;
}

/**
 * bufpool_waitq_is_turn - whether a class may grow now
 * @class: which
 * @ticket: of whom it would grow for; BUFPOOL_NO_TICKET for one who came just now
 *
 * Return: whether nobody waits longer for another class, but who starves.
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

/* Wait from now on, unless a block has come back by now. */
void bufpool_waitq_enlist(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	atomic_inc(&class->pool->status->waiting);
	/* pairs with bufpool_pool_wake_waiters(); growing is tried after this */
	smp_mb__after_atomic();
	spin_lock(&class->lock);
	waiter->ticket = atomic64_inc_return(&class->pool->tickets);
	if (!bufpool_waitq_first(class))
		waiter->blk = bufpool_class_take(class);
	if (waiter->blk) {
		trace_bufpool_serve(class, waiter->task);
	} else {
		/* who is behind another is told when that one leaves */
		waiter->retry = list_empty(&class->waiters);
		list_add_tail(&waiter->node, &class->waiters);
		class->nr_waiting++;
	}
	spin_unlock(&class->lock);
	bufpool_pool_wake_pollers(class->pool);
}

bool bufpool_waitq_is_first(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = bufpool_waitq_first(class) == waiter;
	spin_unlock(&class->lock);
	return ret;
}

/* Wait no longer. What was handed over up to now is in waiter->blk. */
void bufpool_waitq_delist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	spin_lock(&class->lock);
	if (!waiter->blk) {
		list_del(&waiter->node);
		class->nr_waiting--;
	}
	spin_unlock(&class->lock);
	atomic_dec(&class->pool->status->waiting);
}

/* Whoever polls the device shall look again. */
void bufpool_pool_wake_pollers(struct bufpool_pool *pool)
{
	if (wq_has_sleeper(&pool->poll))
		wake_up_poll(&pool->poll, EPOLLIN | EPOLLRDNORM | EPOLLPRI);
}
