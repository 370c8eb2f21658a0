// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: how a client reaches its blocks, and how that ends.
 *
 * A mapping may cover blocks that are not rented yet, so page-table entries
 * are made by the fault handler, for a whole block at a time, and only if the
 * client rents the block. When a block leaves the client, its entries must be
 * gone before another client can own it. With faults on other CPUs, in any process
 * that maps the file, that is so because:
 *
 *   1. A fault pins the block (map_pin()): under client->lock it sees that the
 *	client rents it, and counts itself in blk->pins. It inserts entries only
 *	while it has the pin.
 *   2. A task that takes the block away clears blk->owner under client->lock
 *	(bufpool_client_disown()); no fault pins it from then on. A thief takes
 *	only a block without a pin (evict_try_claim()). The client itself takes
 *	it anyway, and waits until no pin is left (bufpool_map_synchronize()).
 *   3. So from then on no entry is inserted, and all that were inserted are there
 *	for bufpool_map_unmap() to find.
 *   4. bufpool_map_unmap() visits every area of the client that covers the block,
 *	and returns when the entries are cleared and no TLB holds them. It holds
 *	mapping->i_mmap_rwsem, as unmap_mapping_pages() does, so the areas stay as
 *	they are. mremap() moves entries into areas that come later in the tree that
 *	it walks, or under the locks that it takes; fork() copies none. munmap()
 *	on another CPU may have cleared entries that a TLB still holds, in an area
 *	that the walk no longer finds; but for VM_PFNMAP areas, whose pages hold
 *	no reference, mm flushes the TLB before it unlinks the area. (exit() does
 *	not, and need not: nothing runs in that address space any more.)
 *   5. Only then is the block put where others can get it.
 *
 * A thief waits for nothing that the client does: for pins it does not wait, and
 * i_mmap_rwsem, which mmap() and munmap() of the client hold for writing, it only
 * tries (bufpool_map_trylock()). Page-table locks are spinlocks.
 */
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/personality.h>
#include <linux/smp.h>
#include "bufpool.h"
#include "trace.h"

/* Where more areas map a stack, all CPUs are told at once. */
#define BARRIER_AREAS	4

#define STACKS_PGOFF	(BUFPOOL_STACKS_OFFSET >> PAGE_SHIFT)

/* Pin the block at an offset, if the client rents it. */
static struct bufpool_blk *map_pin(struct bufpool_client *client, u64 offset)
{
	struct bufpool_blk *blk;

	rcu_read_lock();
	blk = bufpool_handle_find_offset(client->pool, offset);
	if (blk) {
		spin_lock(&client->lock);
		/* what is mapped already stays so while it is warm; nothing is added */
		if (!bufpool_client_rents(client, blk))
			blk = NULL;
		else if (blk->pins == U16_MAX)
			blk = ERR_PTR(-EAGAIN);
		else
			blk->pins++;
		spin_unlock(&client->lock);
	}
	rcu_read_unlock();
	return blk;
}

static void map_unpin(struct bufpool_client *client, struct bufpool_blk *blk)
{
	bool last;

	spin_lock(&client->lock);
	last = blk->pins == 1;
	/* pairs with bufpool_map_synchronize() */
	smp_store_release(&blk->pins, blk->pins - 1);
	spin_unlock(&client->lock);
	if (last && wq_has_sleeper(&client->unpinned))
		wake_up_all(&client->unpinned);
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
	struct bufpool_blk *blk;
	vm_fault_t ret;

	blk = map_pin(client, (u64)vmf->pgoff << PAGE_SHIFT);
	if (!blk)
		return VM_FAULT_SIGBUS;
	/* more faults at once than can be counted: this one tries again */
	if (IS_ERR(blk))
		return VM_FAULT_NOPAGE;
	ret = map_blk(vmf, blk);
	map_unpin(client, blk);
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
	u64 at;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		return -EFAULT;
	blk = map_pin(client, offset);
	if (IS_ERR_OR_NULL(blk))
		return -EFAULT;
	at = offset - bufpool_blk_offset(blk);
	len = min3((u64)len, bufpool_blk_size(blk) - at,
		   (u64)(vma->vm_end - addr));
	if (write) {
		WRITE_ONCE(blk->touched, true);
		memcpy(bufpool_blk_memory(blk) + at, buf, len);
	} else {
		memcpy(buf, bufpool_blk_memory(blk) + at, len);
	}
	map_unpin(client, blk);
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

/* A page that stays, with a reference for each mapping, so there is nothing to revoke. */
static vm_fault_t stacks_fault(struct vm_fault *vmf)
{
	struct bufpool_client *client = vmf->vma->vm_file->private_data;

	vmf->page = bufpool_kept_page(client, vmf->pgoff - STACKS_PGOFF);
	return vmf->page ? 0 : VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct stacks_ops = {
	.open = vma_open,
	.close = vma_close,
	.may_split = vma_may_split,
	.fault = stacks_fault,
};

/*
 * Nothing in a block is executed. A program that is run with READ_IMPLIES_EXEC asks
 * for that unknowingly whenever it reads. Return: whether the area may be mapped.
 */
static bool map_forbid_exec(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC &&
	    !(current->personality & READ_IMPLIES_EXEC))
		return false;
	vm_flags_mod(vma, 0, VM_EXEC | VM_MAYEXEC);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return true;
}

static bool range_is_valid(struct bufpool_pool *pool, u64 offset, u64 length)
{
	u64 nr = offset >> BUFPOOL_SPAN_SHIFT;
	u64 in_span = offset & (BUFPOOL_SPAN - 1);
	size_t block_size;

	if (nr >= pool->nr_classes)
		return false;
	nr = array_index_nospec(nr, pool->nr_classes);
	block_size = bufpool_class_block_size(&pool->classes[nr]);
	return !(in_span & (block_size - 1)) && length <= BUFPOOL_SPAN - in_span;
}

static bool stacks_are_valid(struct vm_area_struct *vma)
{
	return vma->vm_pgoff >= STACKS_PGOFF &&
	       vma->vm_pgoff + vma_pages(vma) <= STACKS_PGOFF + BUFPOOL_NR_STACKS;
}

/**
 * bufpool_map - set up a mapping, of blocks, of stacks or of the status page
 * @client: whose file is mapped
 * @vma: the area, with mmap_lock held for writing
 *
 * The area is not inherited by fork(), not dumped and cannot grow. That it is
 * VM_IO says nothing about the memory, but keeps MADV_DOFORK from changing that:
 * without it mm would give a child as many areas as the parent has, unasked.
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
	bool are_stacks;

	/* a private mapping would copy what it writes, and keep the copies */
	if (!(vma->vm_flags & VM_MAYSHARE) || !map_forbid_exec(vma))
		return -EINVAL;
	if (offset == BUFPOOL_STATUS_OFFSET)
		return bufpool_status_map(client->pool->status, vma);
	are_stacks = stacks_are_valid(vma);
	if (!are_stacks &&
	    !range_is_valid(client->pool, offset, vma->vm_end - vma->vm_start))
		return -EINVAL;
	/* an area that is refused is never closed */
	if (atomic_inc_return(&client->nr_mappings) > BUFPOOL_MAPPINGS_MAX) {
		atomic_dec(&client->nr_mappings);
		return -ENOMEM;
	}

	vm_flags_mod(vma, VM_IO | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP |
			  (are_stacks ? 0 : VM_PFNMAP), 0);
	vma->vm_ops = are_stacks ? &stacks_ops : &vm_ops;
	return 0;
}

