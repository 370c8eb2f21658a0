// SPDX-License-Identifier: GPL-2.0-only
/*
 * An order of things by when they were last used; see lru.h.
 */
#include <linux/jiffies.h>
#include "lru.h"

void bufpool_lru_init(struct bufpool_lru *lru)
{
	spin_lock_init(&lru->lock);
	lru->tree = RB_ROOT_CACHED;
}

static bool lru_is_earlier(struct rb_node *a, const struct rb_node *b)
{
	return time_before(rb_entry(a, struct bufpool_lru_entry, node)->since,
			   rb_entry(b, struct bufpool_lru_entry, node)->since);
}

/* Add an entry that was not used since a time. */
void bufpool_lru_add(struct bufpool_lru *lru, struct bufpool_lru_entry *entry,
		     unsigned long since)
{
	spin_lock(&lru->lock);
	entry->since = since;
	rb_add_cached(&entry->node, &lru->tree, lru_is_earlier);
	spin_unlock(&lru->lock);
}

/* Put the time of an entry right. */
void bufpool_lru_update(struct bufpool_lru *lru,
			struct bufpool_lru_entry *entry, unsigned long since)
{
	spin_lock(&lru->lock);
	rb_erase_cached(&entry->node, &lru->tree);
	entry->since = since;
	rb_add_cached(&entry->node, &lru->tree, lru_is_earlier);
	spin_unlock(&lru->lock);
}

/* Take an entry out. */
void bufpool_lru_remove(struct bufpool_lru *lru,
			struct bufpool_lru_entry *entry)
{
	spin_lock(&lru->lock);
	rb_erase_cached(&entry->node, &lru->tree);
	spin_unlock(&lru->lock);
}

/**
 * bufpool_lru_first - the entry that was not used for longest, as far as is known
 * @lru: the order; its lock is held, for as long as the entry is looked at
 *
 * Return: the entry, or NULL.
 */
struct bufpool_lru_entry *bufpool_lru_first(struct bufpool_lru *lru)
{
	lockdep_assert_held(&lru->lock);
	return rb_entry_safe(rb_first_cached(&lru->tree),
			     struct bufpool_lru_entry, node);
}
