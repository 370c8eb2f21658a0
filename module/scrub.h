/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_SCRUB_H
#define _BUFPOOL_SCRUB_H

#include <linux/types.h>

struct bufpool_pool;
struct work_struct;

void bufpool_scrub_work(struct work_struct *work);
bool bufpool_scrub_interrupt(struct bufpool_pool *pool, unsigned int puts);

#endif /* _BUFPOOL_SCRUB_H */
