/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_WARM_H
#define _BUFPOOL_WARM_H

#include "client.h"

/* Count so many blocks in, or out if negative, of the client's warm ones. */
static inline void bufpool_warm_count(struct bufpool_client *client,
				      struct bufpool_class *class, int nr)
{
	s64 bytes = (s64)nr << class->shift;

	lockdep_assert_held(&client->lock);
	client->warm[class->nr].nr += nr;
	client->nr_warm += nr;
	client->warm_bytes += bytes;
	this_cpu_add(client->pool->counters->warm, bytes);
}

/*
 * Put a returned block in front of the client's warm ones, where there is room
 * for it; bufpool_warm_count() is due. It comes from a list, and list_move() would
 * do the same, but with the checks of CONFIG_DEBUG_LIST costs as much as all else
 * that a return does.
 */
static inline void bufpool_warm_add(struct bufpool_client *client,
				    struct bufpool_class *class,
				    struct bufpool_blk *blk)
{
	struct bufpool_warm *warm = &client->warm[class->nr];

	lockdep_assert_held(&client->lock);
	blk->since = jiffies;
	WRITE_ONCE(blk->warm, true);
	list_bulk_move_tail(warm->blks.next, &blk->node, &blk->node);
}

/*
 * Take the client's own warm block that was used last, or NULL. It is on the list
 * still, for its next list to take over, and stays warm until it is published.
 */
static inline struct bufpool_blk *
bufpool_warm_take_latest(struct bufpool_client *client,
			 struct bufpool_class *class)
{
	struct bufpool_warm *warm = &client->warm[class->nr];

	lockdep_assert_held(&client->lock);
	if (!warm->nr)
		return NULL;
	bufpool_warm_count(client, class, -1);
	return list_first_entry(&warm->blks, struct bufpool_blk, node);
}

unsigned int bufpool_warm_room(struct bufpool_client *client,
			       struct bufpool_class *class);
bool bufpool_warm_keep(struct bufpool_client *client, struct bufpool_class *class,
		       struct bufpool_blk *blk);
unsigned int bufpool_warm_take(struct bufpool_client *client,
			       struct bufpool_class *class, unsigned int wanted,
			       struct list_head *batch);
u64 bufpool_warm_trim(struct bufpool_client *client, u64 min_size);
struct bufpool_blk *bufpool_warm_steal(struct bufpool_pool *pool,
				       struct bufpool_class *class,
				       struct bufpool_user *user);
bool bufpool_warm_any(struct bufpool_pool *pool, struct bufpool_class *class);
u64 bufpool_warm_of_user(struct bufpool_pool *pool,
			 const struct bufpool_user *user);
size_t bufpool_warm_age(struct bufpool_pool *pool, u32 since, size_t bytes,
			bool may_wait);

#endif /* _BUFPOOL_WARM_H */
