// SPDX-License-Identifier: MIT
#include <errno.h>

#include "batch.h"

int bufpool_batch_add(struct bufpool *pool, struct bufpool_batch *batch, const void *block)
{
	struct bufpool_place *place = &batch->places[batch->count];
	struct bufpool_rental *rental;
	int ret;

	rental = bufpool_pool_find(pool, block, place, &ret);
	if (!rental)
		return ret;
	batch->rentals[batch->count] = rental;
	batch->states[batch->count] = bufpool_rental_state(rental);
	batch->handles[batch->count] = bufpool_rentals_handle(&pool->rentals, place);
	batch->count++;
	return 0;
}

/* Have the caches shared that the blocks were rented by: all at once. */
static void share(struct bufpool *pool, unsigned int self, const struct bufpool_batch *batch)
{
	unsigned int numbers[BUFPOOL_MANY_MAX], count = 0, i, owner;

	for (i = 0; i < batch->count; i++) {
		owner = bufpool_state_cache(batch->states[i]);
		if (owner && owner != self)
			numbers[count++] = owner;
	}
	if (count > 1)
		bufpool_caches_share(&pool->caches, numbers, count);
}

int bufpool_batch_claim(struct bufpool *pool, const struct bufpool_cache *cache,
			struct bufpool_batch *batch)
{
	unsigned int self = cache ? cache->nr : 0, i = 0;

	share(pool, self, batch);
	while (i < batch->count &&
	       bufpool_state_kind(batch->states[i]) == BUFPOOL_HELD &&
	       bufpool_caches_claim(&pool->caches, self, batch->rentals[i],
				    batch->states[i]))
		i++;
	batch->count = i;
	return i ? 0 : -ESTALE;
}

void bufpool_batch_end(struct bufpool *pool, struct bufpool_batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->count; i++) {
		bufpool_rental_set(batch->rentals[i], bufpool_state(BUFPOOL_RETURNED, 0));
		bufpool_watch_return(&pool->watch, &batch->places[i]);
	}
}

unsigned int bufpool_batch_settle(struct bufpool *pool, struct bufpool_batch *batch, int ret)
{
	/* A rental that is over in the kernel stays over here. */
	unsigned int done = ret >= 0 ? ret : ret == -ENOENT || ret == -ESTALE, i;

	for (i = done; i < batch->count; i++) {
		bufpool_watch_rent(&pool->watch, &batch->places[i],
				   bufpool_window_block_size(&pool->window,
							     batch->places[i].class));
		bufpool_rental_set(batch->rentals[i], batch->states[i]);
	}
	return done;
}
