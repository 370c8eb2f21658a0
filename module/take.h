/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_TAKE_H
#define _BUFPOOL_TAKE_H

#include <linux/types.h>

struct bufpool_blk;
struct bufpool_branch;
struct bufpool_class;
struct bufpool_client;
struct bufpool_keepers;
struct bufpool_kept;
struct bufpool_pool;

struct bufpool_blk *bufpool_take_steal(struct bufpool_keepers *keepers, bool idle);
unsigned int bufpool_take_draining(struct bufpool_kept *kept, unsigned int most);
size_t bufpool_take_own(struct bufpool_client *client, u64 min_size, size_t bytes);
size_t bufpool_take_age(struct bufpool_keepers *keepers, unsigned long since, size_t bytes,
			unsigned int *looks);
void bufpool_take_look(struct bufpool_pool *pool);
void bufpool_take_look_at_branch(struct bufpool_branch *branch);

#endif /* _BUFPOOL_TAKE_H */
