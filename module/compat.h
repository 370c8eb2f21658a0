/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module is written for the newest kernel. What older ones lack is here,
 * and no version is checked anywhere else.
 */
#ifndef _BUFPOOL_COMPAT_H
#define _BUFPOOL_COMPAT_H

#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

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

/* Since 6.5. Before, a usercopy region keeps the caches of blocks apart. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE 0
#endif

#endif /* _BUFPOOL_COMPAT_H */
