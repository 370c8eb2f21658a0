// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polling; see poll.h.
 *
 * Each client has a wait queue of its own. Clients that are armed are in one list
 * of the pool for each kind of event, the longest armed first. A poll arms its
 * client first, and then looks; so either it sees what came, or is seen.
 */
#include <linux/jiffies.h>
#include "bufpool.h"

/* When stacks are looked into again for pollers, as for waiters */
#define KEPT_DELAY	msecs_to_jiffies(50)

static const __poll_t poll_masks[] = {
	[BUFPOOL_POLL_IN] = EPOLLIN | EPOLLRDNORM,
	[BUFPOOL_POLL_PRI] = EPOLLPRI,
};

/* Make a client that is not armed. */
void bufpool_poll_init(struct bufpool_client *client)
{
	unsigned int kind;

	init_waitqueue_head(&client->poll);
	for (kind = 0; kind < BUFPOOL_POLL_KINDS; kind++)
		INIT_LIST_HEAD(&client->armed[kind]);
	bufpool_poll_relieve(client);
}

/* A client gives up what it does not need: it need not be asked again for now. */
void bufpool_poll_relieve(struct bufpool_client *client)
{
	WRITE_ONCE(client->pressure_seen,
		   atomic_read(&client->pool->status->pressure));
}

/* Undo bufpool_poll_init(). */
void bufpool_poll_exit(struct bufpool_client *client)
{
	struct bufpool_pool *pool = client->pool;
	unsigned int kind;

	spin_lock(&pool->poll_lock);
	for (kind = 0; kind < BUFPOOL_POLL_KINDS; kind++)
		list_del_init(&client->armed[kind]);
	spin_unlock(&pool->poll_lock);
}

static void poll_arm(struct bufpool_client *client, enum bufpool_poll_kind kind)
{
	struct bufpool_pool *pool = client->pool;

	spin_lock(&pool->poll_lock);
	if (list_empty(&client->armed[kind]))
		list_add_tail(&client->armed[kind], &pool->armed[kind]);
	spin_unlock(&pool->poll_lock);
	/* pairs with bufpool_poll_kick(): arm, and then look */
	smp_mb();
}

/* Whether the system was short of memory within the last second. */
static bool poll_is_pressed(const struct bufpool_pool *pool)
{
	return atomic_read(&pool->status->pressure) &&
	       time_before(jiffies, READ_ONCE(pool->pressure_at) + HZ);
}

/* Whether there may be an event for any client. */
static bool poll_is_ready(struct bufpool_pool *pool, enum bufpool_poll_kind kind)
{
	if (kind == BUFPOOL_POLL_IN)
		return bufpool_rent_could(&pool->classes[0], NULL);
	return bufpool_pool_waiting(pool) || poll_is_pressed(pool);
}

/* Whether there is one for this client. */
static bool poll_is_ready_for(struct bufpool_client *client,
			      enum bufpool_poll_kind kind)
{
	struct bufpool_pool *pool = client->pool;

	if (kind == BUFPOOL_POLL_IN)
		return bufpool_rent_could(&pool->classes[0], client->branch);
	if (bufpool_pool_waiting(pool))
		return true;
	return READ_ONCE(client->pressure_seen) !=
	       atomic_read(&pool->status->pressure) && poll_is_pressed(pool);
}

/* A program that keeps a block, which could be had, tells nobody: have it looked for. */
static void poll_look_again(struct bufpool_pool *pool, enum bufpool_poll_kind kind)
{
	if (kind == BUFPOOL_POLL_IN && bufpool_kept_is_possible(pool))
		queue_delayed_work(pool->wq, &pool->wake_pollers, KEPT_DELAY);
}

/**
 * bufpool_poll - which events there are for a client
 * @client: which; its poller is in client->poll already
 * @events: that the poller asks for
 *
 * Arms the client, also where there is something already: an edge-triggered poller
 * wants to be told of what comes after this.
 */
__poll_t bufpool_poll(struct bufpool_client *client, __poll_t events)
{
	__poll_t mask = 0;
	unsigned int kind;

	for (kind = 0; kind < BUFPOOL_POLL_KINDS; kind++) {
		if (!(events & poll_masks[kind]))
			continue;
		poll_arm(client, kind);
		if (poll_is_ready_for(client, kind))
			mask |= poll_masks[kind];
		else
			poll_look_again(client->pool, kind);
	}
	return mask;
}

/* The longest armed client on a list, with a reference, and armed no more. */
static struct bufpool_client *poll_take(struct bufpool_pool *pool,
					struct list_head *armed,
					enum bufpool_poll_kind kind)
{
	struct bufpool_client *client;

	spin_lock(&pool->poll_lock);
	client = list_first_entry_or_null(armed, struct bufpool_client,
					  armed[kind]);
	if (client) {
		list_del_init(&client->armed[kind]);
		kref_get(&client->ref);
	}
	spin_unlock(&pool->poll_lock);
	return client;
}

/*
 * Wake the clients that are armed now, for as long as there is something for them.
 * Those that arm anew meanwhile are for the next time.
 */
static void poll_wake(struct bufpool_pool *pool, enum bufpool_poll_kind kind)
{
	struct bufpool_client *client;
	LIST_HEAD(armed);
	bool is_left;

	spin_lock(&pool->poll_lock);
	list_splice_init(&pool->armed[kind], &armed);
	spin_unlock(&pool->poll_lock);

	while (poll_is_ready(pool, kind) &&
	       (client = poll_take(pool, &armed, kind))) {
		wake_up_poll(&client->poll, poll_masks[kind]);
		bufpool_client_put(client);
		cond_resched();
	}

	spin_lock(&pool->poll_lock);
	is_left = !list_empty(&armed);
	list_splice(&armed, &pool->armed[kind]);
	spin_unlock(&pool->poll_lock);
	/* what came before they were back in the list has not seen them there */
	smp_mb();
	if (is_left && poll_is_ready(pool, kind))
		mod_delayed_work(pool->wq, &pool->wake_pollers, 0);
	else if (is_left)
		poll_look_again(pool, kind);
}

/* Tell armed clients. */
void bufpool_poll_work(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(to_delayed_work(work), struct bufpool_pool, wake_pollers);
	unsigned int kind;

	for (kind = 0; kind < BUFPOOL_POLL_KINDS; kind++)
		poll_wake(pool, kind);
}
