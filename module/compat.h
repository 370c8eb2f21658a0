/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module is written for the newest kernel. What older ones lack is here,
 * and no version is checked anywhere else.
 */
#ifndef _BUFPOOL_COMPAT_H
#define _BUFPOOL_COMPAT_H

#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/huge_mm.h>
#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/page_table_check.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/module.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>
#endif

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

typedef unsigned long bufpool_shrink_fn(struct shrinker *shrinker,
					struct shrink_control *sc);

/*
 * Since 6.7 shrinkers are allocated and have private data. Before, the pool's
 * is found around the structure that is registered. One with a list_lru is called for
 * the memory cgroups that have something there, each.
 */
struct bufpool_shrinker {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	struct shrinker shrinker;
	bufpool_shrink_fn *count;	/* once all that this needs is there */
	void *data;
#else
	struct shrinker *shrinker;
#endif
};

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
/*
 * A shrinker is called as soon as it is registered: its list_lru is made after that, and memory
 * cgroups may remember its number from one that had it before.
 */
static inline unsigned long bufpool_shrinker_count(struct shrinker *shrinker,
						   struct shrink_control *sc)
{
	bufpool_shrink_fn *count =
		/* pairs with bufpool_shrinker_register(): and all that it needs */
		smp_load_acquire(&container_of(shrinker, struct bufpool_shrinker, shrinker)->count);

	return count ? count(shrinker, sc) : 0;
}

static inline int bufpool_shrinker_register(struct bufpool_shrinker *s,
					    const char *name,
					    bufpool_shrink_fn *count,
					    bufpool_shrink_fn *scan, void *data,
					    struct list_lru *lru)
{
	int err;

	s->data = data;
	s->shrinker.count_objects = bufpool_shrinker_count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	s->shrinker.flags = lru ? SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE : 0;
	err = register_shrinker(&s->shrinker, "%s", name);
	if (err)
		return err;
	/* it needs the number that the shrinker has by now */
	err = lru ? list_lru_init_memcg(lru, &s->shrinker) : 0;
	if (err)
		unregister_shrinker(&s->shrinker);
	else
		/* pairs with bufpool_shrinker_count() */
		smp_store_release(&s->count, count);
	return err;
}

static inline struct shrinker *bufpool_shrinker_get(struct bufpool_shrinker *s)
{
	return &s->shrinker;
}

static inline void bufpool_shrinker_unregister(struct bufpool_shrinker *s)
{
	unregister_shrinker(bufpool_shrinker_get(s));
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

static inline struct shrinker *bufpool_shrinker_get(struct bufpool_shrinker *s)
{
	return s->shrinker;
}

static inline void bufpool_shrinker_unregister(struct bufpool_shrinker *s)
{
	shrinker_free(bufpool_shrinker_get(s));
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

/*
 * How pages that hold references are mapped. Since 6.15 also by huge entries, but not in
 * areas that are VM_MIXEDMAP: where such an entry is split there, its reference is lost.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define BUFPOOL_VM_REFERENCES ((vm_flags_t)0)

static inline vm_fault_t bufpool_insert_page(struct vm_area_struct *vma, unsigned long addr,
					     struct page *page)
{
	struct vm_fault vmf = { .vma = vma, .address = addr };

	return vmf_insert_page_mkwrite(&vmf, page, false);
}
#else
#define BUFPOOL_VM_REFERENCES VM_MIXEDMAP

static inline vm_fault_t bufpool_insert_page(struct vm_area_struct *vma, unsigned long addr,
					     struct page *page)
{
	int err = vm_insert_page(vma, addr, page);

	/* an entry that is there already is as good */
	if (!err || err == -EBUSY)
		return VM_FAULT_NOPAGE;
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}
#endif

/*
 * Entries without references of pages that follow each other, from one on, where there are none
 * yet: as vmf_insert_pfn() makes each of them, in a tenth of the steps. Return: whether all
 * are there. What an entry takes on other architectures modules do not have.
 */
struct bufpool_insert {
	struct vm_area_struct *vma;
	unsigned long addr;
	unsigned long pfn;
};

#ifdef CONFIG_X86
static inline int bufpool_insert_pfn_fn(pte_t *pte, unsigned long addr, void *data)
{
	const struct bufpool_insert *insert = data;
	unsigned long pfn = insert->pfn + ((addr - insert->addr) >> PAGE_SHIFT);

	if (pte_none(ptep_get(pte)))
		set_pte_at(insert->vma->vm_mm, addr, pte,
			   pte_mkspecial(pfn_pte(pfn, insert->vma->vm_page_prot)));
	return 0;
}

static inline bool bufpool_insert_pfns(struct bufpool_insert *insert, unsigned long nr)
{
	return !apply_to_page_range(insert->vma->vm_mm, insert->addr, nr << PAGE_SHIFT,
				    bufpool_insert_pfn_fn, insert);
}
#else
static inline bool bufpool_insert_pfns(struct bufpool_insert *insert, unsigned long nr)
{
	return false;
}
#endif

/*
 * Whether the kernel checks each page table (page_table_check=on). It panics where an entry is
 * of a slab's page, but for those which say that they are no mm's own; and it does not ask
 * huge ones, or, until lately, any.
 */
static inline bool bufpool_checks_page_tables(void)
{
#ifdef CONFIG_PAGE_TABLE_CHECK
	return !static_branch_likely(&page_table_check_disabled);
#else
	return false;
#endif
}

static inline bool bufpool_check_spares_special(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	return LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 114);
#else
	return LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0) &&
	       LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 191);
