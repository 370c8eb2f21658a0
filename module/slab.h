/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_SLAB_H
#define _BUFPOOL_SLAB_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/types.h>
#include "window.h"

struct bufpool_account;
struct bufpool_class;
struct bufpool_client;
struct bufpool_holding;

/*
 * Memory for slabs and for what describes them. Rather fail than have a process killed
 * for it, and without a word in the log: the renter gets to know.
 */
#define BUFPOOL_SLAB_GFP	(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* The last of a chain of block numbers. */
#define BUFPOOL_NO_BLK		U16_MAX

/* Where a block is in its life; see bufpool.h. */
enum bufpool_blk_state {
	BUFPOOL_BLK_FREE,
	BUFPOOL_BLK_TRANSIT,
	BUFPOOL_BLK_RENTED,
	BUFPOOL_BLK_WARM,
	BUFPOOL_BLK_QUARANTINED,
	BUFPOOL_BLK_SENT,
};

/**
 * struct bufpool_blk - one block, apart from its memory
 * @node: in the owner's list of blocks, or in that of the task that moves it
 * @owner: the client that owns it, else NULL; written under that client's lock.
 *	A task that finds its own client here, under client->lock, may rely on it
 *	for as long as it holds that lock, or a pin on the block
 * @payer: the account that is charged for it, with a reference, where that is not the one of
 *	its slab, see charge.c; or NULL. Written by who moves the block
 * @generation: of the last rental; written by the owner to be, while no handle
 *	is valid
 * @since: when it became warm, in jiffies; owner's lock
 * @nr: which of its slab's blocks this is; constant
 * @next: the next free block of the slab; class->lock, while free
 * @pins: faults and debuggers that are in the block just now, see map.c; owner's
 *	lock, while it is rented or warm
 * @state: enum bufpool_blk_state; class->lock from and to BUFPOOL_BLK_FREE, the quarantine's
 *	from and to BUFPOOL_BLK_QUARANTINED, owner's lock otherwise
 * @exports: dma-bufs of it; the quarantine's lock, and that of the client that rents it to
 *	make it more
 * @touched: the memory may have been reached during this rental, or be still since an
 *	earlier one; set with a pin, read and cleared by the task that moves the block
 * @dirty: the memory is not known to be zero; written, as the rest, by the task
 *	that moves the block
 * @scrubbing: counted in class->nr_scrubbing
 * @used: it has been rented before
 * @waited: its last renter waited for it
 * @foreign: its slab is not for its client's branch: only by that is found what it keeps
 * @clear: it is zeroed when it leaves the quarantine, as who returned it wants it
 * @broken: it was to be zeroed while it was free, and a page of it must not be written to: dirty
 *	for good, and the scrubber passes it by
 */
struct bufpool_blk {
	struct list_head node;
	struct bufpool_client *owner;
	struct bufpool_account *payer;
	u32 generation;
	u32 since;
	u16 nr;
	union {
		u16 next;
		u16 pins;
	};
	u8 state;
	u8 exports;
	bool touched;
	bool dirty : 1;
	bool scrubbing : 1;
	bool used : 1;
	bool waited : 1;
	bool foreign : 1;
	bool clear : 1;
	bool broken : 1;
};

