/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_mempool with a cache for each thread, in ordinary memory
 *
 * A mempool has blocks of one size. For many sizes there is one for each power
 * of two, as libbufpool has it.
 */
#ifndef BENCH_PEER_MEMPOOL_H
#define BENCH_PEER_MEMPOOL_H

#include <err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "affinity.h"

#define PEER_HAS_MANY

struct peer_size {
	struct rte_mempool *mempool;
};

static struct rte_mempool *mempools[64];

static inline unsigned int mempool_order(size_t bytes)
{
	return 64 - __builtin_clzl(bytes - 1);
}

/*
 * More than any workload has out at once. The cache is as large as DPDK's own
 * programs have it for small blocks, where that many are out; of large ones
 * there are too few for that.
 */
static inline void mempool_create(unsigned int order)
{
	bool small = order <= 12;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "order-%u", order);
	mempools[order] = rte_mempool_create(name, small ? 4095 : 255,
					     1UL << order, small ? 256 : 64, 0,
					     NULL, NULL, NULL, NULL,
					     SOCKET_ID_ANY, 0);
	if (!mempools[order])
		errx(WORKLOAD_ABSENT, "rte_mempool_create: %s",
		     rte_strerror(rte_errno));
}

static inline void peer_open(size_t smallest, size_t largest)
{
	enum { NR_ARGS = 10 };
	char cpu[16];
	char *args[NR_ARGS] = {
		"bench", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "--log-level=error", "-m", "768", "-l", cpu,
	};
	unsigned int order;

	snprintf(cpu, sizeof(cpu), "%d", affinity_cpu(0));
	if (rte_eal_init(NR_ARGS, args) < 0)
		errx(WORKLOAD_ABSENT, "rte_eal_init: %s", rte_strerror(rte_errno));
	for (order = mempool_order(smallest); order <= mempool_order(largest);
	     order++)
		mempool_create(order);
}

/* Without this a thread has no cache. */
static inline void peer_thread_begin(void)
{
	if (rte_thread_register())
		errx(1, "rte_thread_register: %s", rte_strerror(rte_errno));
}

static inline void peer_thread_end(void)
{
	rte_thread_unregister();
}

static inline struct peer_size peer_size_of(size_t bytes)
{
	return (struct peer_size){ mempools[mempool_order(bytes)] };
}

static inline void *peer_get(struct peer_size size)
{
	void *block;

	return rte_mempool_get(size.mempool, &block) ? NULL : block;
}

static inline void peer_put(void *block, struct peer_size size)
{
	rte_mempool_put(size.mempool, block);
}

static inline bool peer_get_many(struct peer_size size, void **blocks,
				 unsigned int count)
{
	return !rte_mempool_get_bulk(size.mempool, blocks, count);
}

static inline void peer_put_many(void **blocks, unsigned int count,
				 struct peer_size size)
{
	rte_mempool_put_bulk(size.mempool, blocks, count);
}

#endif
