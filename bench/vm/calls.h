/* SPDX-License-Identifier: MIT */
/*
 * The calls that are counted beside strangers, in a full pool. Between two counts
 * the caller holds one block and none is free; so waiters and pollers sleep.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

void calls_begin(void);
void calls_end(void);

/* Return the block and rent it again: warm, and by way of the free list. */
void calls_measure_pairs(void);

/* Open a client, and close it. */
void calls_measure_open(void);

/* A rent without waiting, and poll(), where there is nothing. */
void calls_measure_refusal(void);

/* A rent beyond the quota of an ordinary user. */
void calls_measure_quota(void);

/* A rent that takes the longest unused block that a stranger keeps warm. */
void calls_measure_steal(void);

/* A return: beside a few waiters for larger blocks, or beside the strangers. */
void calls_measure_return_beside_larger(void);
void calls_measure_return(void);

#endif /* BENCH_CALLS_H */