#endif
}

/*
 * A huge entry without a reference, which get_user_pages_fast() takes none by. Since 6.12
 * the entry says that it is such a one. Before, one of a device's memory is left to
 * get_user_pages(), which refuses the area; and no device has these pages.
 */
static inline vm_fault_t bufpool_insert_huge_pfn(struct vm_fault *vmf, struct page *page)
{
	if (bufpool_checks_page_tables())
		return VM_FAULT_FALLBACK;
#if !defined(CONFIG_TRANSPARENT_HUGEPAGE)
	return VM_FAULT_FALLBACK;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0) && defined(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP)
	return vmf_insert_pfn_pmd(vmf, page_to_pfn(page), vmf->flags & FAULT_FLAG_WRITE);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && defined(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP)
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(page_to_pfn(page), PFN_DEV),
				  vmf->flags & FAULT_FLAG_WRITE);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) && defined(CONFIG_ARCH_HAS_PTE_DEVMAP)
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(page_to_pfn(page), PFN_DEV | PFN_MAP),
				  vmf->flags & FAULT_FLAG_WRITE);
#else
	return VM_FAULT_FALLBACK;
#endif
}

/*
 * A huge entry of a page that get_user_pages() finds by it. Before 6.12 it holds no reference
 * itself, and mm does not think that it does: it takes and drops none for a huge entry in a
 * VM_MIXEDMAP area. From then on until 6.15 there is no way.
 */
static inline vm_fault_t bufpool_insert_huge_page(struct vm_fault *vmf, struct page *page)
{
#if !defined(CONFIG_TRANSPARENT_HUGEPAGE)
	return VM_FAULT_FALLBACK;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	return vmf_insert_folio_pmd(vmf, page_folio(page), vmf->flags & FAULT_FLAG_WRITE);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return VM_FAULT_FALLBACK;
#else
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(page_to_pfn(page), 0),
				  vmf->flags & FAULT_FLAG_WRITE);
#endif
}

/* CPUs that may run a task of a process: all that x86 would flush a TLB of. */
#ifdef CONFIG_X86
#define bufpool_mm_cpus(mm) mm_cpumask(mm)
#else
#define bufpool_mm_cpus(mm) cpu_online_mask
#endif

/* Since 6.10 */
#ifndef fd_file
#define fd_file(fd) ((fd).file)
#endif

/* A string since 6.13 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define BUFPOOL_IMPORT_NS_DMA_BUF MODULE_IMPORT_NS(DMA_BUF)
#else
#define BUFPOOL_IMPORT_NS_DMA_BUF MODULE_IMPORT_NS("DMA_BUF")
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
