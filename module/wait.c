// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a block, in the order of arrival within a class.
 *
 * A block that comes back is handed to the first waiter under class->lock, and
 * never passes through the depot; so nobody who comes later can take it, and
 * while anybody waits no block is free. A waiter leaves its list under that
 * lock too: either a block has been handed to it by then, and it has one, or none
 * ever will be.
 *
 * What may let a class grow again (a slab somewhere became idle, or was given
 * back, or the limit was raised) is no block yet: the first waiter of each
 * class is told to try again.
 *
 * Room is for who has waited longest, in whatever class: tickets number the
 * waiters of the pool, and a class may grow only for one that no older waiter of
 * another class precedes. So that small blocks that keep being reused do not keep
 * a large request waiting, the oldest waiter has as many slabs drained as it
 * needs room for, and the same again after ever longer times if blocks in those do
 * not come back; the rest of the pool goes on.
 *
 * A waiter may find room and the system without memory for its size. It starves:
 * it looks again now and then, since nobody tells when there is memory, and not
 * whenever others are told, since each look takes the system a lot of work. Until
 * then it precedes nobody of another class, as the room is of no use to it; but
 * blocks of its size are, and no slab of those is drained for who came later.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "bufpool.h"
#include "trace.h"

/* When a waiter that starves looks again, in milliseconds. */
#define NOMEM_BACKOFF_MS	100

static void wait_stop_draining(struct bufpool_pool *pool,
			  struct bufpool_waiter *waiter)
{
	mutex_lock(&pool->drain_lock);
	if (pool->drains_for == waiter) {
		pool->drains_for = NULL;
		bufpool_supply_stop_draining(pool);
	}
	mutex_unlock(&pool->drain_lock);
}

/* Slabs may be drained for a younger waiter, if the oldest was starving. */
static void wait_stop_draining_for_others(struct bufpool_pool *pool,
				     struct bufpool_waiter *waiter)
{
	struct bufpool_waiter *other = READ_ONCE(pool->drains_for);

	if (!other || other == waiter)
		return;
	wait_stop_draining(pool, other);
	bufpool_pool_wake_waiters(pool);
}

/* Have slabs drained for the oldest waiter, and after a while more of them. */
static void wait_start_draining(struct bufpool_class *class,
			   struct bufpool_waiter *waiter)
{
	struct bufpool_pool *pool = class->pool;

	if (!bufpool_waitq_is_first(class, waiter) ||
	    !bufpool_waitq_is_turn(class, waiter->ticket))
		return;
	wait_stop_draining_for_others(pool, waiter);
	mutex_lock(&pool->drain_lock);
	if (!pool->drains_for) {
		pool->drains_for = waiter;
		waiter->drain_at = jiffies;
		waiter->drain_wait = HZ / 10;
	}
	if (pool->drains_for == waiter &&
	    time_after_eq(jiffies, waiter->drain_at)) {
		bufpool_supply_start_draining(class, waiter->ticket,
					    bufpool_pool_missing(pool, class->slab_size));
		waiter->drain_at = jiffies + waiter->drain_wait;
		waiter->drain_wait *= 2;
	}
	mutex_unlock(&pool->drain_lock);
}

/* Return: what was handed over up to the end, or NULL. */
static struct bufpool_blk *wait_delist(struct bufpool_class *class,
				  struct bufpool_waiter *waiter)
{
	bufpool_waitq_delist(class, waiter);
	wait_stop_draining(class->pool, waiter);
	/*
	 * Only the first of a class is ever told to try again. Who leaves passes
	 * it on: it may not have tried, or left room for more than itself; and
	 * it may be another's turn now, or a newcomer's, who polls.
	 */
	bufpool_pool_wake_waiters(class->pool);
	return waiter->blk;
}

/* Hand out free blocks: there are some after draining, or over the limit. */
static bool wait_serve(struct bufpool_class *class)
{
	struct bufpool_blk *blk;
	bool served = false;

	spin_lock(&class->lock);
	while (bufpool_waitq_first(class) && (blk = bufpool_class_take(class)))
		served = bufpool_waitq_hand_over(class, blk);
	spin_unlock(&class->lock);
	return served;
}

/* A larger block that can be had is for the first waiter, too. */
static bool wait_serve_larger(struct bufpool_class *class,
			 struct bufpool_waiter *waiter,
			 struct bufpool_blk *(*find)(struct bufpool_request *request))
{
	struct bufpool_blk *blk = NULL;
	bool served = false;

	if (bufpool_waitq_is_first(class, waiter))
		blk = find(waiter->request);
	if (!blk)
		return false;
	spin_lock(&class->lock);
	if (bufpool_waitq_first(class) == waiter)
		served = bufpool_waitq_hand_over(class, blk);
	spin_unlock(&class->lock);
	if (!served) {
		bufpool_rent_put_larger(waiter->request, blk);
	}
	return served;
}

/* Whoever begins to starve is no more in the way of others, who get to know. */
static void wait_set_nomem_backoff(struct bufpool_class *class,
			 struct bufpool_waiter *waiter, bool nomem_backoff)
{
	bool begins = nomem_backoff && !waiter->nomem_backoff;

