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

#include <limits.h>

#include "pool.h"

/* The last of a magazine, if it has one, is the program's now. Entered. */
static inline bool bufpool_kept_pop(struct bufpool_cache *cache,
				    struct bufpool_magazine *magazine,
				    void **block)
{
	void **top = magazine->top;
	size_t index;

	if (unlikely(top == magazine->bottom))
		return false;
	magazine->top = --top;
	*block = *top;
	index = ((uintptr_t)*block - magazine->first) >> magazine->shift;
	bufpool_rental_set(&magazine->rentals[index], cache->held);
	return true;
}

/*
 * As pop, of the class for a size, if such blocks are kept: most often the one that
 * was rented from last. Begun to enter.
 */
static inline bool bufpool_kept_rent(struct bufpool_cache *cache, size_t size,
				     void **block)
{
	struct bufpool_magazine *magazine = cache->recent;

	if (unlikely(size - magazine->smallest >=
		     __atomic_load_n(&magazine->sizes, __ATOMIC_ACQUIRE))) {
		if (size - 1 >= __atomic_load_n(&cache->max_kept, __ATOMIC_ACQUIRE))
			return false;
		magazine = cache->for_order[bufpool_order(size)];
		cache->recent = magazine;
	}
	return bufpool_kept_pop(cache, magazine, block);
}

/*
 * The number of a block in a magazine's class; larger than any where it is none, or
 * no block begins there
 */
static inline size_t bufpool_kept_index(const struct bufpool_magazine *magazine,
					const void *block)
{
	uintptr_t distance = (uintptr_t)block - magazine->first;
	unsigned int shift = magazine->shift;

	return distance >> shift |
	       distance << (sizeof(distance) * CHAR_BIT - shift);
}

/*
 * End a rental that the thread itself began, and keep the block in a magazine, if
 * it is of that class and there is room. Entered.
 */
static inline bool bufpool_kept_push(struct bufpool_cache *cache,
				     struct bufpool_magazine *magazine,
				     void *block)
{
	size_t index = bufpool_kept_index(magazine, block);
	struct bufpool_rental *rental;
	void **top = magazine->top;

	if (unlikely(index >= magazine->known))
		return false;
	rental = &magazine->rentals[index];
	if (unlikely(bufpool_rental_state(rental) != cache->held ||
		     top == magazine->limit))
		return false;
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_FREE, 0));
	*top = block;
	magazine->top = top + 1;
	return true;
}

/*
 * As push, into the magazine that was rented from last, which is where most blocks
 * go back to, if nothing stands against keeping it. Begun to enter.
 *
 * The branch spares the processor a wait for the address of the block, which it
 * would need to compute the magazine, and which it has only just read from there.
 */
static inline bool bufpool_kept_return(struct bufpool_cache *cache, void *block)
{
	return likely(!bufpool_cache_is_short(cache)) &&
	       bufpool_kept_push(cache, cache->recent, block);
}

/* Fill the magazine from the inbox and the depot. Entered. */
void bufpool_kept_refill(struct bufpool *pool, struct bufpool_cache *cache,
			 unsigned int class);

/* Keep blocks whose state is FREE or FRESH. Entered. */
void bufpool_kept_add(struct bufpool *pool, struct bufpool_cache *cache,
		      void *block);
void bufpool_kept_add_all(struct bufpool *pool, struct bufpool_cache *cache,
			  void *const *blocks, unsigned int count);

/*
 * Send a block that is SENT to the cache that rented it. The caller has asked
 * can_send() before; where it said no, a sweep comes first. Entered.
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
 * caches. Return: the bytes in blocks of at least @min_size.
 */
size_t bufpool_kept_sweep(struct bufpool *pool, size_t min_size);

/* Its thread ends: leave nothing in the cache. caches->lock is held. */
void bufpool_kept_abandon(struct bufpool *pool, struct bufpool_cache *cache);

#endif /* BUFPOOL_KEPT_H */
