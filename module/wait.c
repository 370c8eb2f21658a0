// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a block, in the order of arrival within an account and a class.
 *
 * A block that comes back is handed to the first waiter of its slab's branch under
 * class->lock, and is on no free list in between; so no newcomer can take it. A waiter leaves
 * the queue under that lock too: either a block has been handed to it by then, and it has
 * one, or none ever will be.
 *
 * What may let a class grow again (a slab somewhere became idle, or was given
 * back, or the limit was raised) is no block yet: the first waiters of each class are
 * told to try again, and the first that may have a larger block. When one leaves, the
 * next one is told.
 *
 * Room is for whoever holds least of those whose turn it is, in whatever class, see waitq.h:
 * a class may grow only for a waiter that none of another class precedes. So that small
 * blocks that keep being reused do not keep others waiting, the first waiter has slabs of
 * those drained who have more, half of what that is, and others after ever longer times if
 * blocks in those do not come back, up to a share of the limit; the rest of the pool goes
 * on, as if nobody waited. So what is warm or kept in such slabs is taken for that waiter,
 * and beyond them only what is not in use.
 *
 * A waiter may find room, and the system without memory for its size. It backs off:
 * it looks again now and then, since nothing tells when there is memory, and not
 * whenever others are told, since each look takes the system a lot of work. Until
 * then it precedes no waiter of another class, as the room is of no use to it; but
 * blocks of its size are, and no slab of those is drained for a newer one.
 *
 * A signal ends the wait, but not the place in line: see place.c. The sleep is
 * freezable, so suspending the machine does not even do that.
 *
 * An account has so many waiters at most, and those that are away do not count: one
 * that comes back is refused as a newcomer is. Else an account could have any number,
 * by interrupting them.
 */
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "bufpool.h"
#include "trace.h"

/* When a waiter without memory looks again, in milliseconds. */
#define NOMEM_BACKOFF_MS	100

/* When it looks again where there are warm blocks: nothing tells when they are of use to it. */
#define LOOK_MS			10

/* How long it waits at most before more slabs are drained. */
#define DRAIN_WAIT_MAX		(4UL * HZ)

/*
 * For how long those that are drained may not come back before others are in their place: at
 * first, and at most. Each time it is twice as long, so that they do at last, if ever.
 */
#define SWITCH_WAIT_MIN		(HZ / 2)
#define SWITCH_WAIT_MAX		(3600UL * HZ)

/*
 * When it looks again at the latest: nothing tells when something is kept in a stack, when
 * those before it get no processor, or when more is to be drained; and where many are in line
 * not all are told.
 */
#define WAIT_LOOK_MS		50

/*
 * Have the slabs used again that are drained, as long as that is for a waiter, or, with NULL,
 * for nobody. In steps: another task may begin to have slabs drained between two of them.
 */
static void wait_end_draining(struct bufpool_pool *pool, const struct bufpool_waiter *waiter)
{
	bool more;

	do {
		spin_lock(&pool->drain_lock);
		more = pool->drains_for == waiter && bufpool_supply_stop_draining(pool);
		spin_unlock(&pool->drain_lock);
		cond_resched();
	} while (more);
}

/* What is drained comes back, or nothing has been drained yet. */
static void wait_reset_switch(struct bufpool_pool *pool)
{
	pool->drain_fullest = false;
	pool->switch_wait = SWITCH_WAIT_MIN;
	pool->switch_at = jiffies + SWITCH_WAIT_MIN;
}

/*
 * A waiter needs no room any more, or cannot use it. If another waits, what is drained goes
 * on for that: it would begin with the same slabs.
 */
static void wait_stop_draining(struct bufpool_pool *pool, struct bufpool_waiter *waiter,
			       bool others_wait)
{
	bool ends;

	spin_lock(&pool->drain_lock);
	if (pool->drains_for == waiter) {
		WRITE_ONCE(pool->drains_for, NULL);
		if (READ_ONCE(waiter->blk))
			wait_reset_switch(pool);
	}
	/* maybe what another left that did not wait for so long */
	ends = !others_wait && !pool->drains_for && bufpool_supply_draining(pool);
	/* a waiter that comes meanwhile finds some, and needs more at once */
	if (ends)
		pool->drain_at = jiffies;
	spin_unlock(&pool->drain_lock);
	if (ends)
		wait_end_draining(pool, NULL);
}

