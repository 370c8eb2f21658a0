// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests only: tells a program which page frame is behind an address of its
 * own, and what is in one. /proc/self/pagemap does not, for memory that is mapped by page frame.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "bufpool_probe.h"

/* Under mmap_lock: the page frame at an address, as a page table has it. */
#ifdef HAVE_FOLLOW_PFNMAP
static int pfn_at(struct vm_area_struct *vma, unsigned long addr, u64 *pfn)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	int err = follow_pfnmap_start(&args);

	if (err)
		return err;
	*pfn = args.pfn;
	follow_pfnmap_end(&args);
	return 0;
}
#else
static int pfn_at(struct vm_area_struct *vma, unsigned long addr, u64 *pfn)
{
	unsigned long found = 0;
	int err = follow_pfn(vma, addr, &found);

	*pfn = found;
	return err;
}
#endif

/* Whether its entries hold references, in a device's file: those are found otherwise. */
static bool has_pages(const struct vm_area_struct *vma)
{
	return vma->vm_file && S_ISCHR(file_inode(vma->vm_file)->i_mode) &&
	       !(vma->vm_flags & VM_PFNMAP);
}

static int page_at(unsigned long addr, u64 *pfn)
{
	struct page *page;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return -EFAULT;
	*pfn = page_to_pfn(page);
	put_page(page);
	return 0;
}

static int probe(unsigned long addr, u64 *pfn)
{
	struct vm_area_struct *vma;
	bool is_page = false;
	int err = -EFAULT;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	if (vma && has_pages(vma))
		is_page = true;
	else if (vma && !pfn_at(vma, addr, pfn))
		err = 0;
	mmap_read_unlock(current->mm);
	return is_page ? page_at(addr, pfn) : err;
}

/* Whoever has it just now, and if that is nobody: KASAN is not to say so. */
static int look(u64 pfn, u64 *is_zero)
{
	const unsigned long *words;
	unsigned long any = 0, i;

	if (!pfn_valid(pfn))
		return -EFAULT;
	words = page_address(pfn_to_page(pfn));
	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		any |= READ_ONCE_NOCHECK(words[i]);
	*is_zero = !any;
	return 0;
}

static long probe_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	u64 __user *user = (u64 __user *)arg;
	u64 value;
	int err;

	if (cmd != BUFPOOL_PROBE_PFN && cmd != BUFPOOL_PROBE_ZERO)
		return -ENOTTY;
	if (get_user(value, user))
		return -EFAULT;
	err = cmd == BUFPOOL_PROBE_PFN ? probe(value, &value) : look(value, &value);
	if (!err && put_user(value, user))
		err = -EFAULT;
	return err;
}

static const struct file_operations probe_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = probe_ioctl,
};

static struct miscdevice probe_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bufpool_probe",
	.fops = &probe_fops,
	.mode = 0600,
};
module_misc_device(probe_device);

MODULE_DESCRIPTION("Page frames behind addresses, for the tests of bufpool");
MODULE_LICENSE("GPL");
