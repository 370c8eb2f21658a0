/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_CLASS_H
#define _BUFPOOL_CLASS_H

#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <uapi/linux/bufpool.h>
#include "backing.h"
#include "kept.h"
#include "lru.h"
#include "slab.h"

struct bufpool_pool;

/**
 * struct bufpool_class - all blocks of one size and backing
 * @pool: the pool; constant, as all up to @slab_size
 * @backing: where its memory comes from
 * @memory: the backing's own
 * @small: the same for small slabs; NULL where all slabs have one block
 * @tables: cache of struct bufpool_slab with its blocks
 * @nr: index in the pool
 * @shift: log2 of the block size
 * @pooled: slabs without a block in use are kept
 * @slab_shift: log2 of the blocks in a slab
 * @per_slab: blocks in a slab that is not small
 * @slab_size: bytes in it
 * @small_until: only small slabs are made until then, in jiffies; no lock
 * @slabs: by id; its own lock, read under RCU
 * @first_held: bytes that the account holds whose turn it is here, as of the last change in
 *	line; 0 if it comes first in any case, and ULONG_MAX if none does. Written under
 *	@lock
 * @stale: slabs were given back since the last bufpool_supply_flush(); no lock
 * @warm: struct bufpool_warm of this class, of all clients
 * @kept: struct bufpool_kept of this class, of all clients
 * @lock: guards all that follows
 * @idle: slabs with free blocks only, which are nobody's, and charged to no cgroup; small
 *	ones last
 * @charged: the same of those that are, for whichever
 * @scrubbed: slabs that are nobody's, with a block that is being zeroed
 * @draining: slabs whose blocks are not to be used again
 * @reserve: slabs with free blocks only that are set aside, see reserve.c
 * @dirty: slabs with free blocks that are not zero
 * @waiting: struct bufpool_holding with waiters, by their turn
 * @nr_slabs: how many there are
 * @nr_idle: how many of them are idle
 * @idle_bytes: bytes in these
 * @unowned_bytes: bytes in slabs that are nobody's, idle or scrubbed
 * @draining_bytes: bytes in slabs that are draining
 * @reserve_wanted: bytes that are to be set aside at least
 * @reserved_bytes: bytes in slabs that are, in use or not
 * @reserve_bytes: bytes in those of @reserve
 * @least_idle: the fewest idle bytes since bufpool_class_spare()
 * @nr_blks: how many blocks there are
 * @nr_out: of these, blocks that are not free
 * @nr_scrubbing: of these, blocks that are being zeroed in the background
 * @nr_waiting: tasks that wait, see waitq.h
 *
 * @idle_bytes, @draining_bytes, @reserved_bytes, @reserve_bytes, @nr_out and @nr_waiting are
 * also read without the lock, as hints, and so are written once.
 */
struct bufpool_class {
	struct bufpool_pool *pool;
	const struct bufpool_backing *backing;
	struct kmem_cache *memory;
	struct kmem_cache *small;
	struct kmem_cache *tables;
	u8 nr;
	u8 shift;
	u8 slab_shift;
	bool pooled;
	u16 per_slab;
	size_t slab_size;
	unsigned long small_until;
	struct xarray slabs;
	unsigned long first_held;
	int stale;
	struct bufpool_lru warm;
	struct bufpool_keepers kept;
	spinlock_t lock ____cacheline_aligned;
	struct list_head idle;
	struct list_head charged;
	struct list_head scrubbed;
	struct list_head draining;
	struct list_head reserve;
	struct list_head dirty;
	struct rb_root_cached waiting;
	unsigned long nr_slabs;
	unsigned long nr_idle;
	unsigned long idle_bytes;
	unsigned long unowned_bytes;
	unsigned long draining_bytes;
	unsigned long reserve_wanted;
	unsigned long reserved_bytes;
	unsigned long reserve_bytes;
	unsigned long least_idle;
	unsigned long nr_blks;
	unsigned long nr_out;
	unsigned long nr_scrubbing;
	unsigned long nr_waiting;
};

/**
 * struct bufpool_class_stats - a class at one instant
 * @slabs: how many it has
 * @idle_slabs: of these, slabs without a block that is out
 * @free: blocks on the free lists
 * @out: blocks that are rented, warm, or on their way
 * @waiting: tasks that wait for one
 * @reserve: bytes in slabs that are set aside, in use or not
 */
struct bufpool_class_stats {
	u64 slabs;
	u64 idle_slabs;
	u64 free;
	u64 out;
	u64 waiting;
	u64 reserve;
};

static inline size_t bufpool_class_block_size(const struct bufpool_class *class)
{
	return 1UL << class->shift;
}

/* Bytes in the smallest slab that a class can have. */
static inline size_t bufpool_class_least_slab(const struct bufpool_class *class)
{
	return class->small ? bufpool_class_block_size(class) : class->slab_size;
}

static inline bool bufpool_slab_is_small(const struct bufpool_slab *slab)
{
	return slab->nr_blks != slab->class->per_slab;
}

static inline struct bufpool_class *bufpool_blk_class(struct bufpool_blk *blk)
{
	return bufpool_blk_slab(blk)->class;
}

