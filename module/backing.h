/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_BACKING_H
#define _BUFPOOL_BACKING_H

#include <linux/mm_types.h>
#include <linux/types.h>

struct bufpool_class;
struct bufpool_slab;

/**
 * struct bufpool_backing - where the memory of a class's slabs comes from
 * @nr: BUFPOOL_BACKING_*
 * @prefix: of the names of its classes, before the size of a block
 * @has_refs: page-table entries hold references to its pages, and so may whoever finds
 *	those by page tables: the kernel's I/O
 * @init: prepare for slabs of class->slab_size, and for small ones of a block where
 *	that is less; may sleep; 0 or -ENOMEM
 * @exit: undo @init; harmless where it failed or was not called
 * @alloc: memory for a slab, zero; sets slab->memory, and maybe slab->pieces; as
 *	BUFPOOL_SLAB_GFP has it, and maybe charged to a cgroup; 0 or -ENOMEM. Does not try
 *	hard where a small slab would do
 * @free: undo @alloc; no page-table entry reaches the memory any more
 * @shrink: give to the system what @free has kept; may sleep
 * @is_referenced: whether anything but the pool has a reference to a slab's memory, which
 *	no page-table entry of a client reaches
 *
 * One constant object per kind of memory.
 */
struct bufpool_backing {
	u32 nr;
	const char *prefix;
	bool has_refs;
	int (*init)(struct bufpool_class *class);
	void (*exit)(struct bufpool_class *class);
	int (*alloc)(struct bufpool_slab *slab, gfp_t gfp);
	void (*free)(struct bufpool_slab *slab);
	void (*shrink)(struct bufpool_class *class);
	bool (*is_referenced)(struct bufpool_slab *slab);
};

extern const struct bufpool_backing bufpool_backing_slab;
extern const struct bufpool_backing bufpool_backing_pages;

size_t bufpool_backing_slab_largest(void);
size_t bufpool_backing_pages_largest(void);

#endif /* _BUFPOOL_BACKING_H */
