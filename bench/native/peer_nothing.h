/* SPDX-License-Identifier: MIT */
/* Nobody: a floor for all who are called in a shared library. */
#ifndef BENCH_PEER_NOTHING_H
#define BENCH_PEER_NOTHING_H

#include <stddef.h>

#include "nothing.h"

static void *nobody;

struct peer_size {
	size_t bytes;
};

static inline void peer_open(size_t smallest, size_t largest)
{
	(void)smallest;
	(void)largest;
	nobody = &nobody;
}

static inline void peer_thread_begin(void)
{
}

static inline void peer_thread_end(void)
{
}

static inline struct peer_size peer_size_of(size_t bytes)
{
	return (struct peer_size){ bytes };
}

static inline void *peer_get(struct peer_size size)
{
	return nothing_get(nobody, size.bytes, 0);
}

static inline void peer_put(void *block, struct peer_size size)
{
	(void)size;
	nothing_put(nobody, block, 0);
}

#endif
