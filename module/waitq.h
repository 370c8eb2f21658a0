/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_WAITQ_H
#define _BUFPOOL_WAITQ_H

#include <linux/ktime.h>
#include <linux/list.h>
#include "pool.h"

struct bufpool_request;

/**
 * struct bufpool_waiter - a task that waits, on that task's stack
 * @node: in class->waiters; class->lock
 * @task: the task
 * @ticket: less than that of everybody who came later; class->lock
 * @blk: what was handed over; written once, under class->lock
 * @nomem_backoff: there was no memory when it tried to grow its class last; written
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
	bool nomem_backoff;
	struct bufpool_request *request;
	ktime_t grow_at;
	unsigned long drain_at;
	unsigned long drain_wait;
	int retry;
};

/* That of a newcomer, behind every waiter. */
#define BUFPOOL_NO_TICKET	U64_MAX

static inline struct bufpool_waiter *
bufpool_waitq_first(struct bufpool_class *class)
{
	lockdep_assert_held(&class->lock);
	return list_first_entry_or_null(&class->waiters, struct bufpool_waiter,
					node);
}

bool bufpool_waitq_has_older(struct bufpool_class *class, u64 ticket,
			    bool nomem_backoff);
bool bufpool_waitq_is_turn(struct bufpool_class *class, u64 ticket);
bool bufpool_waitq_hand_over(struct bufpool_class *class, struct bufpool_blk *blk);
void bufpool_waitq_retry(struct bufpool_pool *pool);
void bufpool_waitq_retry_first(struct bufpool_class *class);
bool bufpool_waitq_is_first(struct bufpool_class *class,
			   struct bufpool_waiter *waiter);
void bufpool_waitq_enlist(struct bufpool_class *class,
			 struct bufpool_waiter *waiter);
void bufpool_waitq_delist(struct bufpool_class *class,
			 struct bufpool_waiter *waiter);
void bufpool_pool_wake_pollers(struct bufpool_pool *pool);

/**
 * bufpool_pool_wake_waiters - tell those who care that there may be blocks to be had
 * @pool: where; what makes it so has been done
 *
 * Where nobody cares this is one barrier for both of whom it asks after.
 */
static inline void bufpool_pool_wake_waiters(struct bufpool_pool *pool)
{
	/*
	 * Pairs with enlist() and chardev_poll(): either they see what was
	 * done, or they are seen here.
	 */
	smp_mb();
	if (bufpool_pool_waiting(pool))
		bufpool_waitq_retry(pool);
	/* the barrier is above */
	if (waitqueue_active(&pool->poll))
		bufpool_pool_wake_pollers(pool);
}

#endif /* _BUFPOOL_WAITQ_H */
