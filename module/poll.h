/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Polling. A poller that has looked is *armed*: it is told once when something
 * comes, until it looks again. What makes it come only queues a work, so its
 * cost does not depend on how many pollers there are; and descriptors that lie idle
 * in an epoll set are told once and not again.
 */
#ifndef _BUFPOOL_POLL_H
#define _BUFPOOL_POLL_H

#include <linux/list.h>
#include <linux/poll.h>
#include "pool.h"

struct bufpool_client;

/**
 * struct bufpool_poll - who polls for one thing
 * @client: whose; constant, as are the next two
 * @tasks: that poll for it
 * @kind: the number of a class, or BUFPOOL_POLL_PRI
 * @node: in pool->armed[@kind]; pool->poll_lock
 */
struct bufpool_poll {
	struct bufpool_client *client;
	wait_queue_head_t *tasks;
	unsigned int kind;
	struct list_head node;
};

void bufpool_poll_init(struct bufpool_client *client);
void bufpool_poll_exit(struct bufpool_client *client);
__poll_t bufpool_poll_client(struct bufpool_client *client, __poll_t events);
void bufpool_poll_relieve(struct bufpool_client *client);
void bufpool_poll_work(struct work_struct *work);
int bufpool_poll_create(struct bufpool_client *client, const struct bufpool_class *class);

/* Have those told that are armed for blocks; a full barrier has been passed since the cause. */
static inline void bufpool_poll_kick(struct bufpool_pool *pool)
{
	if (READ_ONCE(pool->armed_kinds) & ~BIT(BUFPOOL_POLL_PRI))
		mod_delayed_work(pool->wq, &pool->wake_pollers, 0);
}

/* The same of those that are asked for blocks */
static inline void bufpool_poll_kick_pri(struct bufpool_pool *pool)
{
	if (READ_ONCE(pool->armed_kinds) & BIT(BUFPOOL_POLL_PRI))
		mod_delayed_work(pool->wq, &pool->wake_pollers, 0);
}

#endif /* _BUFPOOL_POLL_H */
