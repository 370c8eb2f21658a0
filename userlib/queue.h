/* SPDX-License-Identifier: MIT */
/*
 * The waiters of a private pool, in order of arrival
 *
 * A block that comes back goes to the first waiter for its size, the room for
 * another one to the first waiter of all. What threads keep is taken back for them, where
 * that helps, and looked for again now and then, as nothing tells when they keep a block.
 *
 * The caller holds queue->lock, which protects the stock too.
 */
#ifndef BUFPOOL_QUEUE_H
#define BUFPOOL_QUEUE_H

#include <pthread.h>
#include <sys/queue.h>

#include "stock.h"
#include "thief.h"

TAILQ_HEAD(bufpool_waiters, bufpool_waiter);

struct bufpool_queue {
	/* written under @lock, read at any time */
	struct bufpool_status status __attribute__((aligned(8)));

	pthread_mutex_t lock;		/* of everything else */
	pthread_condattr_t monotonic;
	struct bufpool_stock *stock;
	struct bufpool_thief *thief;
	struct bufpool_waiters waiters;
	__u64 waits;			/* rents that had to wait */
};

void bufpool_queue_init(struct bufpool_queue *queue, struct bufpool_stock *stock,
			struct bufpool_thief *thief);

static inline bool bufpool_queue_is_empty(const struct bufpool_queue *queue)
{
	return TAILQ_EMPTY(&queue->waiters);
}

/* Whether there is a waiter for this class. */
bool bufpool_queue_has(const struct bufpool_queue *queue, unsigned int class);

/*
 * Rent a block without waiting, in the caller's turn. 0, or as bufpool_stock_take(), with
 * what threads keep
 */
int bufpool_queue_take(struct bufpool_queue *queue, unsigned int class, bool zero,
		       struct bufpool_grant *grant);

/* Wait for a block, 0 without a limit. 0, -ETIMEDOUT, or as bufpool_stock_take() */
int bufpool_queue_wait(struct bufpool_queue *queue, unsigned int class, bool zero,
		       __s64 timeout_ns, struct bufpool_grant *grant);

/* End a rental: the block goes to a waiter, becomes warm, or with flags cold. */
void bufpool_queue_return(struct bufpool_queue *queue,
			  const struct bufpool_grant *grant, unsigned int flags);

/* What threads keep, about */
void bufpool_queue_count_kept(const struct bufpool_queue *queue, __u64 *blocks,
			      __u64 *bytes);

/* End the rentals of what threads keep in blocks of at least @min_size bytes. */
void bufpool_queue_recall(struct bufpool_queue *queue, __u64 min_size);

#endif /* BUFPOOL_QUEUE_H */