static bool map_is_unpinned(struct bufpool_client *client,
			    struct bufpool_blk *blk)
{
	bool ret;

	spin_lock(&client->lock);
	ret = !blk->pins;
	spin_unlock(&client->lock);
	return ret;
}

/* For bufpool_map_synchronize(). */
void bufpool_map_wait_unpinned(struct bufpool_client *client,
			       struct bufpool_blk *blk)
{
	wait_event(client->unpinned, map_is_unpinned(client, blk));
}

static inline unsigned long map_first(struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}

static inline unsigned long map_last(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

/* To walk mapping->i_mmap as mm does. */
INTERVAL_TREE_DEFINE(struct vm_area_struct, shared.rb, unsigned long,
		     shared.rb_subtree_last, map_first, map_last,
		     static inline, map_area)

/**
 * bufpool_map_unmap - take a block out of every mapping of a client
 * @client: owned it; bufpool_map_lock() or bufpool_map_trylock() is held
 * @blk: the block, which the caller owns, without pins
 *
 * May sleep.
 */
void bufpool_map_unmap(struct bufpool_client *client, struct bufpool_blk *blk)
{
	unsigned long first = bufpool_blk_offset(blk) >> PAGE_SHIFT;
	unsigned long last = first + (bufpool_blk_size(blk) >> PAGE_SHIFT) - 1;
	struct rb_root_cached *areas = &client->mapping.i_mmap;
	struct vm_area_struct *vma;

	if (!READ_ONCE(blk->touched))
		return;
	for (vma = map_area_iter_first(areas, first, last); vma;
	     vma = map_area_iter_next(vma, first, last)) {
		unsigned long from = max(first, map_first(vma));
		unsigned long to = min(last, map_last(vma));

		zap_special_vma_range(vma,
				      vma->vm_start + ((from - map_first(vma)) << PAGE_SHIFT),
				      (to - from + 1) << PAGE_SHIFT);
	}
	trace_bufpool_revoke(client, blk);
}

static void map_pass_barrier(void *unused)
{
	/* the one that stands for an owner's: between its write of top and its read of bottom */
	smp_mb();
}

/**
 * bufpool_map_pass_barriers - have a barrier passed wherever a stack may be written
 * @client: whose; bufpool_map_lock() or bufpool_map_trylock() is held, so that nobody
 *	maps the stack meanwhile
 * @nr: which stack
 *
 * That is each CPU that may run a task of a process that maps the stack. A task that is
 * not running has passed one when it was switched from. Does not sleep.
 */
void bufpool_map_pass_barriers(struct bufpool_client *client, unsigned long nr)
{
	unsigned long at = STACKS_PGOFF + nr;
	struct rb_root_cached *areas = &client->mapping.i_mmap;
	const struct cpumask *cpus;
	struct vm_area_struct *vma;
	unsigned int left = BARRIER_AREAS;

	/* pairs with switching to a task of such a process */
	smp_mb();
	preempt_disable();
	for (vma = map_area_iter_first(areas, at, at); vma;
	     vma = map_area_iter_next(vma, at, at)) {
		cpus = left-- ? bufpool_mm_cpus(vma->vm_mm) : cpu_online_mask;
		smp_call_function_many(cpus, map_pass_barrier, NULL, true);
		if (cpus == cpu_online_mask)
			break;
	}
	preempt_enable();
	/* the reads that follow see what was written before any of those */
	smp_mb();
}