/* Whether what is drained has not come back for so long that others are to be in its place. */
static bool wait_is_to_switch(struct bufpool_pool *pool, size_t draining)
{
	if (draining < pool->drain_seen)
		pool->switch_at = jiffies + pool->switch_wait;
	pool->drain_seen = draining;
	if (!draining || time_before(jiffies, pool->switch_at))
		return false;
	pool->switch_wait = min(2 * pool->switch_wait, SWITCH_WAIT_MAX);
	pool->switch_at = jiffies + pool->switch_wait;
	pool->drain_seen = 0;
	return true;
}

/*
 * Have more slabs drained, up to its share at a time, so that others can go on; or others
 * instead, where these do not come back. In steps, as long as that is for this waiter.
 */
static void wait_drain_more(struct bufpool_pool *pool, struct bufpool_waiter *waiter,
			    size_t missing, bool others)
{
	size_t most = bufpool_pool_share(pool);
	bool more;

	if (others)
		wait_end_draining(pool, waiter);
	most -= min(most, bufpool_supply_draining(pool));
	do {
		spin_lock(&pool->drain_lock);
		more = pool->drains_for == waiter;
		if (more && others)
			pool->drain_fullest = !pool->drain_fullest;
		others = false;
		more = more && most && bufpool_supply_start_draining(waiter, &missing, &most);
		spin_unlock(&pool->drain_lock);
		cond_resched();
	} while (more && !READ_ONCE(waiter->blk) && !signal_pending(current));
}

/* Have slabs drained for the first waiter, and after a while more of them. */
static void wait_start_draining(struct bufpool_class *class,
				struct bufpool_waiter *waiter)
{
	struct bufpool_pool *pool = class->pool;
	size_t missing = bufpool_pool_missing(pool, class->slab_size);
	size_t idle = bufpool_supply_idle(pool), draining;
	bool is_due, others;

	if (!bufpool_waitq_is_first(class, waiter) ||
	    !bufpool_waitq_is_turn(class, waiter))
		return;
	spin_lock(&pool->drain_lock);
	draining = bufpool_supply_draining(pool);
	if (!draining && !pool->drains_for)
		wait_reset_switch(pool);
	WRITE_ONCE(pool->drains_for, waiter);
	/* at once where all that was drained has come back */
	if (!draining) {
		pool->drain_at = jiffies;
		pool->drain_wait = HZ / 10;
	}
	others = wait_is_to_switch(pool, draining);
	is_due = others || time_after_eq(jiffies, pool->drain_at);
	if (is_due) {
		pool->drain_at = jiffies + pool->drain_wait;
		pool->drain_wait = min(2 * pool->drain_wait, DRAIN_WAIT_MAX);
	}
	spin_unlock(&pool->drain_lock);
	if (is_due)
		wait_drain_more(pool, waiter, missing - min(missing, idle), others);
}

/*
 * Whether others could ever give up enough for a renter that waits. One that is exempt from
 * quotas waits until all of it is there by itself.
 */
static bool wait_may_help(const struct bufpool_client *client,
			  const struct bufpool_class *class)
{
	return client->exempt ||
	       bufpool_class_least_slab(class) <= bufpool_pool_share(client->pool);
}

/*
 * Take what is warm or kept in slabs that are drained for a waiter; now and then, as it is
 * told to try again for other reasons.
 */
static void wait_evict_draining(struct bufpool_pool *pool, struct bufpool_waiter *waiter)
{
	struct bufpool_request *request = waiter->request;

	if (READ_ONCE(pool->drains_for) != waiter || time_before(jiffies, waiter->evict_at))
		return;
	waiter->evict_at = jiffies + msecs_to_jiffies(LOOK_MS);
	request->steals -= bufpool_evict_draining(pool, request->steals);
	/* there may be more */
	if (!request->steals)
		waiter->evict_at = jiffies;
}

/* Count a waiter that is about to be. Return: whether its account may have one more. */
static bool wait_charge(struct bufpool_client *client)
{
	const struct bufpool_pool *pool = client->pool;

	if (bufpool_budget_charge(&client->account->waiters, 1,
				  bufpool_client_bound(client, &pool->config.max_waiters)))
		return true;
	bufpool_client_count_refused(client, BUFPOOL_REFUSED_WAITERS);
	return false;
}

/* Return: what was handed over up to the end, or NULL. */
static struct bufpool_blk *wait_end(struct bufpool_class *class,
				    struct bufpool_waiter *waiter)
{
	bufpool_waitq_delist(class, waiter);
	bufpool_budget_uncharge(&waiter->request->client->account->waiters, 1);
	wait_stop_draining(class->pool, waiter, bufpool_pool_waiting(class->pool));
	/*
	 * Only the first waiters of a class are told to try again. One that leaves
	 * passes it on: it may not have tried, or left room for more than
	 * itself; and it may be another's turn now, or a newcomer's.
	 */
	bufpool_pool_wake_waiters(class->pool);
	return waiter->blk;
}

