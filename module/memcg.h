/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory cgroups, as far as the pool knows them: in which one a task is, whether it is
 * full, and what is charged to it. Where the kernel has none, all tasks are in NULL.
 */
#ifndef _BUFPOOL_MEMCG_H
#define _BUFPOOL_MEMCG_H

#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>

#ifdef CONFIG_MEMCG
/* Whether the kernel knows memory cgroups. */
static inline bool bufpool_memcg_is_possible(void)
{
	return !mem_cgroup_disabled();
}

/* Whether the current task is in a cgroup. The caller is in no section that RCU could end. */
static inline bool bufpool_memcg_is_current(const struct mem_cgroup *memcg)
{
	return task_css_check(current, memory_cgrp_id, true) == &memcg->css;
}

/* The current task's cgroup, with a reference. */
static inline struct mem_cgroup *bufpool_memcg_get(void)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	do {
		memcg = mem_cgroup_from_task(current);
	} while (!css_tryget(&memcg->css));
	rcu_read_unlock();
	return memcg;
}

static inline void bufpool_memcg_put(struct mem_cgroup *memcg)
{
	if (memcg)
		css_put(&memcg->css);
}

/* Whether memory is charged to a cgroup: to all but the root. */
static inline bool bufpool_memcg_is_charged(struct mem_cgroup *memcg)
{
	return memcg && memcg->css.parent;
}

/* The number that cgroupfs has for it, as ls -di shows. */
static inline u64 bufpool_memcg_id(const struct mem_cgroup *memcg)
{
	return memcg ? cgroup_id(memcg->css.cgroup) : 0;
}

bool bufpool_memcg_is_full(const struct mem_cgroup *memcg, size_t bytes);
bool bufpool_memcg_has_rest(const struct mem_cgroup *memcg);
#else
static inline bool bufpool_memcg_is_possible(void)
{
	return false;
}

static inline bool bufpool_memcg_is_current(const struct mem_cgroup *memcg)
{
	return true;
}

static inline struct mem_cgroup *bufpool_memcg_get(void)
{
	return NULL;
}

static inline void bufpool_memcg_put(struct mem_cgroup *memcg)
{
}

static inline bool bufpool_memcg_is_charged(struct mem_cgroup *memcg)
{
	return false;
}

static inline u64 bufpool_memcg_id(const struct mem_cgroup *memcg)
{
	return 0;
}

static inline bool bufpool_memcg_is_full(const struct mem_cgroup *memcg, size_t bytes)
{
	return false;
}

static inline bool bufpool_memcg_has_rest(const struct mem_cgroup *memcg)
{
	return true;
}
#endif

#endif /* _BUFPOOL_MEMCG_H */
