// SPDX-License-Identifier: GPL-2.0-only
/*
 * Warm blocks: returned, but still kept and mapped for the client that had them.
 *
 * A warm block keeps its owner and its page-table entries. What tells it from a
 * rented one is blk->warm: it has no valid handle, and is not mapped anew. Its
 * client rents it again under its own lock alone. It leaves the client in
 * one of three ways, each of which revokes first: the client gives it up
 * (trim, release), another renter needs it (steal), or it has not been used for
 * long (age).
 *
 * A client's list is in the order of use, the latest first, so the longest
 * unused block of all is the oldest of the lists' last ones.
 *
 * Nothing is kept warm while somebody waits. Whoever begins to wait just then
 * is told when the block is warm, and takes it away again.
 */
#include <linux/jiffies.h>
#include "bufpool.h"
#include "trace.h"

static struct bufpool_blk *warm_oldest(struct bufpool_client *client, unsigned int nr)
{
	lockdep_assert_held(&client->lock);
	if (list_empty(&client->warm[nr].blks))
		return NULL;
	return list_last_entry(&client->warm[nr].blks, struct bufpool_blk, node);
}

/**
 * bufpool_warm_room - how many blocks more a client may keep warm at this instant
 * @client: which; its lock is held until the blocks are warm
 * @class: of which size
 */
unsigned int bufpool_warm_room(struct bufpool_client *client,
			       struct bufpool_class *class)
{
	struct bufpool_pool *pool = client->pool;
	unsigned int nr = client->warm[class->nr].nr;
	unsigned long most;

	lockdep_assert_held(&client->lock);
	if (!class->pooled || bufpool_pool_waiting(pool) ||
	    atomic_long_read(&client->user->held) >
	    (long)bufpool_user_quota(client) ||
	    bufpool_pool_missing(pool, 0))
		return 0;
	most = min(READ_ONCE(pool->config.warm_blocks),
		   READ_ONCE(pool->config.warm_bytes) >> class->shift);
	return most > nr ? most - nr : 0;
}

/**
 * bufpool_warm_keep - keep a returned block warm, if that is within bounds
 * @client: the owner; its lock is held
 * @class: the block's
 * @blk: on a list, which it leaves
 *
 * Return: whether it is kept.
 */
bool bufpool_warm_keep(struct bufpool_client *client, struct bufpool_class *class,
		       struct bufpool_blk *blk)
{
	if (!bufpool_warm_room(client, class))
		return false;
	bufpool_warm_add(client, class, blk);
	bufpool_warm_count(client, class, 1);
	return true;
}

/**
 * bufpool_warm_take - take the client's own warm blocks, the latest used first
 * @client: whose lock is held
 * @class: of which size
 * @wanted: at most so many
 * @batch: an empty list, gets them; they stay warm until they are published
 *
 * Return: how many.
 */
unsigned int bufpool_warm_take(struct bufpool_client *client,
			       struct bufpool_class *class, unsigned int wanted,
			       struct list_head *batch)
{
	struct bufpool_warm *warm = &client->warm[class->nr];
	unsigned int done = min(wanted, warm->nr), i;
	struct list_head *last = &warm->blks;

	lockdep_assert_held(&client->lock);
	if (!done)
		return 0;
	if (done == warm->nr) {
		list_splice_init(&warm->blks, batch);
	} else {
		for (i = 0; i < done; i++)
			last = last->next;
		list_cut_position(batch, &warm->blks, last);
	}
	bufpool_warm_count(client, class, -(int)done);
	return done;
}

/* Take a client's oldest block of a class out of it; it is in transit then. */
static struct bufpool_blk *warm_claim_oldest(struct bufpool_client *client,
					unsigned int nr)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	blk = warm_oldest(client, nr);
	if (blk) {
		bufpool_warm_count(client, bufpool_blk_class(blk), -1);
		list_del_init(&blk->node);
		bufpool_client_disown(client, blk);
		WRITE_ONCE(blk->warm, false);
	}
	spin_unlock(&client->lock);
	return blk;
}

/* Unmap a block that was claimed, after a fence. Return: its bytes. */
static size_t warm_evict(struct bufpool_client *client, struct bufpool_blk *blk)
{
	size_t size = bufpool_class_block_size(bufpool_blk_class(blk));

	bufpool_map_unmap(client, blk);
	bufpool_blk_update_dirty(blk);
	bufpool_budget_uncharge_user(client, size);
	return size;
}

/**
 * bufpool_warm_trim - give a client's warm blocks to the depot
 * @client: whose
 * @min_size: only blocks of at least so many bytes
 *
 * May sleep.
 *
 * Return: how many bytes.
 */
u64 bufpool_warm_trim(struct bufpool_client *client, u64 min_size)
{
	struct bufpool_pool *pool = client->pool;
	u64 bytes = 0, left = READ_ONCE(client->nr_warm);
	struct bufpool_blk *blk;
	unsigned int nr;

	for (nr = 0; nr < pool->nr_classes; nr++) {
		if (bufpool_class_block_size(&pool->classes[nr]) < min_size)
			continue;
		/* others may keep blocks warm meanwhile, without an end */
		while (left && (blk = warm_claim_oldest(client, nr))) {
			left--;
			bufpool_map_synchronize(client);
			bytes += warm_evict(client, blk);
			bufpool_supply_put(blk);
			cond_resched();
		}
	}
	return bytes;
}

/* What a search for the longest unused warm block looks at, and finds. */
struct search {
	struct bufpool_class *class;	/* NULL: any */
	struct bufpool_user *user;	/* NULL: anybody's */
	struct bufpool_client *client;	/* whose it is */
	unsigned int nr;		/* of which class */
	u32 since;			/* unused since then, in jiffies */
};

