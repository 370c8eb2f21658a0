/* SPDX-License-Identifier: MIT */
/*
 * A pool: a provider, its classes, the addresses of its blocks, which are held, and
 * what is kept for the next rent
 *
 * Up to @rentals nothing changes between open and close, but for the rentals' own
 * memory.
 */
#ifndef BUFPOOL_POOL_H
#define BUFPOOL_POOL_H

/* Everything else is hidden. */
#pragma GCC visibility push(default)
#include "bufpool.h"
#pragma GCC visibility pop

#include "cache.h"
#include "class.h"
#include "depot.h"
#include "forkmark.h"
#include "provider.h"
#include "quarantine.h"
#include "rentals.h"
#include "watch.h"
#include "window.h"

struct bufpool {
	struct bufpool_forkmark mark;
	struct bufpool_provider provider;
	struct bufpool_classes classes;
	struct bufpool_window window;
	struct bufpool_rentals rentals;
	struct bufpool_depot depot;
	struct bufpool_caches caches;
	struct bufpool_quarantine quarantine; /* where @is_strict */
	__u64 misses;			/* blocks from the provider; atomic */
	bool is_strict;			/* every return revokes, nothing is kept */
	bool has_room;			/* for whatever block is received; atomic */
	struct bufpool_watch watch;	/* where it is on, nothing is kept */
};

/* 0, -EINVAL (NULL) or -ECHILD: what every public function asks first */
int bufpool_pool_check(const struct bufpool *pool);

/* The entry of a block that is held; or NULL and in *@error -errno */
struct bufpool_rental *bufpool_pool_find(const struct bufpool *pool,
					 const void *block,
					 struct bufpool_place *place, int *error);

/*
 * A block that the provider has for the pool is its own now, in @state; *@place is where. 0, or
 * -errno, and it has been given back
 */
int bufpool_pool_accept(struct bufpool *pool, __u64 handle, __u64 offset, __u32 state,
			struct bufpool_place *place);

/* 0 or -EINVAL: what the calls for many blocks ask next */
int bufpool_check_many(const void *blocks, unsigned int count);

static inline unsigned int bufpool_batch_size(unsigned int count)
{
	return count < BUFPOOL_MANY_MAX ? count : BUFPOOL_MANY_MAX;
}

#endif /* BUFPOOL_POOL_H */
