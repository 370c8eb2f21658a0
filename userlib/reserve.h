/* SPDX-License-Identifier: MIT */
/*
 * Address space without memory
 */
#ifndef BUFPOOL_RESERVE_H
#define BUFPOOL_RESERVE_H

#include <stddef.h>

/*
 * Reserve @length bytes at a multiple of @align (a power of two of at least a
 * page), without access to them, in *@base. As much again must be free beside it,
 * so that the program is left with half of what it had.
 *
 * A child of fork() does not have the range. Parts that are made accessible are
 * zero, never huge pages, and not locked by an mlockall(MCL_FUTURE) before.
 *
 * 0 or -errno; -ENOMEM where a smaller length may succeed.
 */
int bufpool_reserve(size_t length, size_t align, void **base);

#endif /* BUFPOOL_RESERVE_H */
