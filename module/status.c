// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status page: what programs may read at any time without a call.
 *
 * The counters that it shows live in it, so there is nothing to keep equal. It
 * belongs to the pool, which outlives every file, and every mapping holds a
 * file; so it may be mapped by PFN, like the blocks, without a reference. The
 * kernel alone writes it: a mapping cannot be made writable later either.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include "bufpool.h"

static_assert(offsetof(struct bufpool_status_page, waiting) ==
	      offsetof(struct bufpool_status, waiting));
static_assert(offsetof(struct bufpool_status_page, pressure) ==
	      offsetof(struct bufpool_status, pressure));
static_assert(offsetof(struct bufpool_status_page, waiting_of) ==
	      offsetof(struct bufpool_status, waiting_of));
static_assert(BUFPOOL_MAX_CLASSES <= BUFPOOL_STATUS_CLASSES);
static_assert(sizeof(struct bufpool_status_page) == sizeof(struct bufpool_status));

/**
 * bufpool_status_create - make a pool's status page
 *
 * Return: what stands at the beginning of the page, which is zero otherwise
 * and stays so; the caller owns it. Or NULL.
 */
struct bufpool_status_page *bufpool_status_create(void)
{
	return (struct bufpool_status_page *)get_zeroed_page(GFP_KERNEL);
}

/**
 * bufpool_status_destroy - undo bufpool_status_create()
 * @status: not mapped any more; may be NULL
 */
void bufpool_status_destroy(struct bufpool_status_page *status)
{
	free_page((unsigned long)status);
}

/**
 * bufpool_status_map - set up a mapping of the status page
 * @status: which
 * @vma: the area, with mmap_lock held for writing; shared
 *
 * Return: 0, -EINVAL where more is asked for than to read this one page, or
 * -ENOMEM.
 */
int bufpool_status_map(struct bufpool_status_page *status, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE ||
	    vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP,
		     VM_MAYWRITE);
	return remap_pfn_range(vma, vma->vm_start,
			       page_to_pfn(virt_to_page(status)), PAGE_SIZE,
			       vma->vm_page_prot);
}
