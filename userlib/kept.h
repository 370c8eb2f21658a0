/* SPDX-License-Identifier: MIT */
/*
 * The blocks that a pool keeps: how they get from one place to the next
 *
 * A kept block is FREE or FRESH, and in one stack: of a thread's magazine, or of the
 * depot; or a thread is just moving it. Or a thief has taken it, and what has been
 * said of it here is over. Where the comment says "entered", the caller has entered its
 * cache, which the magazine is of; all else is called inside of a call (thread.h).
 */
#ifndef BUFPOOL_KEPT_H
#define BUFPOOL_KEPT_H

#include "pool.h"

/* The last of a magazine, if it has one, is the program's now. By its owner. */
static inline bool bufpool_kept_pop(struct bufpool_magazine *magazine, void **block)
{
	__u32 unit;

	if (unlikely(!bufpool_stack_pop(magazine->stack, &unit)))
		return false;
	bufpool_rental_set(&magazine->rentals[unit], magazine->held);
	bufpool_poke(&magazine->hits, magazine->hits + 1);
	*block = bufpool_magazine_block(magazine, unit);
	return true;
}

/* Whether a block can be in a magazine, and there is room. @next: the stack's top + 1 */
static inline bool bufpool_kept_fits(const struct bufpool_magazine *magazine, size_t unit,
				     __u32 next)
{
	return likely(unit < magazine->known && next != magazine->limit);
}

/*
 * End a rental that the thread itself began, if it is one, and keep the block in a
 * magazine, if it fits. The cache is not shared. Entered.
 */
static inline bool bufpool_kept_push(struct bufpool_magazine *magazine, void *block)
{
	size_t unit = bufpool_magazine_unit(magazine, block);
	struct bufpool_rental *rentals = magazine->rentals;
	struct bufpool_stack *stack = magazine->stack;
	__u32 next = stack->top + 1;

	if (!bufpool_kept_fits(magazine, unit, next) ||
	    unlikely(bufpool_rental_state(&rentals[unit]) != magazine->held))
		return false;
	/* (No need to compute where that is: it can be an operand twice.) */
	__asm__("" : "+r" (unit));
	bufpool_rental_set(&rentals[unit], bufpool_state(BUFPOOL_FREE, 0));
	bufpool_stack_push(stack, next, unit);
	return true;
}

/*
 * The same of what the cache rented though it is shared, or of what another one rented.
 * Return: false also where that takes a call. Entered.
 */
bool bufpool_kept_push_claimed(const struct bufpool_caches *caches,
			       struct bufpool_magazine *magazine, void *block);

/*
 * As push, into the magazine that was rented from last, which is where most blocks
 * go back to, if nothing stands against keeping it. Entered.
 */
static inline bool bufpool_kept_return(struct bufpool_magazine *magazine, void *block)
{
	return likely(!bufpool_cache_is_bound(magazine)) &&
	       bufpool_kept_push(magazine, block);
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

/*
 * A poller has been made, and of a private pool nothing is kept any more: it tells, too, of
 * what threads were just about to keep. The caller has entered no magazine.
 */
void bufpool_kept_settle(struct bufpool *pool);

/* Whether a block is in any stack of this pool. */
bool bufpool_kept_has(struct bufpool *pool, const struct bufpool_place *place);

/*
 * Its thread ends: what is in the cache goes to the depot, while there is room there. The
 * rest waits for thieves, or for the thread that gets the cache next.
 */
void bufpool_kept_abandon(struct bufpool *pool, struct bufpool_cache *cache);

#endif /* BUFPOOL_KEPT_H */
