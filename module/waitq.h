/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queues of waiters of a class, one for each account, under the class's lock.
 *
 * A block is for the account's waiter that has waited longest. A larger block is
 * for the longest waiter of those that may have one: a waiter that was refused one
 * by its ceiling is *exact*, and those have a tree of their own.
 *
 * A slab that is nobody's is for the account that holds least of those whose turn it is,
 * and so is room that a class may grow into: class->waiting has the holdings with waiters by
 * their *turn*, a ticket, and of the first few in line the one comes first whose account
 * holds least. A holding that gets a slab comes behind all others in the class; a block that
 * comes back to it is its own anyway, and changes nothing. One that was passed by for long
 * comes first whatever it holds.
 */
#ifndef _BUFPOOL_WAITQ_H
#define _BUFPOOL_WAITQ_H

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/rbtree.h>
#include "poll.h"
#include "pool.h"

struct bufpool_request;

/**
 * struct bufpool_waiter - a task that waits, on that task's stack
 * @node: in its account's holding->waiters[@exact], if @is_queued; class->lock, as all
 *	up to @nomem_backoff
 * @is_queued: no block has been handed to it yet
 * @exact: no larger block is for it
 * @ticket: less than that of each waiter of the pool that came later
 * @since: less than pool->grants by how often it was passed by
 * @blk: what was handed over; written once
 * @told_at: when @retry was set last, or else when it came, in jiffies; no lock, as its own
 *	task sets it, too
 * @nomem_backoff: there was no memory when it tried to grow its class last;
 *	written by its own task
 * @task: the task; constant
 * @request: what it waits for; its own task's, as the rest
 * @cancels: how often its client's waits had been cancelled when this one began
 * @look_at: when to try again by itself; KTIME_MAX is never
 * @passed: how often it was passed by before it came, and when it has left, until then
 * @evict_at: when to take what is warm or kept in those slabs
 * @quota_steals: so many blocks more are taken to make room within its account's quota
 * @retry: trying again may succeed now; an int, which every machine can exchange
 */
struct bufpool_waiter {
	struct rb_node node;
	bool is_queued;
	bool exact;
	u64 ticket;
	u64 since;
	struct bufpool_blk *blk;
	unsigned long told_at;
	bool nomem_backoff;
	struct task_struct *task;
	struct bufpool_request *request;
	int cancels;
	ktime_t look_at;
	u64 passed;
	unsigned long evict_at;
	unsigned int quota_steals;
	int retry;
};

/*
 * How many are told at once that trying again may succeed: the first to leave tells the
 * next. Where more are in line, they look now and then.
 */
#define BUFPOOL_WAITQ_TELLS	4

/* For how long those behind a waiter that was told leave room to it, in jiffies. */
#define BUFPOOL_WAITQ_ABSENT	(HZ / 5)

/* Have a waiter try again. One that was told before, and has not come, was told then. */
static inline void bufpool_waitq_set_retry(struct bufpool_waiter *waiter)
{
	if (!READ_ONCE(waiter->retry))
		WRITE_ONCE(waiter->told_at, jiffies);
	/* pairs with waitq_is_absent() */
	smp_store_release(&waiter->retry, 1);
}

/* Whether a waiter there may have a larger block. Without class->lock, a hint. */
static inline bool bufpool_waitq_wants_larger(const struct bufpool_holding *holding)
{
	/* one that is just coming, or going, may be missed, or seen still */
	return data_race(!RB_EMPTY_ROOT(&holding->waiters[false].rb_root));
}

bool bufpool_waitq_hand_over(struct bufpool_class *class,
			     struct bufpool_blk *blk);
bool bufpool_waitq_hand_over_new(struct bufpool_class *class, struct bufpool_blk *blk);
void bufpool_waitq_serve(struct bufpool_class *class);
void bufpool_waitq_serve_own(struct bufpool_class *class,
			     const struct bufpool_waiter *waiter);
void bufpool_waitq_end_turn(struct bufpool_class *class,
			    struct bufpool_holding *holding);
bool bufpool_waitq_hand_to(struct bufpool_class *class,
			   struct bufpool_waiter *waiter,
			   struct bufpool_blk *blk);
void bufpool_waitq_set_nomem_backoff(struct bufpool_class *class,
				     struct bufpool_waiter *waiter, bool backoff);
void bufpool_waitq_retry_first(struct bufpool_class *class);
void bufpool_waitq_retry(struct bufpool_pool *pool);
bool bufpool_waitq_has_older(struct bufpool_class *class,
			     const struct bufpool_waiter *other, bool nomem_backoff);
bool bufpool_waitq_is_turn(struct bufpool_class *class,
			   const struct bufpool_waiter *waiter);
bool bufpool_waitq_is_first(struct bufpool_class *class,
			    struct bufpool_waiter *waiter);
bool bufpool_waitq_is_first_of_account(struct bufpool_class *class,
				       struct bufpool_waiter *waiter);
bool bufpool_waitq_is_first_for_larger(struct bufpool_class *class,
				       struct bufpool_waiter *waiter);
void bufpool_waitq_set_exact(struct bufpool_class *class,
			     struct bufpool_waiter *waiter);
void bufpool_waitq_enlist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter);
void bufpool_waitq_delist(struct bufpool_class *class,
			  struct bufpool_waiter *waiter);
void bufpool_waitq_work(struct work_struct *work);

/**
 * bufpool_pool_wake_waiters - tell waiters and pollers that there may be blocks
 * @pool: where; what makes it so has been done
 *
 * Without waiters and pollers this is one barrier for both.
 */
static inline void bufpool_pool_wake_waiters(struct bufpool_pool *pool)
{
	/*
	 * Pairs with bufpool_waitq_enlist() and bufpool_poll_arm(): either they
	 * see what was done, or they are seen here.
	 */
	smp_mb();
	if (bufpool_pool_waiting(pool))
		bufpool_waitq_retry(pool);
	bufpool_poll_kick(pool);
}

/**
 * bufpool_class_wake_waiters - tell waiters and pollers that a block has become warm
 * @class: of this class
 *
 * Only waiters that such a block would serve are told. Others look again by themselves,
 * so that warm blocks cost no more while they wait.
 */
static inline void bufpool_class_wake_waiters(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;

	/* as in bufpool_pool_wake_waiters() */
	smp_mb();
	if (bufpool_pool_waiting_of(pool, class))
		bufpool_waitq_retry(pool);
	bufpool_poll_kick(pool);
}

#endif /* _BUFPOOL_WAITQ_H */
