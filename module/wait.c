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
#define STARVING_MS	100

/**
 * struct bufpool_waiter - a task that waits, on that task's stack
 * @node: in class->waiters; class->lock
 * @task: the task
 * @ticket: less than that of everybody who came later; class->lock
 * @blk: what was handed over; written once, under class->lock
 * @starving: there was no memory when it tried to grow its class last; written
 *	by its own task, under class->lock
 * @request: what it waits for; its own task's, as the rest
 * @grow_at: when to try that again, if it is starving
 * @drain_at: when to have more slabs drained, if it is the one they are for
 * @drain_wait: how long to wait then, in jiffies
 * @retry: growing may succeed now; an int, which every machine can exchange
 */
struct bufpool_waiter {
	struct list_head node;
	struct task_struct *task;
	u64 ticket;
	struct bufpool_blk *blk;
	bool starving;
	struct bufpool_request *request;
	ktime_t grow_at;
	unsigned long drain_at;
	unsigned long drain_wait;
	int retry;
};

static struct bufpool_waiter *first_waiter(struct bufpool_class *class)
{
	lockdep_assert_held(&class->lock);
	return list_first_entry_or_null(&class->waiters, struct bufpool_waiter,
					node);
}

/**
 * bufpool_wait_hand_over - give a block to the first who waits for one
 * @class: the block's class; its lock is held
 * @blk: in transit
 *
 * Return: false if nobody waits; the caller keeps the block.
 */
bool bufpool_wait_hand_over(struct bufpool_class *class, struct bufpool_blk *blk)
{
	struct bufpool_waiter *waiter = first_waiter(class);

	if (!waiter)
		return false;
	list_del_init(&waiter->node);
	class->nr_waiting--;
	WRITE_ONCE(waiter->blk, blk);
	trace_bufpool_serve(class, waiter->task);
	wake_up_process(waiter->task);
	return true;
}

static void tell_first(struct bufpool_class *class)
{
	struct bufpool_waiter *waiter = first_waiter(class);

	if (!waiter)
		return;
	WRITE_ONCE(waiter->retry, 1);
	wake_up_process(waiter->task);
}

/**
 * bufpool_wait_retry - tell those who wait that growing may succeed now
 * @pool: where; for bufpool_pool_announce(), which knows whether anybody waits
 */
void bufpool_wait_retry(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++) {
		struct bufpool_class *class = &pool->classes[i];

		spin_lock(&class->lock);
		tell_first(class);
		spin_unlock(&class->lock);
	}
}

/**
 * bufpool_wait_has_older - whether anybody waits for a class since an earlier time
 * @class: which
 * @ticket: of that time
 * @starving: count who starves, too
 */
bool bufpool_wait_has_older(struct bufpool_class *class, u64 ticket,
			    bool starving)
{
	struct bufpool_waiter *first;
	bool ret;

	spin_lock(&class->lock);
	first = first_waiter(class);
	ret = first && first->ticket < ticket &&
	      (starving || !first->starving);
	spin_unlock(&class->lock);
	return ret;
}

/**
 * bufpool_wait_is_turn - whether a class may grow now
 * @class: which
 * @ticket: of whom it would grow for; BUFPOOL_NO_TICKET for one who came just now
 *
 * Return: whether nobody waits longer for another class, but who starves.
 */
bool bufpool_wait_is_turn(struct bufpool_class *class, u64 ticket)
{
	struct bufpool_pool *pool = class->pool;
	unsigned int i;

	if (!bufpool_pool_waiting(pool))
		return true;
	for (i = 0; i < pool->nr_classes; i++)
		if (&pool->classes[i] != class &&
		    bufpool_wait_has_older(&pool->classes[i], ticket, false))
			return false;
	return true;
}

/* Wait from now on, unless a block has come back by now. */
static void enlist(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	atomic_inc(&class->pool->board->waiting);
	/* pairs with bufpool_pool_announce(); growing is tried after this */
	smp_mb__after_atomic();
	spin_lock(&class->lock);
	waiter->ticket = atomic64_inc_return(&class->pool->tickets);
	if (!first_waiter(class))
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
	bufpool_poll_wake(class->pool);
}

static bool is_first(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	bool ret;

	spin_lock(&class->lock);
	ret = first_waiter(class) == waiter;
	spin_unlock(&class->lock);
	return ret;
}

static void stop_draining(struct bufpool_pool *pool,
			  struct bufpool_waiter *waiter)
{
	mutex_lock(&pool->drain_lock);
	if (pool->drains_for == waiter) {
		pool->drains_for = NULL;
		bufpool_pool_stop_draining(pool);
	}
	mutex_unlock(&pool->drain_lock);
}

/* Slabs may be drained for a younger waiter, if the oldest was starving. */
static void stop_draining_for_others(struct bufpool_pool *pool,
				     struct bufpool_waiter *waiter)
{
	struct bufpool_waiter *other = READ_ONCE(pool->drains_for);

	if (!other || other == waiter)
		return;
	stop_draining(pool, other);
	bufpool_pool_announce(pool);
}

/* Have slabs drained for the oldest waiter, and after a while more of them. */
static void start_draining(struct bufpool_class *class,
			   struct bufpool_waiter *waiter)
{
	struct bufpool_pool *pool = class->pool;

	if (!is_first(class, waiter) ||
	    !bufpool_wait_is_turn(class, waiter->ticket))
		return;
	stop_draining_for_others(pool, waiter);
	mutex_lock(&pool->drain_lock);
	if (!pool->drains_for) {
		pool->drains_for = waiter;
		waiter->drain_at = jiffies;
		waiter->drain_wait = HZ / 10;
	}
	if (pool->drains_for == waiter &&
	    time_after_eq(jiffies, waiter->drain_at)) {
		bufpool_pool_start_draining(class, waiter->ticket,
					    bufpool_pool_missing(pool, class->slab_size));
		waiter->drain_at = jiffies + waiter->drain_wait;
		waiter->drain_wait *= 2;
	}
	mutex_unlock(&pool->drain_lock);
}

