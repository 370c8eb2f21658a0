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

/* The last of a magazine, if it has one, is the program's now. Entered. */
static inline bool bufpool_kept_pop(struct bufpool_cache *cache,
				    struct bufpool_magazine *magazine,
				    void **block)
{
	uintptr_t index;

	if (magazine->top == magazine->bottom)
		return false;
	cache->recent = magazine;
	*block = *--magazine->top;
	index = (uintptr_t)*block >> magazine->shift;
	bufpool_rental_set(bufpool_span_at(magazine->origin, index),
			   cache->held);
	return true;
}

/* As pop, of the class for a size, if such blocks are kept. Begun to enter. */
static inline bool bufpool_kept_rent(struct bufpool_cache *cache, size_t size,
				     void **block)
{
	unsigned long long halves = (size - 1) >> cache->half_page_shift;
	unsigned int class;

	if (size - 1 >= __atomic_load_n(&cache->max_kept, __ATOMIC_ACQUIRE))
		return false;
	class = 63 - __builtin_clzll(halves | 1);
	return bufpool_kept_pop(cache, &cache->magazines[class], block);
}

/* Whether a block is of a magazine's class, and known; @index is as above. */
static inline bool bufpool_kept_knows(const struct bufpool_magazine *magazine,
				      const void *block, uintptr_t *index)
{
	*index = bufpool_span_index(block, magazine->shift);
	return *index - magazine->first < magazine->known;
}

/*
 * End a rental that the thread itself began of a block at an index, and keep the
 * block in its magazine, if there is room. Entered.
 */
static inline bool bufpool_kept_push(struct bufpool_cache *cache,
				     struct bufpool_magazine *magazine,
				     uintptr_t index, void *block)
{
	struct bufpool_rental *rental;

	rental = bufpool_span_at(magazine->origin, index);
	if (bufpool_rental_state(rental) != cache->held ||
	    magazine->top == magazine->limit)
		return false;
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_FREE, 0));
	*magazine->top++ = block;
	return true;
}

/*
 * As push, into the magazine that was rented from last, which is where most blocks
 * go back to, if nothing stands against keeping it. Begun to enter.
 *
 * To find that out by a branch, rather than compute the magazine from the
 * address, spares the processor to wait for the address, which it has only just
 * read from there.
 */
static inline bool bufpool_kept_return(struct bufpool_cache *cache, void *block)
{
	struct bufpool_magazine *magazine;
	uintptr_t index;

	if (bufpool_cache_is_short(cache))
		return false;
	magazine = cache->recent;
	return bufpool_kept_knows(magazine, block, &index) &&
	       bufpool_kept_push(cache, magazine, index, block);
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
