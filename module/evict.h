/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_EVICT_H
#define _BUFPOOL_EVICT_H

#include <linux/types.h>

struct bufpool_account;
struct bufpool_blk;
struct bufpool_branch;
struct bufpool_client;
struct bufpool_holding;
struct bufpool_pool;

struct bufpool_blk *bufpool_evict_steal(struct bufpool_pool *pool, bool idle);
unsigned int bufpool_evict_draining(struct bufpool_pool *pool, unsigned int most);
struct bufpool_blk *bufpool_evict_steal_from(struct bufpool_holding *holding);
struct bufpool_blk *bufpool_evict_steal_from_account(struct bufpool_account *account);
void bufpool_evict_look_at_account(struct bufpool_account *account);
size_t bufpool_evict_own(struct bufpool_client *client);
u64 bufpool_evict_trim(struct bufpool_client *client, u64 min_size);
void bufpool_evict_all(struct bufpool_pool *pool);
size_t bufpool_evict_age(struct bufpool_pool *pool, unsigned long warm,
			 unsigned long kept, size_t bytes, unsigned int *looks);
size_t bufpool_evict_age_branch(struct bufpool_branch *branch, unsigned long since,
				size_t bytes, unsigned int *looks);

#endif /* _BUFPOOL_EVICT_H */