/* Hand out free blocks. Return: whether this waiter has one. */
static bool wait_serve(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	spin_lock(&class->lock);
	bufpool_waitq_serve_own(class, waiter);
	bufpool_waitq_serve(class);
	spin_unlock(&class->lock);
	return READ_ONCE(waiter->blk);
}

/* A larger block is for the first waiter that may have it. */
static bool wait_serve_larger(struct bufpool_class *class,
			      struct bufpool_waiter *waiter,
			      struct bufpool_blk *(*find)(struct bufpool_request *request))
{
	struct bufpool_request *request = waiter->request;
	struct bufpool_blk *blk;
	bool served;

	if (!bufpool_waitq_is_first_for_larger(class, waiter))
		return false;
	blk = find(request);
	if (request->exact)
		bufpool_waitq_set_exact(class, waiter);
	if (!blk)
		return false;
	spin_lock(&class->lock);
	served = bufpool_waitq_hand_to(class, waiter, blk);
	spin_unlock(&class->lock);
	if (!served)
		bufpool_rent_put_larger(request, blk);
	return served;
}

/* A waiter that begins to back off is not in the way of others any more. */
static void wait_set_nomem_backoff(struct bufpool_class *class,
				   struct bufpool_waiter *waiter, bool backoff)
{
	bool begins = backoff && !waiter->nomem_backoff;

	bufpool_waitq_set_nomem_backoff(class, waiter, backoff);
	if (backoff)
		waiter->look_at = ktime_add_ms(ktime_get(), NOMEM_BACKOFF_MS);
	if (begins) {
		wait_stop_draining(class->pool, waiter, bufpool_pool_waiting(class->pool) > 1);
		bufpool_pool_wake_waiters(class->pool);
	}
}

/*
 * Take what the waiter's account has, or, where it is the waiter's turn, grow. Return: 0 if
 * there was anything.
 */
static int wait_replenish(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	struct bufpool_request *request = waiter->request;
	bool is_first = bufpool_waitq_is_first(class, waiter);
	int err;

	request->steals = BUFPOOL_STEALS_MAX;
	if (is_first)
		err = bufpool_rent_grow(request, waiter, NULL);
	else
		err = bufpool_rent_may_grow(request) ? -EAGAIN : -EDQUOT;
	/* blocks that are in use all the time would be warm again before the next look */
	if (err == -EDQUOT && waiter->quota_steals &&
	    bufpool_rent_evict_for_quota(request)) {
		waiter->quota_steals--;
		bufpool_waitq_set_retry(waiter);
		return 0;
	}
	if (!err || err == -EDQUOT)
		return err;
	if (bufpool_rent_steal(request, NULL))
		return 0;
	if (is_first && err == -EAGAIN)
		err = bufpool_rent_grow_for_warm(request, waiter, NULL);
	return err;
}

/* When a waiter that got nothing is to look again by itself. */
static void wait_set_look(struct bufpool_class *class,
			  struct bufpool_waiter *waiter)
{
	struct bufpool_pool *pool = class->pool;

	/* there is more to be taken */
	if (!waiter->request->steals)
		bufpool_waitq_set_retry(waiter);
	else if (bufpool_supply_warm(pool))
		waiter->look_at = ktime_add_ms(ktime_get(), LOOK_MS);
}

/* Return: 0 as long as there is reason to wait on. */
static int wait_try(struct bufpool_class *class, struct bufpool_waiter *waiter)
{
	int err;

	if (wait_serve(class, waiter) ||
	    wait_serve_larger(class, waiter, bufpool_rent_larger))
		return 0;
	if (waiter->nomem_backoff && ktime_before(ktime_get(), waiter->look_at))
		return 0;
	waiter->look_at = KTIME_MAX;
	/* only a larger block is for a waiter behind another of its account */
	if (!bufpool_waitq_is_first_of_account(class, waiter))
		return 0;
	/* what it has made room for may be another's */
	waiter->look_at = ktime_add_ms(ktime_get(), WAIT_LOOK_MS);
	err = wait_replenish(class, waiter);
	if ((err == -EAGAIN || err == -ENOMEM) &&
	    wait_serve_larger(class, waiter, bufpool_rent_larger_warm))
		return 0;
	if (err && err != -EAGAIN && err != -ENOMEM)
		return err;
	/* without memory, there are still the blocks that others have */
	if (err == -ENOMEM && !READ_ONCE(class->nr_out))
		return err;
	wait_set_nomem_backoff(class, waiter, err == -ENOMEM);
	if (err == -EAGAIN) {
		wait_start_draining(class, waiter);
		wait_evict_draining(class->pool, waiter);
		wait_set_look(class, waiter);
	}
	return 0;
}

