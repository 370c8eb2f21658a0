// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client: one open file description of the device.
 */
#include <linux/capability.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include "bufpool.h"

/**
 * bufpool_client_create - make a client
 * @pool: where it is going to rent
 * @inode: the device's
 *
 * Its memory is charged to the task that opens the device. May sleep.
 *
 * Return: the client, which the caller owns, or ERR_PTR(): -EDQUOT where the account has
 * as many as it may, -ENOMEM.
 */
struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode)
{
	struct bufpool_client *client;
	int err = -ENOMEM;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return ERR_PTR(-ENOMEM);
	client->pool = pool;
	client->exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	client->account = bufpool_account_get(pool);
	if (!client->account)
		goto free;
	client->branch = bufpool_branch_get(client->account);
	/* that has one as well */
	bufpool_account_put(client->account);
	if (!client->branch)
		goto free;
	err = bufpool_client_charge(client, 1);
	if (err)
		goto put_branch;
	address_space_init_once(&client->mapping);
	client->mapping.host = inode;
	client->mapping.a_ops = &empty_aops;
	init_rwsem(&client->mapping.invalidate_lock);
	mapping_set_gfp_mask(&client->mapping, GFP_USER);
	init_waitqueue_head(&client->unpinned);
	init_waitqueue_head(&client->waits);
	client->cookie = get_random_u32();
	client->held.bound = BUFPOOL_BOUND_CEILING;
	spin_lock_init(&client->lock);
	INIT_LIST_HEAD(&client->blks);
	xa_init(&client->kept);
	INIT_LIST_HEAD(&client->places);
	client->ceiling = U64_MAX;
	client->pid = task_tgid_nr(current);
	get_task_comm(client->comm, current);
	kref_init(&client->ref);
	kref_init(&client->memory);

	spin_lock(&pool->clients_lock);
	list_add_tail_rcu(&client->node, &pool->clients);
	WRITE_ONCE(pool->nr_clients, pool->nr_clients + 1);
	spin_unlock(&pool->clients_lock);
	return client;

put_branch:
	bufpool_supply_put_branch(client->branch);
free:
	kfree(client);
	return ERR_PTR(err);
}

/**
 * bufpool_client_destroy - forget a client
 * @client: its file is being released, and it owns no block
 */
void bufpool_client_destroy(struct bufpool_client *client)
{
	struct bufpool_pool *pool = client->pool;

	spin_lock(&pool->clients_lock);
	list_del_rcu(&client->node);
	WRITE_ONCE(pool->nr_clients, pool->nr_clients - 1);
	spin_unlock(&pool->clients_lock);
	bufpool_budget_uncharge(&client->account->clients, 1);
	/* a thief holds a reference, and may have yet to settle */
	bufpool_client_put(client);
}

static void client_free(struct kref *memory)
{
	struct bufpool_client *client =
		container_of(memory, struct bufpool_client, memory);

	bufpool_supply_put_branch(client->branch);
	kfree_rcu(client, rcu);
}

/* Let go of a client's memory. May sleep. */
void bufpool_client_put_memory(struct bufpool_client *client)
{
	kref_put(&client->memory, client_free);
}

static void client_end(struct kref *ref)
{
	struct bufpool_client *client =
		container_of(ref, struct bufpool_client, ref);

	WARN_ON_ONCE(bufpool_budget_used(&client->held));
	bufpool_warm_destroy(client);
	bufpool_kept_destroy_all(client);
	bufpool_place_drop_all(client);
	bufpool_client_put_memory(client);
}

/* Let go of a client. May sleep. */
void bufpool_client_put(struct bufpool_client *client)
{
	kref_put(&client->ref, client_end);
}

/* Count a rent that is refused. */
void bufpool_client_count_refused(struct bufpool_client *client,
				  enum bufpool_refusal why)
{
	this_cpu_inc(client->pool->counters->refused[why]);
	spin_lock(&client->lock);
	client->refused[why]++;
	spin_unlock(&client->lock);
}

/**
 * bufpool_client_cancel - let no rent of a client wait, or let them again
 * @client: which
 * @cancelled: whether they may not
 */
void bufpool_client_cancel(struct bufpool_client *client, bool cancelled)
{
	WRITE_ONCE(client->cancelled, cancelled);
	if (!cancelled)
		return;
	/* who sleeps may get to run only when this has been taken back */
	atomic_inc(&client->cancels);
	wake_up_all(&client->waits);
}

/**
 * bufpool_client_set_ceiling - limit what a client may hold
 * @client: which
 * @ceiling: bytes
 *
 * Return: 0, or -EPERM for raising it without CAP_SYS_RESOURCE.
 */
int bufpool_client_set_ceiling(struct bufpool_client *client, u64 ceiling)
{
	bool raise;

	spin_lock(&client->lock);
	raise = ceiling > client->ceiling;
	if (!raise)
		WRITE_ONCE(client->ceiling, ceiling);
	spin_unlock(&client->lock);

	if (!raise)
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	spin_lock(&client->lock);
	WRITE_ONCE(client->ceiling, ceiling);
	spin_unlock(&client->lock);
	return 0;
}

/* Fill in what BUFPOOL_IOC_STATS says of the client, but what it keeps. RCU suffices. */
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats)
{
	spin_lock(&client->lock);
	stats->client_rents = client->rents;
	stats->client_returns = client->returns;
	stats->client_blocks = client->nr_rented;
	stats->client_bytes = client->rented_bytes;
	stats->client_ceiling = client->ceiling;
	stats->client_warm_bytes =
		bufpool_warm_of_client(client, &stats->client_warm_blocks);
	stats->client_warm_rents = client->warm_rents;
	stats->client_refused_again = client->refused[BUFPOOL_REFUSED_AGAIN];
	stats->client_refused_quota = client->refused[BUFPOOL_REFUSED_QUOTA];
	stats->client_refused_memory = client->refused[BUFPOOL_REFUSED_MEMORY];
	stats->client_sent = client->sent;
	stats->client_received = client->received;
	stats->client_timeouts = client->refused[BUFPOOL_REFUSED_TIMEOUT];
	stats->client_refused_waiters = client->refused[BUFPOOL_REFUSED_WAITERS];
	stats->user_quarantined = bufpool_account_quarantined(client->account);
	stats->user_held = bufpool_budget_used(&client->account->pinned);
	stats->user_quota = bufpool_client_quota(client);
	spin_unlock(&client->lock);

	/* the largest that can be counted is none */
	if (stats->user_quota == LONG_MAX)
		stats->user_quota = U64_MAX;
}
