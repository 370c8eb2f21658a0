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

#include "stock.h"
#include "thief.h"

struct bufpool_waiter;

/* The longest waiting first */
struct bufpool_waiters {
	struct bufpool_waiter *first;
	struct bufpool_waiter *last;
};

/* A pipe that has a byte in it while there is a block of a class, if anybody asked for it */
struct bufpool_watcher {
	struct bufpool_file ends[2];	/* to read from, and to write to */
	bool is_made;
	bool is_ready;
};

struct bufpool_queue {
	/* written under @lock, read at any time */
	struct bufpool_status status __attribute__((aligned(8)));

	pthread_mutex_t lock;		/* of everything else */
	bool is_cancelled;		/* nobody may wait; atomic */
	struct bufpool_stock *stock;
	struct bufpool_thief *thief;
	struct bufpool_waiters waiters;
	__u64 waits;			/* rents that had to wait */
	unsigned int nr_watchers;
	struct bufpool_watcher watchers[BUFPOOL_CLASSES_MAX];
};

void bufpool_queue_init(struct bufpool_queue *queue, struct bufpool_stock *stock,
			struct bufpool_thief *thief);

static inline bool bufpool_queue_is_empty(const struct bufpool_queue *queue)
{
	return !queue->waiters.first;
}

/* Whether there is a waiter for this class. */
bool bufpool_queue_has(const struct bufpool_queue *queue, unsigned int class);

/*
 * Rent a block without waiting, in the caller's turn. 0, or as bufpool_stock_take(), with
 * what threads keep
 */
int bufpool_queue_take(struct bufpool_queue *queue, unsigned int class, bool zero,
		       struct bufpool_grant *grant);

/*
 * Wait for a block, 0 without a limit. 0, -ETIMEDOUT, -EINTR, -ECANCELED, or as
 * bufpool_stock_take()
 */
int bufpool_queue_wait(struct bufpool_queue *queue, unsigned int class, bool zero,
		       __s64 timeout_ns, struct bufpool_grant *grant);

/* End a rental: the block goes to a waiter, becomes warm, or with flags cold. */
void bufpool_queue_return(struct bufpool_queue *queue,
			  const struct bufpool_grant *grant, unsigned int flags);

/*
 * From now on nobody waits, or again whoever likes to. Without the lock, those who wait
 * are told within a moment; with it at once.
 */
void bufpool_queue_set_cancelled(struct bufpool_queue *queue, bool is_cancelled);
void bufpool_queue_wake_cancelled(struct bufpool_queue *queue);

/* A descriptor of a class's watcher, which is the caller's; or -errno */
int bufpool_queue_watch(struct bufpool_queue *queue, unsigned int class);

/* Before the lock is let go: something may have changed that watchers are to see. */
void bufpool_queue_update_watchers(struct bufpool_queue *queue);

/* In a child of fork() too */
void bufpool_queue_destroy(struct bufpool_queue *queue);

/* What threads keep, about */
void bufpool_queue_count_kept(const struct bufpool_queue *queue, __u64 *blocks,
			      __u64 *bytes);

/* End the rentals of what threads keep in blocks of at least @min_size bytes. */
void bufpool_queue_recall(struct bufpool_queue *queue, __u64 min_size);

#endif /* BUFPOOL_QUEUE_H */
