// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: how a client reaches its blocks, and how that ends.
 *
 * A mapping may cover blocks that nobody has rented yet, so page-table entries
 * are made by the fault handler, for a whole block at a time, and only if the
 * client owns the block. When a block leaves the client, its entries must be
 * gone before anyone else can own it. With faults on other CPUs, in any process
 * that maps the file, that is so because:
 *
 *   1. Whoever takes the block away (claim() in client.c) first clears
 *	blk->owner, and then takes map_sem exclusively and lets it go.
 *   2. A fault holds map_sem, shared, from its look at blk->owner until it has
 *	inserted the last entry.
 *   3. So each fault either ends before (1) has got map_sem, and its entries
 *	are there for unmap_mapping_range() to find; or begins after, and sees
 *	that the client is not the owner.
 *   4. unmap_mapping_pages() returns when the entries are cleared in every
 *	mapping of the client and no TLB holds them. mremap() moves entries into
 *	areas that come later in the tree that it walks, or under the locks
 *	that it takes; fork() copies none. munmap() on another CPU may have cleared
 *	entries that a TLB still holds, in an area that the walk no longer
 *	finds; but for VM_PFNMAP areas, whose pages hold no reference, mm
 *	flushes the TLB before it unlinks the area. (exit() does not, and
 *	need not: nothing runs in that address space any more.)
 *   5. Only then is the block put where others can get it.
 *
 * map_sem is not held over unmap_mapping_pages(): the fault handler takes it
 * inside mmap_lock, and the other way round would be a deadlock for a caller who
 * comes with mmap_lock held.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include "bufpool.h"
#include "trace.h"

/* Under map_sem: the block at an offset, if it is the client's. */
static struct bufpool_blk *map_find_rented(struct bufpool_client *client, u64 offset)
{
	struct bufpool_blk *blk;

	lockdep_assert_held(&client->map_sem);
	rcu_read_lock();
	blk = bufpool_handle_find_offset(client->pool, offset);
	/* what is mapped already stays so while it is warm; nothing is added */
	if (blk && (!bufpool_client_holds(client, blk) || READ_ONCE(blk->warm)))
		blk = NULL;
	rcu_read_unlock();
	return blk;
}

static vm_fault_t map_page(struct vm_area_struct *vma, struct bufpool_blk *blk,
			   unsigned long page, unsigned long addr)
{
	const struct bufpool_backing *backing = bufpool_blk_class(blk)->backing;

	return backing->map(vma, addr, bufpool_blk_memory(blk) +
				       (page << PAGE_SHIFT));
}

/* Map all of a block that lies in the area, and first the page in need. */
static vm_fault_t map_blk(struct vm_fault *vmf, struct bufpool_blk *blk)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long first = bufpool_blk_offset(blk) >> PAGE_SHIFT;
	unsigned long pages = 1UL << (bufpool_blk_class(blk)->shift - PAGE_SHIFT);
	unsigned long start = max(first, vma->vm_pgoff);
	unsigned long end = min(first + pages, vma->vm_pgoff + vma_pages(vma));
	unsigned long at, addr;
	vm_fault_t ret;

	WRITE_ONCE(blk->touched, true);
	ret = map_page(vma, blk, vmf->pgoff - first, vmf->address & PAGE_MASK);
	if (ret != VM_FAULT_NOPAGE)
		return ret;

	for (at = start; at < end; at++) {
		addr = vma->vm_start + ((at - vma->vm_pgoff) << PAGE_SHIFT);
		/* The others are a favour: without, they fault on their own. */
		if (map_page(vma, blk, at - first, addr) != VM_FAULT_NOPAGE)
			break;
	}
	return ret;
}

static vm_fault_t vma_fault(struct vm_fault *vmf)
{
	struct bufpool_client *client = vmf->vma->vm_file->private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct bufpool_blk *blk;

	down_read(&client->map_sem);
	blk = map_find_rented(client, (u64)vmf->pgoff << PAGE_SHIFT);
	if (blk)
		ret = map_blk(vmf, blk);
	up_read(&client->map_sem);
	return ret;
}

/*
 * For debuggers: reach a block as the program itself could. The caller has not
 * looked at the area's permissions, and asks beyond its end.
 */
