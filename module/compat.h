/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module is written for the newest kernel. What older ones lack is here,
 * and no version is checked anywhere else.
 */
#ifndef _BUFPOOL_COMPAT_H
#define _BUFPOOL_COMPAT_H

#include <linux/cpumask.h>
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
 * is found around the structure that is registered.
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
					    bufpool_shrink_fn *scan, void *data)
{
	s->data = data;
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	return register_shrinker(&s->shrinker, "%s", name);
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
					    bufpool_shrink_fn *scan, void *data)
{
	s->shrinker = shrinker_alloc(0, "%s", name);
	if (!s->shrinker)
		return -ENOMEM;
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
