// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status page: what programs may read at any time without a call.
 *
 * The counters that it shows live in it, so there is nothing to keep equal. It
 * belongs to the pool, which outlives every file, and every mapping holds a
 * file; so it may be mapped by PFN, like the blocks, without a reference. The
 * kernel alone writes it: a mapping cannot be made writable later either.
 *
 * It is mapped when it is touched: where there is no memory for page tables, mmap() is not
 * the place to fail. What maps a range by PFN there warns about that on some kernels.
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

static vm_fault_t status_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;

	return vmf_insert_pfn(vma, vma->vm_start, page_to_pfn(virt_to_page(vma->vm_private_data)));
}

static const struct vm_operations_struct status_ops = {
	.fault = status_fault,
};

/**
 * bufpool_status_map - set up a mapping of the status page
 * @status: which
 * @vma: the area, with mmap_lock held for writing; shared
 *
 * Return: 0, or -EINVAL where more is asked for than to read this one page.
 */
int bufpool_status_map(struct bufpool_status_page *status, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE ||
	    vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP,
		     VM_MAYWRITE);
	vma->vm_private_data = status;
	vma->vm_ops = &status_ops;
	return 0;
}
