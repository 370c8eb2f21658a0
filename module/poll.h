/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Polling. A client that has been polled is *armed*: it is told once when something
 * comes, until it is polled again. What makes it come only queues a work, so its
 * cost does not depend on how many pollers there are; and descriptors that lie idle
 * in an epoll set are told once and not again.
 */
#ifndef _BUFPOOL_POLL_H
#define _BUFPOOL_POLL_H

#include <linux/poll.h>
#include "pool.h"

struct bufpool_client;

void bufpool_poll_init(struct bufpool_client *client);
void bufpool_poll_exit(struct bufpool_client *client);
__poll_t bufpool_poll(struct bufpool_client *client, __poll_t events);
void bufpool_poll_relieve(struct bufpool_client *client);
void bufpool_poll_work(struct work_struct *work);

/* Have armed clients told; a full barrier has been passed since the cause. */
static inline void bufpool_poll_kick(struct bufpool_pool *pool,
				     enum bufpool_poll_kind kind)
{
	if (!list_empty(&pool->armed[kind]))
		mod_delayed_work(pool->wq, &pool->wake_pollers, 0);
}

#endif /* _BUFPOOL_POLL_H */
