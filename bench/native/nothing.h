/* SPDX-License-Identifier: MIT */
#ifndef BENCH_NOTHING_H
#define BENCH_NOTHING_H

#include <stddef.h>

/* One block, which is everybody's at once */
#define NOTHING_SIZE	1048576UL

/* With the arguments of bufpool_rent() and bufpool_return() */
void *nothing_get(void *pool, size_t size, unsigned int flags);
int nothing_put(void *pool, void *block, unsigned int flags);

#endif