static int vma_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
		      int len, int write)
{
	struct bufpool_client *client = vma->vm_file->private_data;
	u64 offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) + addr - vma->vm_start;
	struct bufpool_blk *blk;
	u64 at, size;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		return -EFAULT;
	down_read(&client->map_sem);
	blk = map_find_rented(client, offset);
	if (!blk) {
		len = -EFAULT;
		goto out;
	}
	at = offset - bufpool_blk_offset(blk);
	size = bufpool_class_block_size(bufpool_blk_class(blk));
	len = min3((u64)len, size - at, (u64)(vma->vm_end - addr));
	if (write) {
		WRITE_ONCE(blk->touched, true);
		memcpy(bufpool_blk_memory(blk) + at, buf, len);
	} else {
		memcpy(buf, bufpool_blk_memory(blk) + at, len);
	}
out:
	up_read(&client->map_sem);
	return len;
}

/*
 * Every area of the client counts, in whatever process; also the parts that one is
 * split into, and for a moment both the old and the new one where one is moved.
 */
static void vma_open(struct vm_area_struct *vma)
{
	struct bufpool_client *client = vma->vm_file->private_data;

	atomic_inc(&client->nr_mappings);
}

static void vma_close(struct vm_area_struct *vma)
{
	struct bufpool_client *client = vma->vm_file->private_data;

	atomic_dec(&client->nr_mappings);
}

/* Several processes that split areas in the same instant may each get the last. */
static int vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	struct bufpool_client *client = vma->vm_file->private_data;

	if (atomic_read(&client->nr_mappings) >= BUFPOOL_MAPPINGS_MAX)
		return -ENOMEM;
	return 0;
}

static const struct vm_operations_struct vm_ops = {
	.open = vma_open,
	.close = vma_close,
	.may_split = vma_may_split,
	.fault = vma_fault,
	.access = vma_access,
};

static bool range_is_valid(struct bufpool_pool *pool, u64 offset, u64 length)
{
	u64 nr = offset >> BUFPOOL_SPAN_SHIFT;
	u64 in_span = offset & (BUFPOOL_SPAN - 1);
	size_t block_size;

	if (nr >= pool->nr_classes)
		return false;
	block_size = bufpool_class_block_size(&pool->classes[nr]);
	return !(in_span & (block_size - 1)) && length <= BUFPOOL_SPAN - in_span;
}

/**
 * bufpool_map - set up a mapping
 * @client: whose file is mapped
 * @vma: the area, with mmap_lock held for writing
 *
 * The area is not inherited by fork(), not dumped and cannot grow. That it is
 * VM_IO says nothing about the memory, but keeps MADV_DOFORK from changing that:
 * mm asks nobody before it gives a child as many areas as the parent has.
 *
 * Revoking a block visits every area that maps it, and others may have to wait
 * for that; so a client has a bounded number of areas, however little each maps.
 *
 * Return: 0; -EINVAL; -ENOMEM where the client has as many as it may, and for
 * the status page where there is no memory.
 */
int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	/* a private mapping would copy what it writes, and keep the copies */
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (offset == BUFPOOL_STATUS_OFFSET)
		return bufpool_status_map(client->pool->status, vma);
	if (!range_is_valid(client->pool, offset, vma->vm_end - vma->vm_start))
		return -EINVAL;
	/* an area that is refused is never closed */
	if (atomic_inc_return(&client->nr_mappings) > BUFPOOL_MAPPINGS_MAX) {
		atomic_dec(&client->nr_mappings);
		return -ENOMEM;
	}

	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTCOPY |
			  VM_DONTDUMP, VM_MAYEXEC);
	vma->vm_ops = &vm_ops;
	return 0;
}

/**
 * bufpool_map_synchronize - let those faults end that have still seen an owner
 * @client: the owner
 *
 * Step 1 at the top of this file, after blk->owner has been cleared. May sleep.
 */
void bufpool_map_synchronize(struct bufpool_client *client)
{
	down_write(&client->map_sem);
	up_write(&client->map_sem);
}

/**
 * bufpool_map_unmap - take a block out of every mapping of a client
 * @client: owned it
 * @blk: the block, in transit, after a fence
 *
 * May sleep.
 */
void bufpool_map_unmap(struct bufpool_client *client, struct bufpool_blk *blk)
{
	struct bufpool_class *class = bufpool_blk_class(blk);

	if (!READ_ONCE(blk->touched))
		return;
	unmap_mapping_pages(&client->mapping, bufpool_blk_offset(blk) >> PAGE_SHIFT,
			    1UL << (class->shift - PAGE_SHIFT), true);
	trace_bufpool_revoke(client, blk);
}