static inline size_t bufpool_blk_size(struct bufpool_blk *blk)
{
	return bufpool_class_block_size(bufpool_blk_class(blk));
}

/* A page of a block's memory, as the kernel sees it. */
static inline void *bufpool_blk_page(struct bufpool_blk *blk, unsigned long nr)
{
	const struct bufpool_slab *slab = bufpool_blk_slab(blk);
	unsigned long in_piece;

	if (likely(!slab->pieces))
		return slab->memory + ((size_t)blk->nr << slab->class->shift) +
		       (nr << PAGE_SHIFT);
	/* a slab of several has one block */
	in_piece = nr & (BIT(slab->piece_order) - 1);
	return slab->pieces[nr >> slab->piece_order] + (in_piece << PAGE_SHIFT);
}

/* How many pages of a block, from one on, are contiguous. */
static inline unsigned long bufpool_blk_run(struct bufpool_blk *blk, unsigned long nr)
{
	const struct bufpool_slab *slab = bufpool_blk_slab(blk);

	if (!slab->pieces)
		return (bufpool_blk_size(blk) >> PAGE_SHIFT) - nr;
	return BIT(slab->piece_order) - (nr & (BIT(slab->piece_order) - 1));
}

/* Where a block of a class is in the window. */
static inline u64 bufpool_class_offset(const struct bufpool_class *class,
				       u32 place)
{
	u64 index = place & (BIT(BUFPOOL_INDEX_BITS) - 1);

	return ((u64)class->nr << BUFPOOL_SPAN_SHIFT) + (index << class->shift);
}

static inline u64 bufpool_blk_offset(struct bufpool_blk *blk)
{
	return bufpool_class_offset(bufpool_blk_class(blk),
				    bufpool_blk_place(blk));
}

/**
 * bufpool_class_report - what a renter has to know of a block
 * @class: the block's
 * @place: the block's
 * @generation: the rental's
 * @report: is filled in
 *
 * Also between user_access_begin() and its end, where nothing may be called.
 */
static __always_inline void
bufpool_class_report(const struct bufpool_class *class, u32 place,
		     u32 generation, struct bufpool_block *report)
{
	report->handle = (u64)place << 32 | generation;
	report->offset = bufpool_class_offset(class, place);
	report->length = bufpool_class_block_size(class);
}

/* The same of a block that the caller, or its client, owns. */
static __always_inline void bufpool_blk_report(struct bufpool_blk *blk,
					       struct bufpool_block *report)
{
	const struct bufpool_slab *slab = bufpool_blk_slab(blk);

	bufpool_class_report(slab->class, slab->place + blk->nr,
			     blk->generation, report);
}

/* Without class->lock this is a hint. */
static inline bool bufpool_class_has_waiters(const struct bufpool_class *class)
{
	return READ_ONCE(class->nr_waiting);
}

int bufpool_class_init(struct bufpool_class *class, struct bufpool_pool *pool,
		       const struct bufpool_backing *backing, size_t block_size);
void bufpool_class_exit(struct bufpool_class *class);
struct bufpool_blk *bufpool_class_take(struct bufpool_class *class,
				       struct bufpool_holding *holding,
				       unsigned long quota);
struct bufpool_blk *bufpool_class_take_dirty(struct bufpool_class *class);
struct bufpool_blk *bufpool_class_take_new(struct bufpool_class *class,
					   struct bufpool_holding *holding,
					   unsigned long quota, bool own);
struct bufpool_blk *bufpool_class_take_reserved(struct bufpool_class *class,
						struct bufpool_holding *holding,
						unsigned long quota);
bool bufpool_class_has_free(struct bufpool_class *class,
			    const struct bufpool_holding *holding, bool *claims);
void bufpool_class_add(struct bufpool_class *class, struct bufpool_slab *slab,
		       struct bufpool_holding *holding);
void bufpool_class_want_reserve(struct bufpool_class *class, size_t bytes);
void bufpool_class_put_rest(struct bufpool_class *class, struct bufpool_slab *slab,
			    unsigned int first);
struct bufpool_slab *bufpool_class_put_free(struct bufpool_class *class,
					    struct bufpool_blk *blk);
void bufpool_class_sort_slab(struct bufpool_class *class,
			     struct bufpool_slab *slab);
struct bufpool_slab *bufpool_class_unlink_idle(struct bufpool_class *class,
					       struct bufpool_holding *home);
unsigned long bufpool_class_spare(struct bufpool_class *class);
size_t bufpool_class_start_draining(struct bufpool_class *class,
				    struct bufpool_holding *holding, size_t bytes,
				    bool fullest, unsigned int *left);
void bufpool_class_stop_draining(struct bufpool_class *class, unsigned int *left);
struct bufpool_slab *bufpool_class_next_draining(struct bufpool_class *class,
						 struct bufpool_kept **kept);
void bufpool_class_stats(struct bufpool_class *class,
			 struct bufpool_class_stats *stats);
void bufpool_class_info(const struct bufpool_class *class,
			struct bufpool_class_info *info);

#endif /* _BUFPOOL_CLASS_H */
