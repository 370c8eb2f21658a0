/* SPDX-License-Identifier: MIT */
/*
 * A magazine: the free blocks of one class that one owner keeps, in a stack
 *
 * The owner is a thread, or has a lock. It has two halves: a program that sits on the
 * edge does not go to what is behind on every operation.
 */
#ifndef BUFPOOL_MAGAZINE_H
#define BUFPOOL_MAGAZINE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "rentals.h"
#include "stack.h"

/*
 * Blocks that move at once between a magazine and what is behind it, at most and at least,
 * and bytes in between
 */
#define BUFPOOL_HALF_MAX	64
#define BUFPOOL_HALF_MIN	4
#define BUFPOOL_HALF_BYTES	(1024UL << 10)

/*
 * Blocks to ask the provider for at first, more each time. As many as have their
 * entries in one line of cache: or threads that get neighbours would have the line
 * go to and fro between their processors.
 */
#define BUFPOOL_WANT_FIRST	8

struct bufpool;
struct bufpool_cache;

/* The fields up to @held, @hits and @cache are for those of threads only, see cache.h. */
struct bufpool_magazine {
	const struct bufpool *vacant;	/* its pool, or ENTERED; atomic */
	const __u32 *waiting;		/* renters for this class, or as if some did; atomic */
	size_t size;			/* what was asked for last; of this class */
	__u32 held;			/* state of what is rented here */

	__u32 limit;			/* the stack is full before its top is there */
	struct bufpool_stack *stack;	/* an empty one, until it is opened; atomic */
	struct bufpool_rental *rentals;	/* the class's, once the magazine is open */
	uintptr_t first;		/* address of the class's first block, so too */
	size_t known;			/* units from there on that may be kept here */
	unsigned long hits;		/* blocks rented from here; others read it too */
	struct bufpool_cache *cache;	/* whose */
	unsigned char shift;		/* log2 of the block size */
	unsigned char half;		/* 0 for a class that is not kept */
	unsigned char want;		/* to ask the provider for, when empty */
	unsigned short room;		/* for so many blocks */
};

/*
 * Closed: it has no block, and takes none. There is room for so many @halves then;
 * @empty is a stack that is all zero.
 */
void bufpool_magazine_init(struct bufpool_magazine *magazine,
			   const struct bufpool_rentals *rentals,
			   unsigned int class, unsigned int halves,
			   struct bufpool_stack *empty);

/* Let it have a stack, which nobody else uses. Its class is open. */
void bufpool_magazine_open(struct bufpool_magazine *magazine,
			   const struct bufpool_rentals *rentals, unsigned int class,
			   struct bufpool_stack *stack);

/* Return: false where there is no room */
bool bufpool_magazine_push(struct bufpool_magazine *magazine, __u32 unit);

/* For others than the owner, too */
static inline unsigned long bufpool_magazine_hits(const struct bufpool_magazine *magazine)
{
	return __atomic_load_n(&magazine->hits, __ATOMIC_RELAXED);
}

static inline struct bufpool_stack *
bufpool_magazine_stack(const struct bufpool_magazine *magazine)
{
	return __atomic_load_n(&magazine->stack, __ATOMIC_ACQUIRE);
}

/*
 * The unit that a block begins at; larger than any where that is not in the class, or is
 * in the middle of a unit
 */
static inline size_t bufpool_magazine_unit(const struct bufpool_magazine *magazine,
					   const void *block)
{
	uintptr_t distance = (uintptr_t)block - magazine->first;

	/* a rotation */
	return distance >> BUFPOOL_UNIT_SHIFT |
	       distance << (sizeof(distance) * CHAR_BIT - BUFPOOL_UNIT_SHIFT);
}

static inline void *bufpool_magazine_block(const struct bufpool_magazine *magazine,
					   size_t unit)
{
	return (void *)(magazine->first + (unit << BUFPOOL_UNIT_SHIFT));
}

#endif /* BUFPOOL_MAGAZINE_H */
