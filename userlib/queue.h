/* SPDX-License-Identifier: MIT */
/*
 * The waiters of a private pool, in order of arrival
 *
 * A block that comes back goes to the first waiter for its size, the room for
 * another one to the first waiter of all.
 *
 * The caller holds queue->lock, which protects the stock too.
 */
#ifndef BUFPOOL_QUEUE_H
#define BUFPOOL_QUEUE_H

#include <pthread.h>
#include <sys/queue.h>

#include "stock.h"

TAILQ_HEAD(bufpool_waiters, bufpool_waiter);

struct bufpool_queue {
	/* written under @lock, read at any time */
	struct bufpool_status status __attribute__((aligned(8)));

	pthread_mutex_t lock;		/* of everything else */
	pthread_condattr_t monotonic;
	struct bufpool_stock *stock;
	struct bufpool_waiters waiters;
	__u64 waits;			/* rents that had to wait */
};

void bufpool_queue_init(struct bufpool_queue *queue, struct bufpool_stock *stock);

static inline bool bufpool_queue_is_empty(const struct bufpool_queue *queue)
{
	return TAILQ_EMPTY(&queue->waiters);
}

/* Whether there is a waiter for this class. */
bool bufpool_queue_has(const struct bufpool_queue *queue, unsigned int class);

/* Wait for a block, 0 without a limit. 0, -ETIMEDOUT, or as bufpool_stock_take() */
int bufpool_queue_wait(struct bufpool_queue *queue, unsigned int class, bool zero,
		       __s64 timeout_ns, struct bufpool_grant *grant);

/* Give a block that came back to the first waiter for its size, if there is one. */
bool bufpool_queue_hand_over(struct bufpool_queue *queue,
			     const struct bufpool_grant *grant);

/* There is room that was not there before: serve waiters while it lasts. */
void bufpool_queue_serve(struct bufpool_queue *queue);

#endif /* BUFPOOL_QUEUE_H */
