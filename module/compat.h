/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module is written for the newest kernel. What older ones lack is here,
 * and no version is checked anywhere else.
 */
#ifndef _BUFPOOL_COMPAT_H
#define _BUFPOOL_COMPAT_H

#include <linux/cpumask.h>
#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "bufpool needs Linux 6.1 or later, the oldest that it is tested on"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags |= set;
	vma->vm_flags &= ~clear;
}
#endif

/*
 * Since 6.7 shrinkers are allocated and have private data. Before, the pool's
 * is found around the structure that is registered. One with a list_lru is called for
 * the memory cgroups that have something there, each.
 */
struct bufpool_shrinker {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	struct shrinker shrinker;
	void *data;
#else
	struct shrinker *shrinker;
#endif
};

typedef unsigned long bufpool_shrink_fn(struct shrinker *shrinker,
					struct shrink_control *sc);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline int bufpool_shrinker_register(struct bufpool_shrinker *s,
					    const char *name,
					    bufpool_shrink_fn *count,
					    bufpool_shrink_fn *scan, void *data,
					    struct list_lru *lru)
{
	int err;

	s->data = data;
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	s->shrinker.flags = lru ? SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE : 0;
	err = register_shrinker(&s->shrinker, "%s", name);
	if (err || !lru)
		return err;
	/* it needs the number that the shrinker has by now */
	err = list_lru_init_memcg(lru, &s->shrinker);
	if (err)
		unregister_shrinker(&s->shrinker);
	return err;
}

static inline void bufpool_shrinker_unregister(struct bufpool_shrinker *s)
{
	unregister_shrinker(&s->shrinker);
}

static inline void *bufpool_shrinker_data(struct shrinker *shrinker)
{
	return container_of(shrinker, struct bufpool_shrinker, shrinker)->data;
}
#else
static inline int bufpool_shrinker_register(struct bufpool_shrinker *s,
					    const char *name,
					    bufpool_shrink_fn *count,
					    bufpool_shrink_fn *scan, void *data,
					    struct list_lru *lru)
{
	unsigned int flags = lru ? SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE : 0;
	int err;

	s->shrinker = shrinker_alloc(flags, "%s", name);
	if (!s->shrinker)
		return -ENOMEM;
	err = lru ? list_lru_init_memcg(lru, s->shrinker) : 0;
	if (err) {
		shrinker_free(s->shrinker);
		return err;
	}
	s->shrinker->count_objects = count;
	s->shrinker->scan_objects = scan;
	s->shrinker->private_data = data;
	shrinker_register(s->shrinker);
	return 0;
}

static inline void bufpool_shrinker_unregister(struct bufpool_shrinker *s)
{
	shrinker_free(s->shrinker);
}

static inline void *bufpool_shrinker_data(struct shrinker *shrinker)
{
	return shrinker->private_data;
}
#endif

/* Since 6.8 a list_lru can also be told where an object belongs. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define list_lru_add_obj list_lru_add
#define list_lru_del_obj list_lru_del
#endif

/* What is called for objects of a list_lru, under its lock. */
typedef enum lru_status bufpool_lru_fn(struct list_head *item, void *data);

struct bufpool_lru_visit {
	bufpool_lru_fn *fn;
	void *data;
};

/* Until 6.12 it was told the lock. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline enum lru_status bufpool_list_lru_visit(struct list_head *item,
						     struct list_lru_one *list,
						     spinlock_t *lock, void *arg)
{
	const struct bufpool_lru_visit *visit = arg;

	return visit->fn(item, visit->data);
}
#else
static inline enum lru_status bufpool_list_lru_visit(struct list_head *item,
						     struct list_lru_one *list, void *arg)
{
	const struct bufpool_lru_visit *visit = arg;

	return visit->fn(item, visit->data);
}
#endif

/* Visit up to @nr objects that a list_lru has for a cgroup on a node. */
static inline void bufpool_list_lru_walk(struct list_lru *lru, int nid,
					 struct mem_cgroup *memcg, bufpool_lru_fn *fn,
					 void *data, unsigned long nr)
{
	struct bufpool_lru_visit visit = { .fn = fn, .data = data };

	list_lru_walk_one(lru, nid, memcg, bufpool_list_lru_visit, &visit, &nr);
}

/* The name since 7.1. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
#define zap_special_vma_range zap_vma_ptes
#endif

/* CPUs that may run a task of a process: all that x86 would flush a TLB of. */
#ifdef CONFIG_X86
#define bufpool_mm_cpus(mm) mm_cpumask(mm)
#else
#define bufpool_mm_cpus(mm) cpu_online_mask
#endif

/* Since 6.5. Before, a usercopy region keeps the caches of blocks apart. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE ((slab_flags_t __force)0U)
#endif

/*
 * Since 7.0 a cache holds free objects ready for each processor, in sheaves, and fetches
 * several ahead: memory of the size of some slabs for each processor and class, beyond
 * the limit and out of the shrinker's reach. A module may not say SLAB_NO_SHEAVES. But
 * caches that kmemleak is not to trace have none, and where there is no kmemleak that
 * is all the flag does.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0) && !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)
#define BUFPOOL_SLAB_NO_SHEAVES SLAB_NOLEAKTRACE
#else
#define BUFPOOL_SLAB_NO_SHEAVES ((slab_flags_t __force)0U)
#endif

/* A cache of blocks, all of which may be copied to and from user space. */
static inline struct kmem_cache *bufpool_block_cache_create(const char *name,
							    unsigned int size)
{
	const slab_flags_t flags = SLAB_NO_MERGE | BUFPOOL_SLAB_NO_SHEAVES;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return kmem_cache_create_usercopy(name, size, PAGE_SIZE, flags, 0, size,
					  NULL);
#else
	struct kmem_cache_args args = {
		.align = PAGE_SIZE,
		.usersize = size,
	};

	return kmem_cache_create(name, size, &args, flags);
#endif
}

#endif /* _BUFPOOL_COMPAT_H */
