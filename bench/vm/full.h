/* SPDX-License-Identifier: MIT */
/* A pool without a free block: one client holds all of it, page by page, another a slab. */
#ifndef BENCH_FULL_H
#define BENCH_FULL_H

#include <stdint.h>

/* Blocks that there are then. */
#define FULL_BLOCKS	12288

void full_begin(void);
void full_end(void);

/*
 * Both return one of the blocks, each time of another slab, so that no slab becomes
 * wholly free.
 */

/* The next renter gets it. */
void full_give(void);

/* A slab, for whichever user rents next; take it again once that one has returned it. */
void full_give_slab(void);
void full_take_slab(void);

/* It may stay warm, if nobody waits for a page. Return: what the call costs. */
uint64_t full_return(void);

#endif /* BENCH_FULL_H */
