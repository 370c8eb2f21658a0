/* SPDX-License-Identifier: MIT */
/*
 * Address space without memory
 */
#ifndef BUFPOOL_RESERVE_H
#define BUFPOOL_RESERVE_H

#include <stddef.h>

/*
 * Reserve @length bytes at a multiple of @align (a power of two of at least a
 * page) with the protection @prot, in *@base. As much again must be free beside
 * it, so that the program is left with half of what it had.
 *
 * A child of fork() does not have the range. Pages that are touched appear one by
 * one and zero, even under mlockall(MCL_FUTURE).
 *
 * 0 or -errno; -ENOMEM where a smaller length may succeed.
 */
int bufpool_reserve(size_t length, size_t align, int prot, void **base);

#endif /* BUFPOOL_RESERVE_H */
