/* SPDX-License-Identifier: MIT */
/*
 * Blocks of one size that clients return and keep warm.
 */
#ifndef WARM_H
#define WARM_H

#include "bufpool_test.h"

#define BLOCK	(64 * KIB)

static inline __u64 warm_blocks(int fd)
{
	return stats_of(fd).client_warm_blocks;
}

#endif /* WARM_H */
