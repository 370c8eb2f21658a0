/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module is written for the newest kernel. What older ones lack is here,
 * and no version is checked anywhere else.
 */
#ifndef _BUFPOOL_COMPAT_H
#define _BUFPOOL_COMPAT_H

#include <linux/mm.h>
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

/* Since 6.5. Before, a usercopy region keeps the caches of blocks apart. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE 0
#endif

#endif /* _BUFPOOL_COMPAT_H */
