// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polling; see poll.h.
 *
 * Pollers that are armed are in one list of the pool for each kind of event, the longest
 * armed first. A poller is armed before it looks; so either it sees what came, or is seen.
 *
 * A poller of its own, for another size than the smallest, has a file, and a queue of tasks
 * that nothing else wakes: of tasks that wait exclusively one wake-up wakes one. It holds
 * the memory of its client, and nothing that the client rents or keeps.
 */
#include <linux/anon_inodes.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include "bufpool.h"

/* When stacks are looked into again for pollers, as for waiters */
#define KEPT_DELAY	msecs_to_jiffies(50)

#define POLL_ROOM		(EPOLLIN | EPOLLRDNORM)

static __poll_t poll_mask(unsigned int kind)
{
	return kind == BUFPOOL_POLL_PRI ? EPOLLPRI : POLL_ROOM;
}

/**
 * struct poller - a poller of its own
 * @poll: what it polls for
 * @tasks: that do so
 * @rcu: for freeing, since it may just be woken
 */
struct poller {
	struct bufpool_poll poll;
	wait_queue_head_t tasks;
	struct rcu_head rcu;
};

static void poll_init(struct bufpool_poll *poll, struct bufpool_client *client,
		      wait_queue_head_t *tasks, unsigned int kind)
{
	poll->client = client;
	poll->tasks = tasks;
	poll->kind = kind;
	INIT_LIST_HEAD(&poll->node);
}

/* Make a client that is not armed. */
void bufpool_poll_init(struct bufpool_client *client)
{
	init_waitqueue_head(&client->poll);
	init_waitqueue_head(&client->end);
	poll_init(&client->room, client, &client->poll, 0);
	poll_init(&client->plea, client, &client->poll, BUFPOOL_POLL_PRI);
	bufpool_poll_relieve(client);
}

/* A client gives up what it does not need: it need not be asked again for now. */
void bufpool_poll_relieve(struct bufpool_client *client)
{
	WRITE_ONCE(client->pressure_seen,
		   atomic_read(&client->pool->status->pressure));
}

/* pool->poll_lock is held. */
static void poll_update_kind(struct bufpool_pool *pool, unsigned int kind)
{
	lockdep_assert_held(&pool->poll_lock);
	if (list_empty(&pool->armed[kind]))
		WRITE_ONCE(pool->armed_kinds, pool->armed_kinds & ~BIT(kind));
	else
		WRITE_ONCE(pool->armed_kinds, pool->armed_kinds | BIT(kind));
}

static void poll_disarm(struct bufpool_poll *poll)
{
	struct bufpool_pool *pool = poll->client->pool;

	spin_lock(&pool->poll_lock);
	list_del_init(&poll->node);
	poll_update_kind(pool, poll->kind);
	spin_unlock(&pool->poll_lock);
}

/* Undo bufpool_poll_init(). Pollers of their own see that the client is gone. */
void bufpool_poll_exit(struct bufpool_client *client)
{
	poll_disarm(&client->room);
	poll_disarm(&client->plea);
	WRITE_ONCE(client->is_closed, true);
	/* each of them, also those that wait exclusively */
	__wake_up(&client->end, TASK_NORMAL, 0, poll_to_key(EPOLLHUP | EPOLLERR));
}

