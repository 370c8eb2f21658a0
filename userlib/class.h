/* SPDX-License-Identifier: MIT */
/*
 * The classes of a pool, as its provider enumerates them
 *
 * The table has only classes of a backing that this library knows, so a class is
 * named here by its position in the table, and by its number (@nr) only in handles.
 * Positions go by backing, slabs first, and then by block size, smallest first. Nothing
 * changes after init.
 */
#ifndef BUFPOOL_CLASS_H
#define BUFPOOL_CLASS_H

#include <stdbool.h>
#include <stddef.h>

#include "handle.h"
#include "provider.h"

/*
 * Bytes in the largest block that the library keeps. Larger ones go back to the
 * provider, which keeps them mapped: for as much memory a call costs little, and
 * what is kept here others cannot have.
 */
#define BUFPOOL_KEPT_BLOCK_MAX	(1024UL * 1024)

struct bufpool_class {
	size_t block_size;		/* bytes, a power of two */
	__u64 offset;			/* mmap offset of the first block */
	__u64 span;			/* bytes of offsets from there on */
	unsigned char shift;		/* log2 of @block_size */
	unsigned char nr;		/* the provider's number of this class */
	bool is_pooled;			/* its blocks are kept when they are returned */
};

/* One more than the largest bufpool_order() */
#define BUFPOOL_ORDERS	64

/* The backings that this library knows: BUFPOOL_BACKING_SLAB and BUFPOOL_BACKING_PAGES */
#define BUFPOOL_BACKINGS	2

/* All classes of one backing */
struct bufpool_sizes {
	unsigned char for_order[BUFPOOL_ORDERS]; /* @count: no block is so large */
	size_t max_pooled;		/* bytes in the largest block that is kept */
	size_t largest;			/* bytes in the largest block; 0: no class */
};

struct bufpool_classes {
	unsigned int count;
	unsigned int nr_slab;		/* so many of them, the first, are made of slabs */
	struct bufpool_class of[BUFPOOL_CLASSES_MAX];
	struct bufpool_sizes sizes[BUFPOOL_BACKINGS];
	__u64 span;			/* the shortest of all classes */
};

/*
 * 0 or -errno; -ENOTTY where there is no class of slabs. @nr_classes is how many the
 * provider has, which has given its info before.
 */
int bufpool_classes_init(struct bufpool_classes *classes,
			 struct bufpool_provider *provider,
			 unsigned int nr_classes);

/* The class that has this offset; @count where none has. */
unsigned int bufpool_classes_at(const struct bufpool_classes *classes,
				__u64 offset);

/* log2 of the smallest power of two of at least @size, which is 1 to 2^63 */
static inline unsigned int bufpool_order(size_t size)
{
	return 63 - __builtin_clzll(2ULL * size - 1);
}

/* What a rent with such flags is for */
static inline unsigned int bufpool_backing_for(unsigned int flags)
{
	return flags & BUFPOOL_RENT_IO ? BUFPOOL_BACKING_PAGES : BUFPOOL_BACKING_SLAB;
}

/* The class with the smallest blocks of at least @size bytes; @count: there is none. */
static inline unsigned int
bufpool_classes_for(const struct bufpool_classes *classes, unsigned int backing, size_t size)
{
	return classes->sizes[backing].for_order[bufpool_order(size)];
}

/* 0 and the class for a request; or -EINVAL (also: no such backing), -EMSGSIZE */
int bufpool_classes_find(const struct bufpool_classes *classes, unsigned int backing,
			 size_t size, unsigned int *class);

static inline bool bufpool_class_is_slab(const struct bufpool_classes *classes,
					 unsigned int class)
{
	return class < classes->nr_slab;
}

#endif /* BUFPOOL_CLASS_H */