/* Return: what was handed over up to the end, or NULL. */
static struct bufpool_blk *delist(struct bufpool_class *class,
				  struct bufpool_waiter *waiter)
{
	spin_lock(&class->lock);
	if (!waiter->blk) {
		list_del(&waiter->node);
		class->nr_waiting--;
	}
	spin_unlock(&class->lock);
	atomic_dec(&class->pool->board->waiting);
	stop_draining(class->pool, waiter);
	/*
	 * Only the first of a class is ever told to try again. Who leaves passes
	 * it on: it may not have tried, or left room for more than itself; and
	 * it may be another's turn now, or a newcomer's, who polls.
	 */
	bufpool_pool_announce(class->pool);
	return waiter->blk;
}

/* Hand out free blocks: there are some after draining, or over the limit. */
static bool serve(struct bufpool_class *class)
{
	struct bufpool_blk *blk;
	bool served = false;

	spin_lock(&class->lock);
	while (first_waiter(class) && (blk = bufpool_class_take(class)))
		served = bufpool_wait_hand_over(class, blk);
	spin_unlock(&class->lock);
	return served;
}

/* A larger block that can be had is for the first waiter, too. */
static bool serve_larger(struct bufpool_class *class,
			 struct bufpool_waiter *waiter,
			 struct bufpool_blk *(*find)(struct bufpool_request *request))
{
	struct bufpool_blk *blk = NULL;
	bool served = false;

	if (is_first(class, waiter))
		blk = find(waiter->request);
	if (!blk)
		return false;
	spin_lock(&class->lock);
	if (first_waiter(class) == waiter)
		served = bufpool_wait_hand_over(class, blk);
	spin_unlock(&class->lock);
	if (!served) {
		bufpool_client_uncharge_rest(waiter->request, blk);
		bufpool_class_put(blk);
	}
	return served;
}

/* Whoever begins to starve is no more in the way of others, who get to know. */
static void set_starving(struct bufpool_class *class,
			 struct bufpool_waiter *waiter, bool starving)
{
	bool begins = starving && !waiter->starving;

	waiter->grow_at = ktime_add_ms(ktime_get(), STARVING_MS);
	spin_lock(&class->lock);
	waiter->starving = starving;
	spin_unlock(&class->lock);
	if (begins) {
		stop_draining(class->pool, waiter);
		bufpool_pool_announce(class->pool);
	}
}

/*
 * Whoever slept for the mutex would not see that a block is handed to it. Nobody who
 * waits does; whoever has the mutex serves them first, and tells them after it.
 */
static bool lock_grow(struct bufpool_class *class)
{
	if (mutex_trylock(&class->grow))
		return true;
	WRITE_ONCE(class->missed, true);
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
	/* pairs with lock_grow(): either that finds it free, or we see it asked */
	smp_mb();
	if (!READ_ONCE(class->missed))
		return;
	WRITE_ONCE(class->missed, false);
	spin_lock(&class->lock);
	tell_first(class);
	spin_unlock(&class->lock);
}

/* Return: 0 as long as there is reason to wait on. */
static int try(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	int err;

	if (serve(class) || serve_larger(class, waiter, bufpool_rent_larger))
		return 0;
	if (waiter->starving && ktime_before(ktime_get(), waiter->grow_at))
		return 0;
	if (!lock_grow(class))
		return 0;
	err = bufpool_rent_replenish(class, waiter->ticket, NULL);
	bufpool_wait_unlock_grow(class);
	if ((err == -EAGAIN || err == -ENOMEM) &&
	    serve_larger(class, waiter, bufpool_rent_larger_warm))
		return 0;
	/* without memory, there are still the blocks that others have */
	if (err != -EAGAIN && (err != -ENOMEM || !READ_ONCE(class->nr_out)))
		return err;
	set_starving(class, waiter, err == -ENOMEM);
	if (err == -EAGAIN)
		start_draining(class, waiter);
	return 0;
}

/* When a waiter is to look again by itself. */
static ktime_t next_look(struct bufpool_pool *pool,
			 const struct bufpool_waiter *waiter, ktime_t deadline)
{
	ktime_t look;

	if (waiter->starving)
		look = waiter->grow_at;
	else if (READ_ONCE(pool->drains_for) == waiter)
		look = ktime_add_ms(ktime_get(),
				    jiffies_to_msecs(waiter->drain_wait));
	else
		return deadline;
	return ktime_before(look, deadline) ? look : deadline;
}

/* Sleep until something happened. Return: 0 as long as there is time left. */
static int sleep_until(struct bufpool_pool *pool, struct bufpool_waiter *waiter,
		       ktime_t deadline)
{
	ktime_t look = next_look(pool, waiter, deadline);

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
	bufpool_count(class->pool, BUFPOOL_WAITS);
	request->waited = true;
	enlist(class, &waiter);
	trace_bufpool_wait(class);
	while (!err && !READ_ONCE(waiter.blk)) {
		if (xchg(&waiter.retry, 0))
			err = try(class, &waiter);
		if (!err)
			err = sleep_until(class->pool, &waiter, deadline);
	}
	blk = delist(class, &waiter);
	trace_bufpool_wait_end(class, blk ? 0 : err,
			       ktime_sub(ktime_get(), began));
	return blk ?: ERR_PTR(err);
}
