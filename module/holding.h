/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_HOLDING_H
#define _BUFPOOL_HOLDING_H

#include <linux/bitops.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include "kept.h"
#include "lru.h"
#include "slab.h"

struct bufpool_account;
struct bufpool_branch;
struct bufpool_class;

/* Slabs are told apart by how many of their blocks are free, up to 2 to that. */
#define BUFPOOL_FULLNESS	8

/**
 * struct bufpool_holding - what a branch has of a class
 * @branch: the branch, of which this is part; constant
 * @account: its account; constant
 * @idle: wholly free slabs that its account may have: @charged, or those of the class that
 *	are charged to no cgroup; constant
 * @warm: struct bufpool_warm of its clients
 * @kept: struct bufpool_kept of its clients
 * @partial: its slabs with free blocks and blocks in use: of list n those with
 *	1 << n free blocks and more, and those of the reserve last; class->lock, as for all
 *	that follows
 * @filled: bit n: list n of @partial is not empty
 * @full: its slabs without a free block, likewise
 * @charged: wholly free slabs that are charged to its cgroup; small ones last
 * @charged_bytes: bytes in slabs that are, in use or not
 * @idle_bytes: bytes in these of @charged
 * @nr_out: blocks of its slabs that are not free
 * @waiters: see waitq.h
 * @nr_waiting: how many
 * @turn: it is this holding's turn before that of those with a larger one, see waitq.h
 * @served: slabs that had been given to whom they could not have been, when it got one last
 * @grants: the same, when its turn began
 * @node: in class->waiting, while there are waiters
 *
 * @charged_bytes, @idle_bytes, @nr_out, @turn and @grants are also read without the lock, and
 * so are written once.
 */
struct bufpool_holding {
	struct bufpool_branch *branch;
	struct bufpool_account *account;
	struct list_head *idle;
	struct bufpool_lru warm;
	struct bufpool_keepers kept;
	struct list_head partial[BUFPOOL_FULLNESS];
	unsigned long filled;
	struct list_head full;
	struct list_head charged;
	size_t charged_bytes;
	size_t idle_bytes;
	unsigned long nr_out;
	struct rb_root_cached waiters[2];
	unsigned int nr_waiting;
	u64 turn;
	u64 served;
	u64 grants;
	struct rb_node node;
};

/* The slab that the next block is to come from, or NULL. */
static inline struct bufpool_slab *
bufpool_holding_fullest(const struct bufpool_holding *holding)
{
	if (!holding->filled)
		return NULL;
	return list_first_entry(&holding->partial[__ffs(holding->filled)],
				struct bufpool_slab, node);
}

/*
 * A slab of the account's is about to be moved to another list. (It may be the last one
 * of the list that it is on.)
 */
static inline void bufpool_holding_leave(struct bufpool_holding *holding,
					 struct bufpool_slab *slab)
{
	if (slab->fullness && list_is_singular(&holding->partial[slab->fullness - 1]))
		holding->filled &= ~BIT(slab->fullness - 1);
	slab->fullness = 0;
}

/* Move a slab of the account's to the list that its free blocks say; it has left another. */
static inline void bufpool_holding_move(struct bufpool_holding *holding,
					struct bufpool_slab *slab)
{
	struct list_head *list = &holding->full;
	unsigned int nr;

	if (slab->nr_free) {
		nr = min(ilog2(slab->nr_free), BUFPOOL_FULLNESS - 1);
		slab->fullness = nr + 1;
		holding->filled |= BIT(nr);
		list = &holding->partial[nr];
	}
	if (unlikely(slab->reserved))
		list_move_tail(&slab->node, list);
	else
		list_move(&slab->node, list);
}

void bufpool_holding_init(struct bufpool_holding *holding, struct bufpool_branch *branch,
			  struct bufpool_class *class);

#endif /* _BUFPOOL_HOLDING_H */