static void warm_search_class(struct search *search, struct bufpool_client *client,
			  unsigned int nr)
{
	struct bufpool_blk *blk = warm_oldest(client, nr);

	if (!blk || (search->client && (s32)(blk->since - search->since) >= 0))
		return;
	search->client = client;
	search->nr = nr;
	search->since = blk->since;
}

static void warm_search_client(struct search *search, struct bufpool_client *client)
{
	unsigned int nr;

	if (!READ_ONCE(client->nr_warm) ||
	    (search->user && search->user != client->user))
		return;
	spin_lock(&client->lock);
	if (search->class)
		warm_search_class(search, client, search->class->nr);
	else
		for (nr = 0; nr < client->pool->nr_classes; nr++)
			warm_search_class(search, client, nr);
	spin_unlock(&client->lock);
}

/* Return: whether there is one; search->client has a reference then. */
static bool warm_search_pool(struct search *search, struct bufpool_pool *pool)
{
	struct bufpool_client *client;

	search->client = NULL;
	mutex_lock(&pool->clients_lock);
	list_for_each_entry(client, &pool->clients, node)
		warm_search_client(search, client);
	if (search->client)
		kref_get(&search->client->ref);
	mutex_unlock(&pool->clients_lock);
	return search->client;
}

/**
 * bufpool_warm_steal - take the longest unused warm block from whoever has it
 * @pool: where
 * @class: of this size; NULL is any
 * @user: from this user's clients; NULL is anybody's
 *
 * May sleep; the caller holds no client's lock or map_sem.
 *
 * Return: the block, in transit and maybe dirty, or NULL if there is none.
 */
struct bufpool_blk *bufpool_warm_steal(struct bufpool_pool *pool,
				       struct bufpool_class *class,
				       struct bufpool_user *user)
{
	struct search search = { .class = class, .user = user };
	struct bufpool_blk *blk = NULL;

	/* between finding and claiming, its client may have used it */
	while (!blk && warm_search_pool(&search, pool)) {
		blk = warm_claim_oldest(search.client, search.nr);
		if (blk) {
			bufpool_map_synchronize(search.client);
			warm_evict(search.client, blk);
			trace_bufpool_steal(search.client, blk);
		}
		bufpool_client_put(search.client);
	}
	if (blk)
		bufpool_count(pool->counters, BUFPOOL_STEALS);
	return blk;
}

/* Whether anybody has a warm block of a class. May sleep. */
bool bufpool_warm_any(struct bufpool_pool *pool, struct bufpool_class *class)
{
	struct search search = { .class = class };

	if (!warm_search_pool(&search, pool))
		return false;
	bufpool_client_put(search.client);
	return true;
}

/* Bytes in warm blocks of all clients of a user. May sleep. */
u64 bufpool_warm_of_user(struct bufpool_pool *pool,
			 const struct bufpool_user *user)
{
	struct bufpool_client *client;
	u64 bytes = 0;

	mutex_lock(&pool->clients_lock);
	list_for_each_entry(client, &pool->clients, node)
		if (client->user == user)
			bytes += READ_ONCE(client->warm_bytes);
	mutex_unlock(&pool->clients_lock);
	return bytes;
}

static bool warm_is_older(struct bufpool_client *client, unsigned int nr, u32 since)
{
	struct bufpool_blk *blk;
	bool ret;

	spin_lock(&client->lock);
	blk = warm_oldest(client, nr);
	ret = blk && (s32)(blk->since - since) < 0;
	spin_unlock(&client->lock);
	return ret;
}

/* Give blocks of one client up; never waits for a fault in progress. */
static size_t warm_age_client(struct bufpool_client *client, u32 since, size_t bytes)
{
	struct bufpool_pool *pool = client->pool;
	struct bufpool_blk *blk;
	size_t done = 0;
	unsigned int nr;

	for (nr = 0; nr < pool->nr_classes; nr++) {
		while (done < bytes && warm_is_older(client, nr, since)) {
			/* a fence that does not wait, see map.c */
			if (!down_write_trylock(&client->map_sem))
				return done;
			blk = warm_claim_oldest(client, nr);
			up_write(&client->map_sem);
			if (!blk)
				break;
			done += warm_evict(client, blk);
			bufpool_supply_put(blk);
		}
	}
	return done;
}

static bool warm_lock_clients(struct bufpool_pool *pool, bool may_wait)
{
	if (!may_wait)
		return mutex_trylock(&pool->clients_lock);
	mutex_lock(&pool->clients_lock);
	return true;
}

/**
 * bufpool_warm_age - give up warm blocks that have not been used for long
 * @pool: whose
 * @since: those unused since before then, in jiffies
 * @bytes: about so many
 * @may_wait: for who looks through the clients just now; not so in reclaim, since
 *	that may be an allocation under clients_lock
 *
 * Does not wait for faults, of which one may be the caller's: clients in the
 * middle of one are passed over.
 *
 * Return: how many bytes.
 */
size_t bufpool_warm_age(struct bufpool_pool *pool, u32 since, size_t bytes,
			bool may_wait)
{
	struct bufpool_client *client;
	size_t done = 0;

	if (!warm_lock_clients(pool, may_wait))
		return 0;
	list_for_each_entry(client, &pool->clients, node) {
		if (done >= bytes)
			break;
		if (READ_ONCE(client->nr_warm))
			done += warm_age_client(client, since, bytes - done);
	}
	mutex_unlock(&pool->clients_lock);
	return done;
}
