/* SPDX-License-Identifier: MIT */
/*
 * The blocks of a private pool
 *
 * A block is rented, *warm* (free, with what was in it) or *cold* (free, without
 * memory), or its number is higher than any that was rented. The stock holds the
 * memory of what is rented and warm, and no more than its limit. In each kind the
 * lowest number goes first, so that all shown blocks lie together.
 *
 * Nothing here locks.
 */
#ifndef BUFPOOL_STOCK_H
#define BUFPOOL_STOCK_H

#include <linux/bufpool.h>

#include "memory.h"

/* Bytes in the largest block, also of those for I/O; and in the largest that becomes warm */
#define BUFPOOL_STOCK_MAX_RENT		((size_t)4 << 20)
#define BUFPOOL_STOCK_MAX_RENT_IO	((size_t)64 << 20)
#define BUFPOOL_STOCK_MAX_POOLED	((size_t)1 << 20)

/* How many larger sizes may serve instead of the one that was asked for */
#define BUFPOOL_STOCK_LARGER		2

/* One block, from its first rental on */
struct bufpool_stock_block {
	__u32 generation;	/* of the last rental; they begin with 1 */
	bool is_rented;
};

struct bufpool_stock_class {
	struct bufpool_stock_block *blocks;
	size_t nr_blocks;	/* those that have been rented */
	size_t room;		/* entries in @blocks */
	struct bufpool_indexset warm;
	struct bufpool_indexset cold;
};

struct bufpool_stock {
	struct bufpool_memory memory;
	struct bufpool_stock_class classes[BUFPOOL_CLASSES_MAX];
	unsigned int first_io;		/* the first class of blocks for I/O */
	struct bufpool_stats stats;	/* what the stock itself knows */
};

/* A block that has a renter, or will have. */
struct bufpool_grant {
	unsigned int class;
	size_t index;
	bool zero;		/* it must be overwritten with zeroes */
};

/* 0 or -errno; @stock is all zero before, @limit at least a page. */
int bufpool_stock_init(struct bufpool_stock *stock, __u64 limit);

/* In a child of fork() too */
void bufpool_stock_destroy(struct bufpool_stock *stock);

static inline size_t bufpool_stock_block_size(const struct bufpool_stock *stock,
					      unsigned int class)
{
	return stock->memory.areas[class].block_size;
}

/* To a program the memory of both kinds is the same; they differ in their largest block. */
static inline bool bufpool_stock_is_io(const struct bufpool_stock *stock, unsigned int class)
{
	return class >= stock->first_io;
}

/* The class with the smallest blocks of at least @size bytes, of a kind; or -EMSGSIZE */
int bufpool_stock_class_for(const struct bufpool_stock *stock, size_t size, bool is_io);

/* One more than the largest class that may serve instead of this one */
unsigned int bufpool_stock_larger_end(const struct bufpool_stock *stock, unsigned int class);

/* The handle of a block that is rented, and back: 0, -ENOENT or -ESTALE */
__u64 bufpool_stock_handle(const struct bufpool_stock *stock,
			   const struct bufpool_grant *grant);
int bufpool_stock_find(const struct bufpool_stock *stock, __u64 handle,
		       struct bufpool_grant *grant);

/* Whether there is such a block, and it is rented; @grant may be anything. */
bool bufpool_stock_is_rented(const struct bufpool_stock *stock,
			     const struct bufpool_grant *grant);

/* Rent a block, wherever it may come from. 0, -EAGAIN, -EDQUOT or -ENOMEM */
int bufpool_stock_take(struct bufpool_stock *stock, unsigned int class, bool zero,
		       struct bufpool_grant *grant);

/* Rent a warm block of just this class. 0 or -EAGAIN */
int bufpool_stock_take_warm(struct bufpool_stock *stock, unsigned int class,
			    bool zero, struct bufpool_grant *grant);

/* A block that was in no set is rented; @warm: with what was in it. */
void bufpool_stock_begin(struct bufpool_stock *stock,
			 const struct bufpool_grant *grant, bool warm);

/* And no more; it goes to another renter, or is kept or cooled, next. */
void bufpool_stock_end(struct bufpool_stock *stock,
		       const struct bufpool_grant *grant);

/* The block becomes warm; where too much is warm then, another one cold. */
void bufpool_stock_keep(struct bufpool_stock *stock,
			const struct bufpool_grant *grant);

/* The block becomes cold; @must: hidden too. */
void bufpool_stock_cool(struct bufpool_stock *stock,
			const struct bufpool_grant *grant, bool must);

/* Warm blocks of at least @min_size bytes become cold; how many bytes. */
__u64 bufpool_stock_trim(struct bufpool_stock *stock, __u64 min_size);

__u64 bufpool_stock_count_warm(const struct bufpool_stock *stock);

#endif /* BUFPOOL_STOCK_H */
