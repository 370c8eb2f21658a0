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
				    unsigned long class, void **block)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];

	if (magazine->top == magazine->bottom)
		return false;
	*block = *--magazine->top;
	bufpool_rental_set(bufpool_span_at(&cache->spans[class],
					   (uintptr_t)*block,
					   cache->page_shift + class),
			   cache->held);
	return true;
}

/* As pop, of the class for a size, if such blocks are kept */
static inline bool bufpool_kept_rent(struct bufpool_cache *cache, size_t size,
				     void **block)
{
	unsigned long long halves = (size - 1) >> (cache->page_shift - 1);

	if (size - 1 >= cache->max_kept)
		return false;
	return bufpool_kept_pop(cache, __builtin_clzll(halves | 1) ^ 63, block);
}

/*
 * End a rental that the thread itself began, and keep the block in its magazine,
 * if nothing stands against it. Entered.
 */
static inline bool bufpool_kept_return(struct bufpool_cache *cache, void *block)
{
	uintptr_t address = (uintptr_t)block;
	uintptr_t class = (address - cache->base) >> cache->reach_shift;
	struct bufpool_magazine *magazine;
	const struct bufpool_span *span;
	struct bufpool_rental *rental;
	unsigned int shift;

	if (class >= cache->nr_classes)
		return false;
	span = &cache->spans[class];
	shift = cache->page_shift + class;
	if (address >> shift << shift != address ||
	    !bufpool_span_has(span, address))
		return false;
	rental = bufpool_span_at(span, address, shift);
	magazine = &cache->magazines[class];
	if (bufpool_rental_state(rental) != cache->held ||
	    magazine->top == magazine->limit ||
	    bufpool_cache_is_short(cache))
		return false;
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_FREE, 0));
	*magazine->top++ = block;
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
