// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client: one open file description of the device.
 */
#include <linux/capability.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include "bufpool.h"

static bool join(struct bufpool_client *client, struct bufpool_pool *pool)
{
	mutex_lock(&pool->clients_lock);
	client->user = bufpool_user_get(pool);
	if (client->user) {
		list_add_tail(&client->node, &pool->clients);
		pool->nr_clients++;
	}
	mutex_unlock(&pool->clients_lock);
	return client->user;
}

/**
 * bufpool_client_create - make a client
 * @pool: where it is going to rent
 * @inode: the device's
 *
 * Return: the client, which the caller owns, or NULL.
 */
struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode)
{
	struct bufpool_client *client;
	unsigned int nr;

	/* whoever opens the device pays for it */
	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return NULL;
	client->pool = pool;
	address_space_init_once(&client->mapping);
	client->mapping.host = inode;
	client->mapping.a_ops = &empty_aops;
	init_rwsem(&client->mapping.invalidate_lock);
	mapping_set_gfp_mask(&client->mapping, GFP_USER);
	init_rwsem(&client->map_sem);
	client->cookie = get_random_u32();
	spin_lock_init(&client->lock);
	INIT_LIST_HEAD(&client->held);
	client->ceiling = U64_MAX;
	client->exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	client->pid = task_tgid_nr(current);
	get_task_comm(client->comm, current);
	kref_init(&client->ref);
	for (nr = 0; nr < BUFPOOL_MAX_CLASSES; nr++)
		INIT_LIST_HEAD(&client->warm[nr].blks);
	if (!join(client, pool)) {
		kfree(client);
		return NULL;
	}
	return client;
}

static void free_client(struct kref *ref)
{
	struct bufpool_client *client =
		container_of(ref, struct bufpool_client, ref);

	mutex_lock(&client->pool->clients_lock);
	bufpool_user_put(client->pool, client->user);
	mutex_unlock(&client->pool->clients_lock);
	kfree(client);
}

/* Let go of a client. May sleep. */
void bufpool_client_put(struct bufpool_client *client)
{
	kref_put(&client->ref, free_client);
}

/**
 * bufpool_client_destroy - forget a client
 * @client: its file is being released, and it owns no block
 */
void bufpool_client_destroy(struct bufpool_client *client)
{
	struct bufpool_pool *pool = client->pool;

	mutex_lock(&pool->clients_lock);
	list_del(&client->node);
	pool->nr_clients--;
	mutex_unlock(&pool->clients_lock);
	/* a thief holds a reference, and may have yet to settle */
	bufpool_client_put(client);
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
		client->ceiling = ceiling;
	spin_unlock(&client->lock);

	if (!raise)
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	spin_lock(&client->lock);
	client->ceiling = ceiling;
	spin_unlock(&client->lock);
	return 0;
}

/* Fill in what BUFPOOL_IOC_STATS says of the client. */
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats)
{
	spin_lock(&client->lock);
	stats->client_rents = client->rents;
	stats->client_returns = client->returns;
	stats->client_blocks = client->nr_held;
	stats->client_bytes = client->held_bytes;
	stats->client_ceiling = client->ceiling;
	stats->client_warm_blocks = client->nr_warm;
	stats->client_warm_bytes = client->warm_bytes;
	stats->client_warm_rents = client->warm_rents;
	stats->user_held = atomic_long_read(&client->user->held);
	stats->user_quota = bufpool_user_quota(client);
	spin_unlock(&client->lock);

	/* the largest that can be counted is none */
	if (stats->user_quota == LONG_MAX)
		stats->user_quota = U64_MAX;
}
