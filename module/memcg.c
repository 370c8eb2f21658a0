// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups; see memcg.h.
 */
#include <linux/page_counter.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "bufpool.h"

#ifdef CONFIG_MEMCG
/* What is left to a cgroup's tasks for themselves; as much may be charged ahead. */
#define MEMCG_REST	SZ_256K

/**
 * bufpool_memcg_is_full - whether a cgroup has not much room, and so a charge may fail
 * @memcg: which
 * @bytes: what is to be charged
 *
 * Return: whether after that it, or a cgroup above it, would have no rest. By now others may
 * have more, or less; and what there is may be given up for it.
 */
bool bufpool_memcg_is_full(const struct mem_cgroup *memcg, size_t bytes)
{
	unsigned long pages = PAGE_ALIGN(bytes + MEMCG_REST) / PAGE_SIZE;
	struct page_counter *counter = (struct page_counter *)&memcg->memory;

	for (; counter; counter = counter->parent)
		if (page_counter_read(counter) + pages > READ_ONCE(counter->max))
			return true;
	return false;
}

/**
 * bufpool_memcg_has_rest - whether tasks of a cgroup have some memory left
 * @memcg: which; set_active_memcg() has been told
 *
 * Where there is hardly any, it is taken from what the cgroup can give up, and given back:
 * programs that use all of it for blocks would be killed for their next page. May sleep.
 */
bool bufpool_memcg_has_rest(const struct mem_cgroup *memcg)
{
	void *rest;

	if (likely(!bufpool_memcg_is_full(memcg, 0)))
		return true;
	rest = kmalloc(MEMCG_REST, BUFPOOL_SLAB_GFP | __GFP_ACCOUNT);
	kfree(rest);
	return rest || !bufpool_memcg_is_full(memcg, 0);
}
#endif
