/* SPDX-License-Identifier: MIT */
/*
 * Address space without memory
 */
#ifndef BUFPOOL_RESERVE_H
#define BUFPOOL_RESERVE_H

#include <limits.h>
#include <stddef.h>

/* So little of the address space is for one class at most, that other things have room. */
#define BUFPOOL_SPACE_SHIFT	(sizeof(size_t) * CHAR_BIT - 7)

/*
 * Reserve @length bytes at a multiple of @align (a power of two of at least a
 * page), without access to them, in *@base. As much again must be free beside it,
 * so that the program is left with half of what it had.
 *
 * A child of fork() does not have the range. Parts that are made accessible are
 * zero, in no core, never huge pages, and not locked by an mlockall(MCL_FUTURE) before.
 *
 * 0 or -errno; -ENOMEM where a smaller length may succeed.
 */
int bufpool_reserve(size_t length, size_t align, void **base);

/* The same at a given address. 0 or -errno; -ENOMEM also where something is there. */
int bufpool_reserve_at(void *base, size_t length);

#endif /* BUFPOOL_RESERVE_H */