/**
 * struct bufpool_slab - contiguous pinned memory, carved into blocks
 *
 * A slab takes a fixed range of the class's block numbers. Where the system has no
 * memory for a whole one, a small slab has only the first block of the range.
 *
 * @node: in one of the class's lists, or of the account's; class->lock
 * @idle_node: in class->charged, while it is idle, if it has a @home; class->lock
 * @dirty_node: in class->dirty, while a free block is dirty; class->lock
 * @class: whose blocks it holds; constant
 * @holding: of the account that it is charged to, from the first block that goes out to a
 *	client on, until none is out; or NULL; class->lock
 * @home: the holding that it is for, where its memory is charged to the cgroup of that; or
 *	NULL; constant
 * @memory: the blocks' memory, or the beginning of it; constant until the slab is
 *	destroyed, which is not done while a block is out
 * @pieces: where it is not contiguous, its pieces; else NULL; constant likewise
 * @piece_order: log2 of the pages in each; constant likewise
 * @referenced: the piece that was seen to be referenced from outside last; written by who
 *	has its block, of which there is one
 * @bytes: in its blocks; constant
 * @id: index of the slab in class->slabs; constant once published
 * @place: of its first block, see bufpool_blk_place(); constant once a block has
 *	an owner
 * @nr_blks: how many blocks it has; constant
 * @nr_free: free blocks; class->lock
 * @clean: first free block that is zero, or BUFPOOL_NO_BLK; class->lock
 * @dirty: first free block that is not; class->lock
 * @fullness: 1 + which of its account's lists of partial slabs it is on, or 0;
 *	class->lock
 * @idle: none of its blocks is out, and it is counted so; class->lock
 * @draining: its free blocks are not to be used again; written under class->lock. Read
 *	without that it is a hint
 * @reserved: it is part of the class's reserve, see reserve.c; class->lock
 * @reclaimable: the system counts its memory as such; class->lock
 * @rcu: for freeing, since lookups by handle run under RCU
 * @blks: the blocks
 */
struct bufpool_slab {
	struct list_head node;
	struct list_head idle_node;
	struct list_head dirty_node;
	struct bufpool_class *class;
	struct bufpool_holding *holding;
	struct bufpool_holding *home;
	void *memory;
	void **pieces;
	size_t bytes;
	u32 id;
	u32 place;
	u16 nr_blks;
	u16 nr_free;
	u16 clean;
	u16 dirty;
	u16 referenced;
	u8 piece_order;
	u8 fullness;
	bool idle;
	bool draining;
	bool reserved;
	bool reclaimable;
	struct rcu_head rcu;
	struct bufpool_blk blks[];
};

static inline struct bufpool_slab *bufpool_blk_slab(struct bufpool_blk *blk)
{
	return container_of(blk - blk->nr, struct bufpool_slab, blks[0]);
}

/* Whether the system has found the page at an address to be broken. */
static inline bool bufpool_page_is_poisoned(const void *at)
{
	return PageHWPoison(virt_to_page(at));
}

/* Others may read it without the lock that this is said under. */
static inline void bufpool_blk_set_state(struct bufpool_blk *blk, enum bufpool_blk_state state)
{
	WRITE_ONCE(blk->state, state);
}

/* Whether nothing about a block itself stands against its client keeping it. */
static inline bool bufpool_blk_may_stay(const struct bufpool_blk *blk)
{
	return !READ_ONCE(blk->exports) && likely(!blk->foreign);
}

/* Whether a block, which is out, is of no use to its client when it comes back. A hint. */
static inline bool bufpool_blk_is_draining(struct bufpool_blk *blk)
{
	return READ_ONCE(bufpool_blk_slab(blk)->draining);
}

/* The upper half of a handle: the class, and the block's index in it. */
static inline u32 bufpool_blk_place(struct bufpool_blk *blk)
{
	return bufpool_blk_slab(blk)->place + blk->nr;
}

struct bufpool_slab *bufpool_slab_create(struct bufpool_class *class,
					 struct bufpool_holding *home,
					 unsigned int nr_blks);
void bufpool_slab_destroy(struct bufpool_slab *slab);
void bufpool_slab_push(struct bufpool_slab *slab, struct bufpool_blk *blk);
struct bufpool_blk *bufpool_slab_pop(struct bufpool_slab *slab);
struct bufpool_blk *bufpool_slab_pop_dirty(struct bufpool_slab *slab);
struct bufpool_blk *bufpool_slab_find(struct bufpool_class *class, u32 index);
bool bufpool_blk_is_poisoned(struct bufpool_blk *blk);
void bufpool_blk_update_dirty(struct bufpool_blk *blk);
bool bufpool_blk_scrub_from(struct bufpool_blk *blk, size_t used);
void bufpool_blk_scrub(struct bufpool_blk *blk);
void bufpool_blk_clear(struct bufpool_blk *blk);
void bufpool_slab_set_reclaimable(struct bufpool_slab *slab, bool reclaimable);

#endif /* _BUFPOOL_SLAB_H */
