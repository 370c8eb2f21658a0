// SPDX-License-Identifier: GPL-2.0-only
/*
 * Warm blocks: returned, but still kept and mapped for the client that had them.
 *
 * A warm block keeps its owner and its page-table entries. What tells it from a
 * rented one is its state: it has no valid handle, and is not mapped anew. Its
 * client rents it again under its own lock alone. How it leaves the client is in
 * evict.c.
 *
 * Each client has a stack of warm blocks for each class, in the order of use, the
 * longest unused at the bottom. The stacks of a class, and of an account's of it, are
 * in an order by their bottom block, see lru.h: a thief finds the longest unused
 * block at once, and a client that rents and returns pays nothing for that. A stack
 * stays in the order when it becomes empty, until a thief finds it so.
 *
 * No block is kept warm while a renter waits that it would serve as it is. A renter that
 * begins to wait just then is told when the block is warm, and takes it away again. Waiters
 * for other sizes take warm blocks that are not in use, and those of slabs that are drained
 * for them.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include "bufpool.h"

static struct bufpool_holding *warm_holding(const struct bufpool_warm *warm)
{
	return bufpool_client_holding(warm->client, warm->class);
}

/* Let others find a stack, which is not empty. */
void bufpool_warm_link(struct bufpool_warm *warm)
{
	unsigned long since = bufpool_warm_since(bufpool_warm_bottom(warm));

	bufpool_lru_add(&warm->class->warm, &warm->by_class, since);
	bufpool_lru_add(&warm_holding(warm)->warm, &warm->by_holding, since);
	warm->is_linked = true;
}

void bufpool_warm_unlink(struct bufpool_warm *warm)
{
	lockdep_assert_held(&warm->client->lock);
	if (!warm->is_linked)
		return;
	bufpool_lru_remove(&warm->class->warm, &warm->by_class);
	bufpool_lru_remove(&warm_holding(warm)->warm, &warm->by_holding);
	warm->is_linked = false;
}

/* Put a stack where it belongs in the orders, as not used since a time. */
void bufpool_warm_update(struct bufpool_warm *warm, unsigned long since)
{
	lockdep_assert_held(&warm->client->lock);
	if (!warm->is_linked)
		return;
	bufpool_lru_update(&warm->class->warm, &warm->by_class, since);
	bufpool_lru_update(&warm_holding(warm)->warm, &warm->by_holding, since);
}

/*
 * How many blocks of a class a client may keep warm, as it is configured now. One for I/O it
 * may, however large that is: to map and zero it costs as much.
 */
static unsigned long warm_most(const struct bufpool_pool *pool,
			       const struct bufpool_class *class)
{
	unsigned long bytes = READ_ONCE(pool->config.warm_bytes), most = bytes >> class->shift;

	if (unlikely(!most) && class->backing->has_refs && bytes)
		most = 1;
	return min(READ_ONCE(pool->config.warm_blocks), most);
}

static struct bufpool_warm *warm_create(struct bufpool_client *client,
					struct bufpool_class *class)
{
	struct bufpool_warm *warm = kzalloc(sizeof(*warm), GFP_KERNEL_ACCOUNT);

	if (!warm)
		return NULL;
	warm->client = client;
	warm->class = class;
	spin_lock(&client->lock);
	if (client->warm[class->nr])
		kfree(warm);
	else
		/* with what is in it: also for who looks without the lock */
		smp_store_release(&client->warm[class->nr], warm);
	warm = client->warm[class->nr];
	spin_unlock(&client->lock);
	return warm;
}

/* Give a stack a longer ring. Return: the one that is to be freed. */
static struct bufpool_blk **warm_replace_ring(struct bufpool_warm *warm,
					      struct bufpool_blk **blks, u32 length)
{
	struct bufpool_blk **old = warm->blks;
	u32 at;

	lockdep_assert_held(&warm->client->lock);
	/* several tasks of one client may come here at once */
	if (old && warm->mask >= length - 1)
		return blks;
	for (at = warm->bottom; at != warm->top; at++)
		blks[at & (length - 1)] = old[at & warm->mask];
	/* bufpool_warm_prepare() looks at them without the lock */
	WRITE_ONCE(warm->mask, length - 1);
	WRITE_ONCE(warm->blks, blks);
	return old;
}

/**
 * bufpool_warm_prepare - make room for a client to keep blocks of a class warm
 * @client: which
 * @class: of which it is about to rent a block
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM: what the client returns then goes to the free list.
 */
int bufpool_warm_prepare(struct bufpool_client *client,
			 struct bufpool_class *class)
{
	struct bufpool_warm *warm = READ_ONCE(client->warm[class->nr]);
	unsigned long most = warm_most(client->pool, class);
	struct bufpool_blk **blks;
	u32 length;

	if (!class->pooled || !most ||
	    (warm && READ_ONCE(warm->blks) && most <= READ_ONCE(warm->mask) + 1))
		return 0;
	if (!warm)
		warm = warm_create(client, class);
	if (!warm)
		return -ENOMEM;
	length = roundup_pow_of_two(most);
	blks = kvcalloc(length, sizeof(*blks), GFP_KERNEL_ACCOUNT);
	if (!blks)
		return -ENOMEM;
	spin_lock(&client->lock);
	blks = warm_replace_ring(warm, blks, length);
	spin_unlock(&client->lock);
	kvfree(blks);
	return 0;
}

