/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_MAP_H
#define _BUFPOOL_MAP_H

#include "client.h"

/*
 * So many pages of a block count as one mapping of it: an area of larger blocks counts as
 * several. So what maps a block is BUFPOOL_MAPPINGS_MAX times as many page-table entries
 * at most.
 */
#define BUFPOOL_MAPPING_PAGES	1024

/*
 * A client's mappings do not change while this is held. The client itself may wait
 * for that; another task may only try, and not where a client has more areas than it could
 * map: by fork(), it alone decides how many.
 */
static inline void bufpool_map_lock(struct bufpool_client *client)
{
	i_mmap_lock_read(&client->mapping);
}

static inline bool bufpool_map_trylock(struct bufpool_client *client)
{
	return atomic_read(&client->nr_mappings) <= BUFPOOL_MAPPINGS_MAX &&
	       i_mmap_trylock_read(&client->mapping);
}

static inline void bufpool_map_unlock(struct bufpool_client *client)
{
	i_mmap_unlock_read(&client->mapping);
}

void bufpool_map_wait_unpinned(struct bufpool_client *client,
			       struct bufpool_blk *blk);

/**
 * bufpool_map_synchronize - let those faults end that have a block pinned
 * @client: owned it; the caller acts for that client
 * @blk: the block, which the caller owns
 *
 * Step 2 at the top of map.c. May sleep.
 */
static inline void bufpool_map_synchronize(struct bufpool_client *client,
					   struct bufpool_blk *blk)
{
	/* pairs with map_unpin(): what a fault inserted is seen from here on */
	if (smp_load_acquire(&blk->pins))
		bufpool_map_wait_unpinned(client, blk);
}

vm_fault_t bufpool_map_pages(struct vm_fault *vmf, struct bufpool_blk *blk,
			     unsigned long first);
bool bufpool_map_forbid_exec(struct vm_area_struct *vma);
int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma);
void bufpool_map_ahead(struct bufpool_client *client, const struct bufpool_block *blocks,
		       unsigned int nr);
void bufpool_map_pass_barriers(struct bufpool_client *client, unsigned long nr);
void bufpool_map_unmap(struct bufpool_client *client, struct bufpool_blk *blk);
void bufpool_map_revoke(struct bufpool_client *client, struct list_head *batch);

#endif /* _BUFPOOL_MAP_H */
