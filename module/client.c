// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client: one open file description, and the blocks it rents.
 *
 * Renting ends with publishing: until then the blocks are in transit, so a call
 * that cannot tell its caller what it got puts them back as if it had never been.
 * Returning begins with claiming: from then on the blocks are in transit, and of
 * several returns of one block exactly one succeeds.
 */
#include <linux/capability.h>
#include <linux/jhash.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include "bufpool.h"

#define HANDLE_CLASS_SHIFT	(BUFPOOL_INDEX_BITS + 32)

/*
 * The generation says for which rental of a block a handle is good, and also
 * whether a handle was ever this client's: it counts the handles that the client
 * was given, from a start that depends on client and block. So a handle
 * returned twice can be told from one that somebody else has, whatever has
 * become of the block since.
 */
static u32 generation_base(const struct bufpool_client *client, u32 place)
{
	return jhash_1word(place, client->cookie);
}

static bool was_issued(const struct bufpool_client *client, u64 handle)
{
	u32 base = generation_base(client, upper_32_bits(handle));
	u32 serial = lower_32_bits(handle) - base;

	return serial && serial <= client->issued;
}

static size_t blk_size(struct bufpool_blk *blk)
{
	return bufpool_class_block_size(bufpool_blk_class(blk));
}

static u32 blk_place(struct bufpool_blk *blk)
{
	u32 class = bufpool_blk_class(blk)->nr;

	return class << BUFPOOL_INDEX_BITS | bufpool_blk_index(blk);
}

static struct bufpool_blk *find_handle(struct bufpool_pool *pool, u64 handle)
{
	u64 index = upper_32_bits(handle) & (BIT(BUFPOOL_INDEX_BITS) - 1);
	u64 nr = handle >> HANDLE_CLASS_SHIFT;

	if (nr >= pool->nr_classes)
		return NULL;
	nr = array_index_nospec(nr, pool->nr_classes);
	return bufpool_slab_find(&pool->classes[nr], index);
}

/**
 * bufpool_blk_report - what a renter has to know of a block
 * @blk: in transit or the caller's
 * @report: is filled in
 */
void bufpool_blk_report(struct bufpool_blk *blk, struct bufpool_block *report)
{
	struct bufpool_class *class = bufpool_blk_class(blk);
	u64 place = blk_place(blk);

	report->handle = place << 32 | blk->generation;
	report->offset = ((u64)class->nr << BUFPOOL_SPAN_SHIFT) +
			 ((u64)bufpool_blk_index(blk) << class->shift);
	report->length = bufpool_class_block_size(class);
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
	struct bufpool_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

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
	atomic_inc(&pool->clients);
	return client;
}

/* Put back one block in transit. May sleep. */
static void put(struct bufpool_blk *blk, bool clear)
{
	list_del_init(&blk->node);
	blk->dirty |= blk->touched;
	blk->touched = false;
	if (clear)
		bufpool_blk_scrub(blk);
	bufpool_class_put(blk);
	cond_resched();
}

/* Put back blocks that were rented. */
static void settle(struct bufpool_pool *pool, struct list_head *batch,
		   bool clear)
{
	struct bufpool_blk *blk, *next;

	list_for_each_entry_safe(blk, next, batch, node) {
		WRITE_ONCE(blk->owner, NULL);
		bufpool_count(pool, BUFPOOL_RETURNS);
		put(blk, clear);
	}
}

/**
 * bufpool_client_destroy - give everything back that the client holds
 * @client: its file is being released
 *
 * Every mapping holds the file, and so does every call and every fault; so
 * there are none any more, and no page-table entry either; and nobody else
 * takes the lock.
 */
void bufpool_client_destroy(struct bufpool_client *client)
{
	WARN_ON_ONCE(mapping_mapped(&client->mapping));
	settle(client->pool, &client->held, false);
	atomic_dec(&client->pool->clients);
	kfree(client);
}

/* Return: how many of @count blocks the ceiling admits. */
static unsigned int charge(struct bufpool_client *client,
			   struct bufpool_class *class, unsigned int count)
{
	u64 room = 0;

	spin_lock(&client->lock);
	if (client->ceiling > client->charged)
		room = (client->ceiling - client->charged) >> class->shift;
	count = min_t(u64, count, room);
	client->charged += (u64)count << class->shift;
	spin_unlock(&client->lock);
	return count;
}

static void uncharge(struct bufpool_client *client, struct bufpool_class *class,
		     unsigned int count)
{
	spin_lock(&client->lock);
	client->charged -= (u64)count << class->shift;
	spin_unlock(&client->lock);
}

static void issue(struct bufpool_client *client, struct list_head *batch)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	list_for_each_entry(blk, batch, node) {
		u32 base = generation_base(client, blk_place(blk));

		/* no handle is 0, so that programs can use 0 for none */
		do {
			client->issued++;
			blk->generation = base + lower_32_bits(client->issued);
		} while (!blk->generation);
	}
	spin_unlock(&client->lock);
}

