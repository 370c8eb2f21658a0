/* SPDX-License-Identifier: MIT */
/*
 * The blocks that a pool keeps: how they get from one place to the next
 *
 * A kept block is FREE or FRESH, and in one stack: of a thread's magazine, or of the
 * depot; or a thread is just moving it. Or a thief has taken it, and what has been
 * said of it here is over. Where the comment says "entered", @cache is the caller's and
 * it has entered it; all else is called inside of a call (thread.h).
 */
#ifndef BUFPOOL_KEPT_H
#define BUFPOOL_KEPT_H

#include "pool.h"

/* The last of a magazine, if it has one, is the program's now. By its owner. */
static inline bool bufpool_kept_pop(struct bufpool_cache *cache,
				    struct bufpool_magazine *magazine,
				    void **block)
{
	__u32 unit;

	if (unlikely(!bufpool_stack_pop(magazine->stack, &unit)))
		return false;
	bufpool_rental_set(&magazine->rentals[unit], cache->held);
	*block = bufpool_magazine_block(magazine, unit);
	return true;
}

/*
 * As pop, of the class for a size, if such blocks are kept: most often the one that
 * was rented from last. Entered.
 */
static inline bool bufpool_kept_rent(struct bufpool_cache *cache, size_t size,
				     void **block)
{
	struct bufpool_magazine *magazine = cache->recent;

	if (unlikely(size - magazine->smallest >= magazine->sizes)) {
		if (size - 1 >= cache->max_kept)
			return false;
		magazine = cache->for_order[bufpool_order(size)];
		cache->recent = magazine;
	}
	return bufpool_kept_pop(cache, magazine, block);
}

/* End a rental that the thread itself began, if it is one. Entered. */
static inline bool bufpool_kept_end(const struct bufpool_cache *cache,
				    struct bufpool_rental *rental, bool shared)
{
	__u32 next = bufpool_state(BUFPOOL_FREE, 0);

	if (shared)
		return bufpool_rental_change(rental, cache->held, next);
	if (unlikely(bufpool_rental_state(rental) != cache->held))
		return false;
	bufpool_rental_set(rental, next);
	return true;
}

/*
 * As end, and keep the block in a magazine, if it is of that class and there is room.
 * @shared: whether the cache is. Entered.
 */
static inline bool bufpool_kept_push(struct bufpool_cache *cache,
				     struct bufpool_magazine *magazine,
				     void *block, bool shared)
{
	size_t unit = bufpool_magazine_unit(magazine, block);
	struct bufpool_stack *stack = magazine->stack;
	__u32 top = stack->top;

	if (unlikely(unit >= magazine->known || top == magazine->limit))
		return false;
	if (!bufpool_kept_end(cache, &magazine->rentals[unit], shared))
		return false;
	bufpool_stack_push(stack, top, unit);
	return true;
}

/*
 * As push, into the magazine that was rented from last, which is where most blocks
 * go back to, if nothing stands against keeping it. Entered.
 */
static inline bool bufpool_kept_return(struct bufpool_cache *cache, void *block)
{
	return likely(!bufpool_cache_is_bound(cache)) &&
	       bufpool_kept_push(cache, cache->recent, block, false);
}

/* The magazine of a class, open; or NULL where none is to be had */
struct bufpool_magazine *bufpool_kept_open(struct bufpool *pool,
					   struct bufpool_cache *cache,
					   unsigned int class);

/* Fill the magazine, which is empty, from the depot. */
void bufpool_kept_refill(struct bufpool *pool, struct bufpool_magazine *magazine,
			 unsigned int class);

/* Keep a block whose state is FREE or FRESH, or give it back. */
void bufpool_kept_add(struct bufpool *pool, struct bufpool_cache *cache,
		      const struct bufpool_place *place);

/* Whether a block is in any stack of this pool. */
bool bufpool_kept_has(struct bufpool *pool, const struct bufpool_place *place);

/*
 * Its thread ends: what is in the cache goes to the depot, while there is room there. The
 * rest waits for thieves, or for the thread that gets the cache next.
 */
void bufpool_kept_abandon(struct bufpool *pool, struct bufpool_cache *cache);

#endif /* BUFPOOL_KEPT_H */
