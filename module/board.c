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

static_assert(offsetof(struct bufpool_board, waiting) ==
	      offsetof(struct bufpool_status, waiting));
static_assert(offsetof(struct bufpool_board, pressure) ==
	      offsetof(struct bufpool_status, pressure));
static_assert(sizeof(struct bufpool_board) == sizeof(struct bufpool_status));

/**
 * bufpool_board_create - make a pool's status page
 *
 * Return: what stands at the beginning of the page, which is zero otherwise
 * and stays so; the caller owns it. Or NULL.
 */
struct bufpool_board *bufpool_board_create(void)
{
	return (struct bufpool_board *)get_zeroed_page(GFP_KERNEL);
}

/**
 * bufpool_board_destroy - undo bufpool_board_create()
 * @board: nobody maps it any more; may be NULL
 */
void bufpool_board_destroy(struct bufpool_board *board)
{
	free_page((unsigned long)board);
}

/**
 * bufpool_board_map - set up a mapping of the status page
 * @board: which
 * @vma: the area, with mmap_lock held for writing; shared
 *
 * Return: 0, -EINVAL where more is asked for than to read this one page, or
 * -ENOMEM.
 */
int bufpool_board_map(struct bufpool_board *board, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE ||
	    vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP,
		     VM_MAYWRITE | VM_MAYEXEC);
	return remap_pfn_range(vma, vma->vm_start,
			       page_to_pfn(virt_to_page(board)), PAGE_SIZE,
			       vma->vm_page_prot);
}