	waiter->grow_at = ktime_add_ms(ktime_get(), NOMEM_BACKOFF_MS);
	spin_lock(&class->lock);
	waiter->nomem_backoff = nomem_backoff;
	spin_unlock(&class->lock);
	if (begins) {
		wait_stop_draining(class->pool, waiter);
		bufpool_pool_wake_waiters(class->pool);
	}
}

/*
 * Whoever slept for the mutex would not see that a block is handed to it. Nobody who
 * waits does; whoever has the mutex serves them first, and tells them after it.
 */
static bool wait_lock_grow(struct bufpool_class *class)
{
	if (mutex_trylock(&class->grow))
		return true;
	WRITE_ONCE(class->grow_contended, true);
	/* pairs with bufpool_wait_unlock_grow() */
	smp_mb();
	return mutex_trylock(&class->grow);
}

/**
 * bufpool_wait_unlock_grow - let the next one make blocks for a class
 * @class: which; its grow mutex is held
 */
void bufpool_wait_unlock_grow(struct bufpool_class *class)
{
	mutex_unlock(&class->grow);
	/* pairs with wait_lock_grow(): either that finds it free, or we see it asked */
	smp_mb();
	if (!READ_ONCE(class->grow_contended))
		return;
	WRITE_ONCE(class->grow_contended, false);
	spin_lock(&class->lock);
	bufpool_waitq_retry_first(class);
	spin_unlock(&class->lock);
}

/* Return: 0 as long as there is reason to wait on. */
static int wait_try(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	int err;

	if (wait_serve(class) || wait_serve_larger(class, waiter, bufpool_rent_larger))
		return 0;
	if (waiter->nomem_backoff && ktime_before(ktime_get(), waiter->grow_at))
		return 0;
	if (!wait_lock_grow(class))
		return 0;
	err = bufpool_rent_replenish(class, waiter->ticket, NULL);
	bufpool_wait_unlock_grow(class);
	if ((err == -EAGAIN || err == -ENOMEM) &&
	    wait_serve_larger(class, waiter, bufpool_rent_larger_warm))
		return 0;
	/* without memory, there are still the blocks that others have */
	if (err != -EAGAIN && (err != -ENOMEM || !READ_ONCE(class->nr_out)))
		return err;
	wait_set_nomem_backoff(class, waiter, err == -ENOMEM);
	if (err == -EAGAIN)
		wait_start_draining(class, waiter);
	return 0;
}

/* When a waiter is to look again by itself. */
static ktime_t wait_next_look(struct bufpool_pool *pool,
			 const struct bufpool_waiter *waiter, ktime_t deadline)
{
	ktime_t look;

	if (waiter->nomem_backoff)
		look = waiter->grow_at;
	else if (READ_ONCE(pool->drains_for) == waiter)
		look = ktime_add_ms(ktime_get(),
				    jiffies_to_msecs(waiter->drain_wait));
	else
		return deadline;
	return ktime_before(look, deadline) ? look : deadline;
}

/* Sleep until something happened. Return: 0 as long as there is time left. */
static int wait_sleep(struct bufpool_pool *pool, struct bufpool_waiter *waiter,
		       ktime_t deadline)
{
	ktime_t look = wait_next_look(pool, waiter, deadline);

	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(waiter->blk) && !READ_ONCE(waiter->retry) &&
	    !schedule_hrtimeout(&look, HRTIMER_MODE_ABS))
		WRITE_ONCE(waiter->retry, 1);
	__set_current_state(TASK_RUNNING);
	cond_resched();

	if (signal_pending(current))
		return -ERESTARTSYS;
	return ktime_after(ktime_get(), deadline) ? -ETIMEDOUT : 0;
}

/**
 * bufpool_wait - wait until a block of the class is there
 * @request: what is wanted; its count does not matter
 *
 * Sleeps.
 *
 * Return: a block, in transit and maybe dirty, as bufpool_rent() has it, or ERR_PTR(): -ETIMEDOUT,
 * -ERESTARTSYS, -EDQUOT, -ENOMEM.
 */
struct bufpool_blk *bufpool_wait(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_waiter waiter = {
		.task = current,
		.request = request,
	};
	ktime_t deadline = KTIME_MAX, began = ktime_get();
	struct bufpool_blk *blk;
	int err = 0;

	if (request->timeout_ns)
		deadline = ktime_add_safe(began, request->timeout_ns);
	bufpool_count(class->pool->counters, BUFPOOL_WAITS);
	request->waited = true;
	bufpool_waitq_enlist(class, &waiter);
	trace_bufpool_wait(class);
	while (!err && !READ_ONCE(waiter.blk)) {
		if (xchg(&waiter.retry, 0))
			err = wait_try(class, &waiter);
		if (!err)
			err = wait_sleep(class->pool, &waiter, deadline);
	}
	blk = wait_delist(class, &waiter);
	trace_bufpool_wait_end(class, blk ? 0 : err,
			       ktime_sub(ktime_get(), began));
	return blk ?: ERR_PTR(err);
}