/* Return: how many blocks, at least 1, or the error that the first met. */
static int rent(struct bufpool_client *client, struct bufpool_request *request,
		unsigned int wanted, struct list_head *batch)
{
	unsigned int count = charge(client, request->class, wanted);
	struct bufpool_blk *blk = ERR_PTR(-EDQUOT);
	unsigned int done;

	for (done = 0; done < count; done++) {
		blk = bufpool_class_rent(request);
		if (IS_ERR(blk))
			break;
		list_add_tail(&blk->node, batch);
	}
	uncharge(client, request->class, count - done);
	return done ?: PTR_ERR(blk);
}

/**
 * bufpool_client_rent - get blocks for a client
 * @client: who is going to own them
 * @request: what is wanted; is changed
 * @batch: an empty list, gets the blocks; they are zero, have their handles, and
 *	stay in transit: bufpool_client_publish() or bufpool_client_abort() is due
 *
 * Waits for the first block only, if at all. May sleep.
 *
 * Return: how many, at least 1, or -EDQUOT, -EAGAIN, -ETIMEDOUT, -ENOMEM,
 * -ERESTARTSYS.
 */
int bufpool_client_rent(struct bufpool_client *client,
			struct bufpool_request *request,
			struct list_head *batch)
{
	unsigned int done;
	int err;

	/* a call that waits has no more than the one block charged */
	err = rent(client, request, 1, batch);
	if (err < 0)
		return err;
	done = 1;
	request->nonblock = true;
	if (request->count > done) {
		err = rent(client, request, request->count - done, batch);
		if (err > 0)
			done += err;
	}
	issue(client, batch);
	return done;
}

/**
 * bufpool_client_publish - make a client the owner of its new blocks
 * @client: whose
 * @batch: what bufpool_client_rent() filled
 */
void bufpool_client_publish(struct bufpool_client *client,
			    struct list_head *batch)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	list_for_each_entry(blk, batch, node) {
		bufpool_count(client->pool, BUFPOOL_RENTS);
		if (blk->used)
			bufpool_count(client->pool, BUFPOOL_REUSED);
		blk->used = true;
		client->nr_held++;
		client->held_bytes += blk_size(blk);
		client->rents++;
		/* whoever sees the owner sees the zeroes */
		smp_store_release(&blk->owner, client);
	}
	list_splice_tail_init(batch, &client->held);
	spin_unlock(&client->lock);
}

/**
 * bufpool_client_abort - undo bufpool_client_rent()
 * @client: who asked
 * @batch: what bufpool_client_rent() filled; may be empty
 */
void bufpool_client_abort(struct bufpool_client *client,
			  struct list_head *batch)
{
	struct bufpool_blk *blk, *next;

	list_for_each_entry_safe(blk, next, batch, node) {
		uncharge(client, bufpool_blk_class(blk), 1);
		put(blk, false);
	}
}

/**
 * bufpool_client_holds - whether a block is this client's
 * @client: whose map_sem or lock is held, if the answer is to last
 * @blk: any, under RCU
 */
bool bufpool_client_holds(struct bufpool_client *client,
			  struct bufpool_blk *blk)
{
	/* pairs with bufpool_client_publish() */
	return smp_load_acquire(&blk->owner) == client;
}

/* Take a block from the client: from here on it is in transit. */
static int claim(struct bufpool_client *client, u64 handle,
		 struct list_head *batch)
{
	struct bufpool_blk *blk;
	int err = 0;

	lockdep_assert_held(&client->lock);
	rcu_read_lock();
	blk = find_handle(client->pool, handle);
	if (!blk || !bufpool_client_holds(client, blk) ||
	    blk->generation != lower_32_bits(handle))
		err = was_issued(client, handle) ? -ESTALE : -ENOENT;
	rcu_read_unlock();
	if (err)
		return err;

	WRITE_ONCE(blk->owner, NULL);
	list_move_tail(&blk->node, batch);
	client->nr_held--;
	client->held_bytes -= blk_size(blk);
	client->charged -= blk_size(blk);
	client->returns++;
	return 0;
}

/**
 * bufpool_client_return - give blocks back
 * @client: whose
 * @handles: of which blocks
 * @count: how many
 * @clear: make them zero first
 *
 * When it returns no page-table entry of the client reaches the blocks. May
 * sleep.
 *
 * Return: how many, from the first on, up to the first that is refused; or, if
 * that is the first, -ENOENT or -ESTALE.
 */
int bufpool_client_return(struct bufpool_client *client, const u64 *handles,
			  unsigned int count, bool clear)
{
	unsigned int done;
	LIST_HEAD(batch);
	int err = 0;

	spin_lock(&client->lock);
	for (done = 0; done < count; done++) {
		err = claim(client, handles[done], &batch);
		if (err)
			break;
	}
	spin_unlock(&client->lock);
	if (!done)
		return err;

	bufpool_map_revoke(client, &batch);
	settle(client->pool, &batch, clear);
	return done;
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
	spin_unlock(&client->lock);
}
