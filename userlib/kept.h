/* SPDX-License-Identifier: MIT */
/*
 * The blocks that a pool keeps: how they get from one place to the next
 *
 * A kept block is in one place only: a magazine or the depot (FREE, FRESH), or an
 * outbox or inbox (SENT). Where the comment says "entered", @cache is the
 * caller's and it has entered it.
 */
#ifndef BUFPOOL_KEPT_H
#define BUFPOOL_KEPT_H

#include "pool.h"

/* The last of the class's magazine, which is the program's now; or NULL. Entered. */
static inline void *bufpool_kept_pop(const struct bufpool *pool,
				     struct bufpool_cache *cache,
				     unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];
	struct bufpool_place place = { .class = class };
	void *block;

	if (!magazine->count)
		return NULL;
	block = magazine->blocks[--magazine->count];
	place.index = bufpool_window_index(&pool->window, class, block);
	bufpool_rental_set(bufpool_rentals_at(&pool->rentals, &place),
			   cache->held);
	return block;
}

/*
 * End a rental that the thread itself began, and keep the block in its magazine,
 * if nothing stands against it. Entered.
 */
static inline bool bufpool_kept_push(const struct bufpool *pool,
				     struct bufpool_cache *cache, void *block)
{
	struct bufpool_magazine *magazine;
	struct bufpool_rental *rental;
	struct bufpool_place place;

	if (bufpool_window_find(&pool->window, block, &place) ||
	    !bufpool_rentals_knows(&pool->rentals, &place))
		return false;
	rental = bufpool_rentals_at(&pool->rentals, &place);
	magazine = &cache->magazines[place.class];
	if (bufpool_rental_state(rental) != cache->held ||
	    magazine->count == magazine->room ||
	    bufpool_cache_is_short(cache))
		return false;
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_FREE, 0));
	magazine->blocks[magazine->count++] = block;
	return true;
}

/* Have the magazine filled from the inbox and the depot. Entered. */
void bufpool_kept_refill(struct bufpool *pool, struct bufpool_cache *cache,
			 unsigned int class);

/* Keep blocks whose state is FREE or FRESH. Entered. */
void bufpool_kept_add(struct bufpool *pool, struct bufpool_cache *cache,
		      void *block);
void bufpool_kept_add_all(struct bufpool *pool, struct bufpool_cache *cache,
			  void *const *blocks, unsigned int count);

/*
 * Send a block that is SENT to the cache that rented it; can_send() has been
 * asked before, and a sweep follows where it said no. Entered.
 */
bool bufpool_kept_can_send(struct bufpool *pool, struct bufpool_cache *cache,
			   unsigned int to);
void bufpool_kept_send(struct bufpool *pool, struct bufpool_cache *cache,
		       unsigned int to, void *block);

/* Empty the outboxes; false where a sweep has to do it. Entered. */
bool bufpool_kept_deliver(struct bufpool *pool, struct bufpool_cache *cache);

/* Give what one's own cache and the depot keep to the provider. Entered. */
void bufpool_kept_give(struct bufpool *pool, struct bufpool_cache *cache);

/*
 * Give to the provider what the pool keeps in blocks of at least @min_size
 * bytes, and whatever is on its way between threads. The caller has stopped the
 * caches. How many bytes.
 */
size_t bufpool_kept_sweep(struct bufpool *pool, size_t min_size);

/* Its thread ends: leave nothing in the cache. caches->lock is held. */
void bufpool_kept_abandon(struct bufpool *pool, struct bufpool_cache *cache);

#endif /* BUFPOOL_KEPT_H */
