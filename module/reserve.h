/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_RESERVE_H
#define _BUFPOOL_RESERVE_H

#include <linux/types.h>

struct bufpool_class;
struct bufpool_pool;

int bufpool_reserve_set(struct bufpool_class *class, u64 bytes);
bool bufpool_reserve_fits(struct bufpool_pool *pool, u64 limit);

#endif /* _BUFPOOL_RESERVE_H */
