/* SPDX-License-Identifier: MIT */
/*
 * libbufpool, with the provider that its environment says. PEER_FLAGS are those of its
 * rents; PEER_TIMEOUT_US is how long they may wait, where they say it.
 */
#ifndef BENCH_PEER_BUFPOOL_H
#define BENCH_PEER_BUFPOOL_H

#include <err.h>
#include <stdbool.h>
#include <stddef.h>

#include <bufpool.h>

#define PEER_HAS_MANY

#ifndef PEER_FLAGS
#define PEER_FLAGS 0
#endif

static struct bufpool *pool;

struct peer_size {
	size_t bytes;
};

static inline void peer_open(size_t smallest, size_t largest)
{
	(void)smallest;
	(void)largest;
	pool = bufpool_open(NULL, 0);
	if (!pool)
		err(WORKLOAD_ABSENT, "bufpool_open");
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
#ifdef PEER_TIMEOUT_US
	return bufpool_rent_timed(pool, size.bytes, PEER_FLAGS, PEER_TIMEOUT_US);
#else
	return bufpool_rent(pool, size.bytes, PEER_FLAGS);
#endif
}

static inline void peer_put(void *block, struct peer_size size)
{
	(void)size;
	bufpool_return(pool, block, 0);
}

static inline bool peer_get_many(struct peer_size size, void **blocks,
				 unsigned int count)
{
	return bufpool_rent_many(pool, size.bytes, 0, blocks, count) == (int)count;
}

static inline void peer_put_many(void **blocks, unsigned int count,
				 struct peer_size size)
{
	(void)size;
	bufpool_return_many(pool, blocks, count, 0);
}

#endif
