/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_WARM_H
#define _BUFPOOL_WARM_H

#include <linux/jiffies.h>
#include "client.h"

/**
 * struct bufpool_warm - the warm blocks of one class that a client has, a stack
 * @client: the client; constant
 * @class: the class; constant
 * @by_class: in class->warm, if @is_linked
 * @by_holding: in the holding's, if @is_linked
 * @is_linked: others may find the blocks; client->lock, as for all that follows
 * @blks: a ring of pointers to them
 * @mask: its length, a power of two, less 1
 * @bottom: the longest unused block is at blks[@bottom & @mask]
 * @top: the next block goes to blks[@top & @mask]
 *
 * The client pushes and pops at the top; eviction takes from the bottom.
 */
struct bufpool_warm {
	struct bufpool_client *client;
	struct bufpool_class *class;
	struct bufpool_lru_entry by_class;
	struct bufpool_lru_entry by_holding;
	bool is_linked;
	struct bufpool_blk **blks;
	u32 mask;
	u32 bottom;
	u32 top;
};

/* How many blocks are in the stack. */
static inline unsigned int bufpool_warm_nr(const struct bufpool_warm *warm)
{
	return warm->top - warm->bottom;
}

/* Count so many blocks in, or out if negative. */
static inline void bufpool_warm_count(struct bufpool_warm *warm, int nr)
{
	struct bufpool_client *client = warm->client;
	struct bufpool_class *class = warm->class;

	lockdep_assert_held(&client->lock);
	this_cpu_add(client->pool->counters->warm[class->nr], nr);
	this_cpu_add(*client->account->warm, (s64)nr << class->shift);
}

void bufpool_warm_link(struct bufpool_warm *warm);

/*
 * Put a returned block on the client's stack, which has room for it;
 * bufpool_warm_count() is due.
 */
static inline void bufpool_warm_push(struct bufpool_warm *warm,
				     struct bufpool_blk *blk)
{
	lockdep_assert_held(&warm->client->lock);
	blk->since = jiffies;
	bufpool_blk_set_state(blk, BUFPOOL_BLK_WARM);
	warm->blks[warm->top++ & warm->mask] = blk;
	if (unlikely(!warm->is_linked))
		bufpool_warm_link(warm);
}

/*
 * Take the client's own warm block that was used last. It is the client's still;
 * bufpool_warm_count() is due.
 */
static inline struct bufpool_blk *bufpool_warm_pop(struct bufpool_warm *warm)
{
	lockdep_assert_held(&warm->client->lock);
	return warm->blks[--warm->top & warm->mask];
}

/* When a warm block was used last, in all bits of jiffies. */
static inline unsigned long bufpool_warm_since(const struct bufpool_blk *blk)
{
	unsigned long now = jiffies;

	return now - ((u32)now - blk->since);
}

/* The longest unused block of a stack, or NULL. */
static inline struct bufpool_blk *
bufpool_warm_bottom(const struct bufpool_warm *warm)
{
	lockdep_assert_held(&warm->client->lock);
	if (!bufpool_warm_nr(warm))
		return NULL;
	return warm->blks[warm->bottom & warm->mask];
}

/* The block that was used last but @nr, of those in the stack. */
static inline struct bufpool_blk *
bufpool_warm_peek(const struct bufpool_warm *warm, unsigned int nr)
{
	return warm->blks[(warm->top - 1 - nr) & warm->mask];
}

int bufpool_warm_prepare(struct bufpool_client *client,
			 struct bufpool_class *class);
void bufpool_warm_destroy(struct bufpool_client *client);
void bufpool_warm_drop_all(struct bufpool_client *client);
void bufpool_warm_unlink(struct bufpool_warm *warm);
void bufpool_warm_update(struct bufpool_warm *warm, unsigned long since);
void bufpool_warm_sort(struct bufpool_warm *warm);
struct bufpool_blk *bufpool_warm_claim(struct bufpool_warm *warm);
unsigned int bufpool_warm_claim_draining(struct bufpool_warm *warm,
					 struct list_head *batch, unsigned int most);
unsigned int bufpool_warm_room(struct bufpool_client *client,
			       struct bufpool_class *class);
u64 bufpool_warm_of_client(struct bufpool_client *client, u64 *blocks);

#endif /* _BUFPOOL_WARM_H */
