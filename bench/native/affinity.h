/* SPDX-License-Identifier: MIT */
/* Which processors this program may use, numbered from 0 without holes. */
#ifndef BENCH_AFFINITY_H
#define BENCH_AFFINITY_H

/* Before any thread is pinned. */
void affinity_init(void);

/* The processor for thread @index: they repeat when there are no more. */
int affinity_cpu(unsigned int index);

void affinity_pin(unsigned int index);

#endif
