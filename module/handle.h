/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_HANDLE_H
#define _BUFPOOL_HANDLE_H

#include <linux/hash.h>
#include <linux/nospec.h>
#include "client.h"

/*
 * The generation says for which rental of a block a handle is good, and also
 * whether a handle was ever this client's: it counts the handles that the client
 * was given, from a start that depends on client and block. So a handle
 * returned twice can be told from one of another client, whatever has become of
 * the block since.
 */
static inline u32 bufpool_handle_base(const struct bufpool_client *client,
				      u32 place)
{
	return hash_64(place ^ client->cookie, 32);
}

/* Give the block in a place its handle. */
static inline void bufpool_handle_issue(struct bufpool_client *client,
					struct bufpool_blk *blk, u32 place)
{
	u32 base = bufpool_handle_base(client, place);

	lockdep_assert_held(&client->lock);
	/* no handle is 0, so that programs can use 0 for none */
	do {
		client->issued++;
		blk->generation = base + lower_32_bits(client->issued);
	} while (!blk->generation);
}

static inline bool bufpool_handle_is_rented(struct bufpool_client *client,
					    struct bufpool_blk *blk, u64 handle)
{
	return bufpool_client_rents(client, blk) &&
	       blk->generation == lower_32_bits(handle);
}

/* The class of a handle that was found to be good. */
static inline struct bufpool_class *bufpool_handle_class(struct bufpool_pool *pool,
							 u64 handle)
{
	return &pool->classes[array_index_nospec(handle >> (BUFPOOL_INDEX_BITS + 32),
						 BUFPOOL_MAX_CLASSES)];
}

/* The block of a handle, if it is in the slab that was used last. */
static inline struct bufpool_blk *
bufpool_handle_lookup_fast(struct bufpool_client *client, u64 handle)
{
	struct bufpool_slab *slab = client->last_slab;
	u32 nr;

	if (!slab)
		return NULL;
	nr = upper_32_bits(handle) - slab->place;
	if (nr >= slab->nr_blks)
		return NULL;
	return &slab->blks[array_index_nospec(nr, slab->nr_blks)];
}

bool bufpool_handle_was_issued(const struct bufpool_client *client, u64 handle);
struct bufpool_blk *bufpool_handle_lookup_slow(struct bufpool_client *client,
					       u64 handle);
struct bufpool_blk *bufpool_handle_find_offset(struct bufpool_pool *pool,
					       u64 offset);

/* Find a rented block by its handle. */
static __always_inline struct bufpool_blk *
bufpool_handle_lookup(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;

	lockdep_assert_held(&client->lock);
	blk = bufpool_handle_lookup_fast(client, handle);
	if (!blk)
		blk = bufpool_handle_lookup_slow(client, handle);
	if (blk && bufpool_handle_is_rented(client, blk, handle))
		return blk;
	return ERR_PTR(bufpool_handle_was_issued(client, handle) ? -ESTALE : -ENOENT);
}

#endif /* _BUFPOOL_HANDLE_H */
