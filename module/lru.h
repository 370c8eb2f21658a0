/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An order of things by when they were last used, which their users do not pay
 * for: the time is brought up to date only when a thing is looked at. So the time
 * that is noted here may be too early; a look at the first one either finds its time
 * right, and it is the longest unused of all, or puts it right. A thing that cannot be
 * had just then is noted as used now, and so passed over.
 */
#ifndef _BUFPOOL_LRU_H
#define _BUFPOOL_LRU_H

#include <linux/rbtree.h>
#include <linux/spinlock.h>

/**
 * struct bufpool_lru - an order
 * @lock: guards @tree, and the entries that are in it; innermost
 * @tree: of struct bufpool_lru_entry, by their time
 */
struct bufpool_lru {
	spinlock_t lock;		/* the tree */
	struct rb_root_cached tree;
};

/**
 * struct bufpool_lru_entry - a thing in an order
 * @node: in lru->tree
 * @since: not used since then, as far as is known, in jiffies
 */
struct bufpool_lru_entry {
	struct rb_node node;
	unsigned long since;
};

/* A hint */
static inline bool bufpool_lru_is_empty(const struct bufpool_lru *lru)
{
	/* the lock is not taken for that */
	return data_race(RB_EMPTY_ROOT(&lru->tree.rb_root));
}

void bufpool_lru_init(struct bufpool_lru *lru);
void bufpool_lru_add(struct bufpool_lru *lru, struct bufpool_lru_entry *entry,
		     unsigned long since);
void bufpool_lru_update(struct bufpool_lru *lru,
			struct bufpool_lru_entry *entry, unsigned long since);
void bufpool_lru_remove(struct bufpool_lru *lru,
			struct bufpool_lru_entry *entry);
struct bufpool_lru_entry *bufpool_lru_first(struct bufpool_lru *lru);

#endif /* _BUFPOOL_LRU_H */