static bool wait_is_cancelled(const struct bufpool_waiter *waiter)
{
	const struct bufpool_client *client = waiter->request->client;

	return READ_ONCE(client->cancelled) || atomic_read(&client->cancels) != waiter->cancels;
}

/* Sleep until something happened. Return: 0 as long as there is time left. */
static int wait_sleep(struct bufpool_waiter *waiter, ktime_t deadline)
{
	ktime_t look = min(waiter->look_at, deadline);

	set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
	if (!READ_ONCE(waiter->blk) && !READ_ONCE(waiter->retry) &&
	    !wait_is_cancelled(waiter) &&
	    !schedule_hrtimeout(&look, HRTIMER_MODE_ABS))
		bufpool_waitq_set_retry(waiter);
	__set_current_state(TASK_RUNNING);
	cond_resched();

	if (wait_is_cancelled(waiter))
		return -ECANCELED;
	if (signal_pending(current))
		return -ERESTARTSYS;
	return ktime_after(ktime_get(), deadline) ? -ETIMEDOUT : 0;
}

/* Go back to an interrupted wait, or begin a new one. Return: when it ends. */
static ktime_t wait_begin(struct bufpool_request *request,
			  struct bufpool_waiter *waiter)
{
	struct bufpool_class *class = request->class;
	ktime_t deadline = KTIME_MAX;

	request->waited = true;
	if (request->wait_id &&
	    bufpool_place_take(request->client, class, request->wait_id,
			       &waiter->passed, &deadline)) {
		waiter->ticket = request->wait_id;
	} else {
		bufpool_count(class->pool->counters, BUFPOOL_WAITS);
		if (request->timeout_ns)
			deadline = ktime_add_safe(ktime_get(), request->timeout_ns);
	}
	request->wait_id = 0;
	bufpool_waitq_enlist(class, waiter);
	trace_bufpool_wait(request->client, class);
	return deadline;
}

/**
 * bufpool_wait - wait until a block of the class is there
 * @request: what is wanted; its count does not matter
 *
 * Sleeps. Where a signal ends the wait, @request->wait_id says how to go on with it,
 * or is 0 if that is not possible.
 *
 * Return: a block, which the caller owns, as bufpool_rent_find() has it, or
 * ERR_PTR(): -ETIMEDOUT, -ERESTARTSYS, -ECANCELED, -EDQUOT, -ENOMEM.
 */
struct bufpool_blk *bufpool_wait(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_waiter waiter = {
		.exact = request->exact,
		.task = current,
		.request = request,
		.cancels = atomic_read_acquire(&request->client->cancels),
		.told_at = jiffies,
		.look_at = KTIME_MAX,
		.evict_at = jiffies,
		.quota_steals = BUFPOOL_STEALS_MAX,
	};
	ktime_t deadline, began = ktime_get();
	DEFINE_WAIT_FUNC(wait, default_wake_function);
	struct bufpool_blk *blk;
	int err = 0;

	if (wait_is_cancelled(&waiter))
		return ERR_PTR(-ECANCELED);
	if (!wait_may_help(request->client, class) || !wait_charge(request->client))
		return ERR_PTR(-EDQUOT);
	add_wait_queue(&request->client->waits, &wait);
	deadline = wait_begin(request, &waiter);
	bufpool_quarantine_wait(class->pool);
	while (!err && !READ_ONCE(waiter.blk)) {
		if (xchg(&waiter.retry, 0))
			err = wait_try(class, &waiter);
		if (!err)
			err = wait_sleep(&waiter, deadline);
	}
	blk = wait_end(class, &waiter);
	remove_wait_queue(&request->client->waits, &wait);
	trace_bufpool_wait_end(class, blk ? 0 : err,
			       ktime_sub(ktime_get(), began));
	if (blk)
		return blk;
	if (err == -ERESTARTSYS && request->keeps_place &&
	    bufpool_place_keep(request->client, class, waiter.ticket, waiter.passed, deadline))
		request->wait_id = waiter.ticket;
	return ERR_PTR(err);
}
