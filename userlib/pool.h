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
#include "rentals.h"
#include "window.h"

struct bufpool {
	struct bufpool_forkmark mark;
	struct bufpool_provider provider;
	struct bufpool_classes classes;
	struct bufpool_window window;
	struct bufpool_rentals rentals;
	struct bufpool_depot depot;
	struct bufpool_caches caches;
	bool is_strict;			/* every return revokes, nothing is kept */
};

/* 0, -EINVAL (NULL) or -ECHILD: what every public function asks first */
int bufpool_pool_check(const struct bufpool *pool);

/* The entry of a block that is held; or NULL and in *@error -errno */
struct bufpool_rental *bufpool_pool_find(const struct bufpool *pool,
					 const void *block,
					 struct bufpool_place *place, int *error);

/* 0 or -EINVAL: what the calls for many blocks ask next */
int bufpool_check_many(const void *blocks, unsigned int count);

static inline unsigned int bufpool_batch_size(unsigned int count)
{
	return count < BUFPOOL_MANY_MAX ? count : BUFPOOL_MANY_MAX;
}

#endif /* BUFPOOL_POOL_H */
