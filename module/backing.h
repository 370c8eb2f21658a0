/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_BACKING_H
#define _BUFPOOL_BACKING_H

#include <linux/mm_types.h>

struct bufpool_class;

/**
 * struct bufpool_backing - where the memory of a class's slabs comes from
 * @init: prepare for slabs of class->slab_size, and for small ones of a block where
 *	that is less; may sleep; 0 or -ENOMEM
 * @exit: undo @init; harmless where it failed or was not called
 * @alloc: memory for one slab, zero, aligned to a page; as BUFPOOL_SLAB_GFP has it, and
 *	maybe charged to a cgroup; NULL where there is none. Does not try hard where a small
 *	slab would do
 * @free: undo @alloc; no page-table entry reaches the memory any more
 * @shrink: give to the system what @free has kept; may sleep
 * @map: insert page-table entries for one block's page, which is pinned
 *
 * One constant object per kind of memory.
 */
struct bufpool_backing {
	int (*init)(struct bufpool_class *class);
	void (*exit)(struct bufpool_class *class);
	void *(*alloc)(struct bufpool_class *class, bool small, gfp_t gfp);
	void (*free)(struct bufpool_class *class, void *memory, bool small);
	void (*shrink)(struct bufpool_class *class);
	vm_fault_t (*map)(struct vm_area_struct *vma, unsigned long addr,
			  void *page);
};

extern const struct bufpool_backing bufpool_backing_slab;

size_t bufpool_backing_slab_largest(void);

#endif /* _BUFPOOL_BACKING_H */
