/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_MAP_H
#define _BUFPOOL_MAP_H

struct bufpool_blk;
struct bufpool_client;
struct vm_area_struct;

int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma);
void bufpool_map_synchronize(struct bufpool_client *client);
void bufpool_map_unmap(struct bufpool_client *client, struct bufpool_blk *blk);

#endif /* _BUFPOOL_MAP_H */
