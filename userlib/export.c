// SPDX-License-Identifier: MIT
#include <errno.h>
#include <unistd.h>

#include "call.h"
#include "cancel.h"

/*
 * Devices may have the block as long as the dma-buf lives, so it is not to be rented again
 * here. Return: false where it has been returned meanwhile
 */
static bool forbid_keeping(struct bufpool *pool, const struct bufpool_cache *cache,
			   struct bufpool_rental *rental)
{
	__u32 state;

	for (;;) {
		state = bufpool_rental_state(rental);
		if (bufpool_state_kind(state) != BUFPOOL_HELD)
			return false;
		if (!bufpool_state_cache(state))
			return true;
		bufpool_caches_disown(&pool->caches, cache ? cache->nr : 0, rental, state);
	}
}

static void close_dmabuf(int fd)
{
	int state = bufpool_cancel_disable();

	close(fd);
	bufpool_cancel_restore(state);
}

/* A descriptor, or -errno */
static int export(struct bufpool *pool, const struct bufpool_cache *cache, const void *block)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_rental *rental;
	struct bufpool_place place;
	int ret;

	rental = bufpool_pool_find(pool, block, &place, &ret);
	if (!rental)
		return ret;
	if (!provider->ops->export)
		return -EOPNOTSUPP;
	ret = provider->ops->export(provider, bufpool_rentals_handle(&pool->rentals, &place));
	if (ret < 0 || forbid_keeping(pool, cache, rental))
		return ret;
	close_dmabuf(ret);
	return -ESTALE;
}

int bufpool_export(struct bufpool *pool, const void *block)
{
	struct bufpool_cache *cache;
	int ret = bufpool_call_begin(pool, &cache);

	return ret ? ret : bufpool_call_end(export(pool, cache, block));
}
