// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: which block, and which rental of it.
 */
#include <linux/hash.h>
#include <linux/nospec.h>
#include "bufpool.h"

bool bufpool_handle_was_issued(const struct bufpool_client *client, u64 handle)
{
	u32 base = bufpool_handle_base(client, upper_32_bits(handle));
	u32 serial = lower_32_bits(handle) - base;

	return serial && serial <= client->issued;
}

/* Under RCU. */
static struct bufpool_blk *handle_find(struct bufpool_pool *pool, u64 handle)
{
	u32 index = upper_32_bits(handle) & (BIT(BUFPOOL_INDEX_BITS) - 1);
	u32 nr = handle >> (BUFPOOL_INDEX_BITS + 32);

	if (nr >= pool->nr_classes)
		return NULL;
	nr = array_index_nospec(nr, pool->nr_classes);
	return bufpool_slab_find(&pool->classes[nr], index);
}

/* The block of a handle, wherever it is, if it is rented. Remembers its slab. */
struct bufpool_blk *bufpool_handle_lookup_slow(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;

	rcu_read_lock();
	blk = handle_find(client->pool, handle);
	if (blk && bufpool_handle_is_rented(client, blk, handle))
		client->last_slab = bufpool_blk_slab(blk);
	else
		blk = NULL;
	rcu_read_unlock();
	return blk;
}

/**
 * bufpool_handle_find_offset - look up the block at an offset of the window
 * @pool: where
 * @offset: any number
 *
 * Under rcu_read_lock(), see bufpool_slab_find().
 *
 * Return: the block that the offset lies in, or NULL.
 */
struct bufpool_blk *bufpool_handle_find_offset(struct bufpool_pool *pool,
					       u64 offset)
{
	u64 nr = offset >> BUFPOOL_SPAN_SHIFT;
	struct bufpool_class *class;

	if (nr >= pool->nr_classes)
		return NULL;
	class = &pool->classes[array_index_nospec(nr, pool->nr_classes)];
	return bufpool_slab_find(class, (offset & (BUFPOOL_SPAN - 1)) >>
					class->shift);
}
