/* SPDX-License-Identifier: MIT */
/*
 * A barrier on every CPU that runs a thread of this process, by membarrier(2), so that
 * the fast paths have none
 */
#ifndef BUFPOOL_BARRIER_H
#define BUFPOOL_BARRIER_H

#include <stdbool.h>

/* Comes first. Return: whether there are such barriers */
bool bufpool_barriers_prepare(void);

/*
 * Have every CPU pass one. Where the program has since forbidden itself that call, a
 * time stands for it, in which every store leaves its CPU. No cancellation point.
 */
void bufpool_barriers_pass(void);

/* Sleep for a while. No cancellation point. */
void bufpool_doze(long ns);

#endif /* BUFPOOL_BARRIER_H */
