/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_RECLAIM_H
#define _BUFPOOL_RECLAIM_H

struct bufpool_pool;

int bufpool_reclaim_start(struct bufpool_pool *pool);
void bufpool_reclaim_stop(struct bufpool_pool *pool);
void bufpool_reclaim_all(struct bufpool_pool *pool);
void bufpool_reclaim_reschedule(struct bufpool_pool *pool);

#endif /* _BUFPOOL_RECLAIM_H */