/* Take the stack of a class from a client. Return: the stack, which is empty. */
static struct bufpool_warm *warm_remove(struct bufpool_client *client, unsigned int nr)
{
	struct bufpool_warm *warm;

	spin_lock(&client->lock);
	warm = client->warm[nr];
	client->warm[nr] = NULL;
	spin_unlock(&client->lock);
	return warm;
}

/*
 * Undo bufpool_warm_prepare() for all classes of a client that has no block. Who found
 * the client under RCU may still look at it, with its lock.
 */
void bufpool_warm_destroy(struct bufpool_client *client)
{
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(client->pool); nr++) {
		struct bufpool_warm *warm;

		/* nobody makes one any more */
		if (!client->warm[nr])
			continue;
		warm = warm_remove(client, nr);
		WARN_ON_ONCE(bufpool_warm_nr(warm) || warm->is_linked);
		kvfree(warm->blks);
		kfree(warm);
	}
}

/* Forget which blocks of a client that is about to go are warm; it owns them still. */
void bufpool_warm_drop_all(struct bufpool_client *client)
{
	unsigned int nr;

	spin_lock(&client->lock);
	for (nr = 0; nr < bufpool_pool_nr_used(client->pool); nr++) {
		struct bufpool_warm *warm = client->warm[nr];

		if (!warm)
			continue;
		bufpool_warm_unlink(warm);
		bufpool_warm_count(warm, -(int)bufpool_warm_nr(warm));
		warm->bottom = warm->top;
	}
	spin_unlock(&client->lock);
}

static bool warm_is_within_bounds(struct bufpool_client *client)
{
	return bufpool_budget_used(&client->held) <=
	       bufpool_client_ceiling(client) &&
	       bufpool_budget_used(&client->account->pinned) <=
	       bufpool_client_quota(client) &&
	       /* or no thief could have it */
	       likely(atomic_read(&client->nr_mappings) <= BUFPOOL_MAPPINGS_MAX);
}

/**
 * bufpool_warm_room - how many blocks more a client may keep warm at this instant
 * @client: which; its lock is held until the blocks are warm
 * @class: of which size
 */
unsigned int bufpool_warm_room(struct bufpool_client *client,
			       struct bufpool_class *class)
{
	struct bufpool_warm *warm = client->warm[class->nr];
	struct bufpool_pool *pool = client->pool;
	unsigned long most;
	unsigned int nr;

	lockdep_assert_held(&client->lock);
	if (!warm || !warm->blks || bufpool_pool_waiting_of(pool, class) ||
	    !warm_is_within_bounds(client) || bufpool_pool_missing(pool, 0))
		return 0;
	nr = bufpool_warm_nr(warm);
	most = min_t(unsigned long, warm_most(pool, class), warm->mask + 1);
	return most > nr ? most - nr : 0;
}

/* Take the bottom block from its client; the caller owns it then. */
struct bufpool_blk *bufpool_warm_claim(struct bufpool_warm *warm)
{
	struct bufpool_blk *blk = bufpool_warm_bottom(warm);

	warm->bottom++;
	bufpool_warm_count(warm, -1);
	list_del_init(&blk->node);
	bufpool_client_disown(warm->client, blk);
	return blk;
}

/* Put a stack where it belongs in the orders, after blocks have been claimed. */
void bufpool_warm_sort(struct bufpool_warm *warm)
{
	if (bufpool_warm_bottom(warm))
		bufpool_warm_update(warm, bufpool_warm_since(bufpool_warm_bottom(warm)));
	else
		bufpool_warm_unlink(warm);
}

/**
 * bufpool_warm_claim_draining - take blocks of slabs that are being drained
 * @warm: from this stack, wherever they lie in it; its client's lock is held
 * @batch: they go here, and the caller owns them then
 * @most: no more than so many
 *
 * A block with a fault in it stays.
 *
 * Return: how many.
 */
unsigned int bufpool_warm_claim_draining(struct bufpool_warm *warm,
					 struct list_head *batch, unsigned int most)
{
	u32 at = warm->top, to = warm->top;
	unsigned int nr = 0;

	lockdep_assert_held(&warm->client->lock);
	while (at != warm->bottom) {
		struct bufpool_blk *blk = warm->blks[--at & warm->mask];

		if (nr < most && !blk->pins && bufpool_blk_is_draining(blk)) {
			bufpool_client_disown(warm->client, blk);
			list_move_tail(&blk->node, batch);
			nr++;
		} else {
			warm->blks[--to & warm->mask] = blk;
		}
	}
	warm->bottom = to;
	if (nr) {
		bufpool_warm_count(warm, -(int)nr);
		bufpool_warm_sort(warm);
	}
	return nr;
}

/* Bytes in the warm blocks of a client, whose lock is held, and how many they are. */
u64 bufpool_warm_of_client(struct bufpool_client *client, u64 *blocks)
{
	u64 bytes = 0;
	unsigned int nr;

	lockdep_assert_held(&client->lock);
	*blocks = 0;
	for (nr = 0; nr < bufpool_pool_nr_used(client->pool); nr++) {
		struct bufpool_warm *warm = client->warm[nr];

		if (!warm)
			continue;
		*blocks += bufpool_warm_nr(warm);
		bytes += (u64)bufpool_warm_nr(warm) << warm->class->shift;
	}
	return bytes;
}