static void poll_arm(struct bufpool_poll *poll)
{
	struct bufpool_pool *pool = poll->client->pool;

	spin_lock(&pool->poll_lock);
	if (list_empty(&poll->node))
		list_add_tail(&poll->node, &pool->armed[poll->kind]);
	poll_update_kind(pool, poll->kind);
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
static bool poll_is_ready(struct bufpool_pool *pool, unsigned int kind)
{
	if (kind != BUFPOOL_POLL_PRI)
		return bufpool_rent_could(&pool->classes[kind], NULL);
	return bufpool_pool_waiting(pool) || poll_is_pressed(pool);
}

/* Whether there is one for the client. */
static bool poll_is_ready_for(const struct bufpool_poll *poll)
{
	struct bufpool_client *client = poll->client;
	struct bufpool_pool *pool = client->pool;

	if (poll->kind != BUFPOOL_POLL_PRI)
		return bufpool_rent_could(&pool->classes[poll->kind], client);
	if (bufpool_pool_waiting(pool))
		return true;
	return READ_ONCE(client->pressure_seen) !=
	       atomic_read(&pool->status->pressure) && poll_is_pressed(pool);
}

/* A program that keeps a block, which could be had, tells nobody: have it looked for. */
static void poll_look_again(struct bufpool_pool *pool, unsigned int kind)
{
	if (kind != BUFPOOL_POLL_PRI && bufpool_kept_is_possible(pool))
		queue_delayed_work(pool->wq, &pool->wake_pollers, KEPT_DELAY);
}

/*
 * Arms the poller, also where there is something already: an edge-triggered one
 * wants to be told of what comes after this.
 */
static __poll_t poll_look(struct bufpool_poll *poll, __poll_t events)
{
	__poll_t mask = poll_mask(poll->kind);

	if (!(events & mask))
		return 0;
	poll_arm(poll);
	if (poll_is_ready_for(poll))
		return mask;
	poll_look_again(poll->client->pool, poll->kind);
	return 0;
}

/**
 * bufpool_poll_client - which events there are for a client
 * @client: which; its poller is in client->poll already
 * @events: that the poller asks for
 */
__poll_t bufpool_poll_client(struct bufpool_client *client, __poll_t events)
{
	return poll_look(&client->room, events) | poll_look(&client->plea, events);
}

/*
 * Wake the longest armed on a list, which is armed no more. Without the lock: how many are
 * told is up to the poller, which may be in any number of epoll sets. It may be closed
 * meanwhile; then RCU keeps it and its queue, which has been empty since, and the next one is
 * told, as there is something still. Return: whether there was one
 */
static bool poll_wake_first(struct bufpool_pool *pool, struct list_head *armed)
{
	struct bufpool_poll *poll;

	rcu_read_lock();
	spin_lock(&pool->poll_lock);
	poll = list_first_entry_or_null(armed, struct bufpool_poll, node);
	if (poll)
		list_del_init(&poll->node);
	spin_unlock(&pool->poll_lock);
	if (poll)
		wake_up_poll(poll->tasks, poll_mask(poll->kind));
	rcu_read_unlock();
	return poll;
}

/*
 * Wake the pollers that are armed now, for as long as there is something for them.
 * Those that arm anew meanwhile are for the next time.
 */
static void poll_wake(struct bufpool_pool *pool, unsigned int kind)
{
	LIST_HEAD(armed);
	bool is_left;

	spin_lock(&pool->poll_lock);
	list_splice_init(&pool->armed[kind], &armed);
	poll_update_kind(pool, kind);
	spin_unlock(&pool->poll_lock);

	while (poll_is_ready(pool, kind) && poll_wake_first(pool, &armed))
		cond_resched();

	spin_lock(&pool->poll_lock);
	is_left = !list_empty(&armed);
	list_splice(&armed, &pool->armed[kind]);
	poll_update_kind(pool, kind);
	spin_unlock(&pool->poll_lock);
	/* what came before they were back in the list has not seen them there */
	smp_mb();
	if (is_left && poll_is_ready(pool, kind))
		mod_delayed_work(pool->wq, &pool->wake_pollers, 0);
	else if (is_left)
		poll_look_again(pool, kind);
}

/* Tell armed pollers. */
void bufpool_poll_work(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(to_delayed_work(work), struct bufpool_pool, wake_pollers);
	unsigned long kinds = READ_ONCE(pool->armed_kinds);
	unsigned int kind;

	for_each_set_bit(kind, &kinds, BUFPOOL_POLL_KINDS)
		poll_wake(pool, kind);
}

/* Pollers of their own ------------------------------------------------------- */

static __poll_t poller_poll(struct file *file, poll_table *table)
{
	struct poller *poller = file->private_data;
	struct bufpool_client *client = poller->poll.client;

	poll_wait(file, &poller->tasks, table);
	poll_wait(file, &client->end, table);
	if (READ_ONCE(client->is_closed))
		return EPOLLHUP | EPOLLERR;
	return poll_look(&poller->poll, poll_requested_events(table));
}

static void poller_destroy(struct poller *poller)
{
	struct bufpool_client *client = poller->poll.client;

	poll_disarm(&poller->poll);
	bufpool_budget_uncharge(&client->account->clients, 1);
	bufpool_client_put_memory(client);
	kfree_rcu(poller, rcu);
}

static int poller_release(struct inode *inode, struct file *file)
{
	poller_destroy(file->private_data);
	return 0;
}

static const struct file_operations poller_fops = {
	.owner = THIS_MODULE,
	.release = poller_release,
	.poll = poller_poll,
	.llseek = noop_llseek,
};

/**
 * bufpool_poll_create - make a descriptor that polls for blocks of a class
 * @client: for whom
 * @class: which
 *
 * May sleep.
 *
 * Return: the descriptor, or -EDQUOT, -ENOMEM, -EMFILE, -ENFILE.
 */
int bufpool_poll_create(struct bufpool_client *client, const struct bufpool_class *class)
{
	struct poller *poller;
	int ret = bufpool_client_charge(client, 1);

	if (ret)
		return ret;
	poller = kzalloc(sizeof(*poller), GFP_KERNEL_ACCOUNT);
	if (!poller) {
		bufpool_budget_uncharge(&client->account->clients, 1);
		return -ENOMEM;
	}
	init_waitqueue_head(&poller->tasks);
	poll_init(&poller->poll, client, &poller->tasks, class->nr);
	kref_get(&client->memory);
	ret = anon_inode_getfd("[bufpool-poller]", &poller_fops, poller, O_RDONLY | O_CLOEXEC);
	if (ret < 0)
		poller_destroy(poller);
	return ret;
}
