/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_MAP_H
#define _BUFPOOL_MAP_H

#include "client.h"

/*
 * A client's mappings do not change while this is held. The client itself may wait
 * for that; another task may only try.
 */
static inline void bufpool_map_lock(struct bufpool_client *client)
{
	i_mmap_lock_read(&client->mapping);
}

static inline bool bufpool_map_trylock(struct bufpool_client *client)
{
	return i_mmap_trylock_read(&client->mapping);
}

static inline void bufpool_map_unlock(struct bufpool_client *client)
{
	i_mmap_unlock_read(&client->mapping);
}

int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma);
void bufpool_map_synchronize(struct bufpool_client *client,
			     struct bufpool_blk *blk);
void bufpool_map_unmap(struct bufpool_client *client, struct bufpool_blk *blk);

#endif /* _BUFPOOL_MAP_H */
