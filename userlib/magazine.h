/* SPDX-License-Identifier: MIT */
/*
 * A magazine: the free blocks of one class that one thread keeps
 *
 * It has two halves: a program that sits on the edge does not go to what is behind
 * on every operation.
 */
#ifndef BUFPOOL_MAGAZINE_H
#define BUFPOOL_MAGAZINE_H

#include <stddef.h>
#include <stdint.h>

#include "rentals.h"

/* Blocks that move at once between a magazine and what is behind it, at most */
#define BUFPOOL_HALF_MAX	64
/* and bytes in them, but for at least one block */
#define BUFPOOL_HALF_BYTES	(256UL << 10)

/*
 * Blocks to ask the provider for at first, more each time. As many as have their
 * entries in one line of cache: or threads that get neighbours would have the line
 * go to and fro between their processors.
 */
#define BUFPOOL_WANT_FIRST	8

struct bufpool_magazine {
	void **top;			/* the blocks are from bottom up to here */
	void **bottom;
	void **limit;			/* two halves; none for what is not kept */
	size_t smallest;		/* bytes; what is rented from this class */
	size_t sizes;			/* so many, from there on; 0 when shut; atomic */
	uintptr_t first;		/* address of the class's first block */
	size_t known;			/* blocks from there on that may be kept here */
	struct bufpool_rental *rentals;	/* the class's */
	unsigned char shift;		/* log2 of the block size */
	unsigned char half;
	unsigned char want;		/* to ask the provider for, when empty */
};

/* Blocks that move at once; 0 for a class that is not kept */
unsigned int bufpool_magazine_half(const struct bufpool_class *class);

/* An empty one, shut, with room for two halves at @blocks. */
void bufpool_magazine_init(struct bufpool_magazine *magazine,
			   const struct bufpool_rentals *rentals,
			   unsigned int class, void **blocks);

/* Let it serve the sizes of its class, if that is kept. */
void bufpool_magazine_open(struct bufpool_magazine *magazine);

static inline void bufpool_magazine_shut(struct bufpool_magazine *magazine)
{
	__atomic_store_n(&magazine->sizes, 0, __ATOMIC_RELAXED);
}

static inline unsigned int
bufpool_magazine_count(const struct bufpool_magazine *magazine)
{
	return magazine->top - magazine->bottom;
}

/* Forget the blocks. */
static inline void bufpool_magazine_clear(struct bufpool_magazine *magazine)
{
	magazine->top = magazine->bottom;
	magazine->want = magazine->half < BUFPOOL_WANT_FIRST ?
			 magazine->half : BUFPOOL_WANT_FIRST;
}

#endif /* BUFPOOL_MAGAZINE_H */
