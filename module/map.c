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
 *	it walks, or under the locks that it takes, and so does fork(), where it copies
 *	any: a child's area comes behind its parent's before that. munmap()
 *	on another CPU may have cleared entries that a TLB still holds, in an area
 *	that the walk no longer finds; but for VM_PFNMAP areas, whose pages hold
 *	no reference, mm flushes the TLB before it unlinks the area. (exit() does
 *	not, and need not: nothing runs in that address space any more.)
 *   5. Only then is the block put where others can get it.
 *
 * Entries of blocks of pages hold references, as whoever finds a page by an entry may. So
 * there is a sixth step, see quarantine.c; and what munmap() has yet to flush has its
 * reference until then, or is in an area for which point 4 holds.
 *
 * Blocks that are large enough are mapped by huge entries where that goes. A range of
 * addresses that could have one never gets single entries instead, unless it has a page
 * table already: to insert one where another fault inserts the other at that instant is
 * what mm does not expect. (Since 6.13 mm may take an empty table away meanwhile; it says
 * that there is no memory where it meets a huge entry then, which is no harm.)
 *
 * A thief waits for nothing that the client does: for pins it does not wait, and
 * i_mmap_rwsem, which mmap() and munmap() of the client hold for writing, it only
 * tries (bufpool_map_trylock()). Page-table locks are spinlocks.
 */
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
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
			   unsigned long nr, unsigned long addr)
{
	struct page *page = virt_to_page(bufpool_blk_page(blk, nr));

	if (vma->vm_flags & VM_PFNMAP)
		return vmf_insert_pfn(vma, addr, page_to_pfn(page));
	return bufpool_insert_page(vma, addr, page);
}

/* Pages that a huge entry maps */
#define HUGE_PAGES	(PMD_SIZE >> PAGE_SHIFT)

/*
 * Map what one huge entry maps, of a block that is as large, if that goes. Return:
 * VM_FAULT_NOPAGE if there is one, now or already; VM_FAULT_FALLBACK if it is to be done page
 * by page.
 */
static vm_fault_t map_huge(struct vm_fault *vmf, struct bufpool_blk *blk, unsigned long first)
{
	unsigned long addr = vmf->address & PMD_MASK, nr;
	struct vm_area_struct *vma = vmf->vma;
	pmd_t pmd = READ_ONCE(*vmf->pmd);
	struct page *page;

	if (addr < vma->vm_start || addr + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	nr = linear_page_index(vma, addr) - first;
	if (nr % HUGE_PAGES || bufpool_blk_run(blk, nr) < HUGE_PAGES)
		return VM_FAULT_FALLBACK;
	page = virt_to_page(bufpool_blk_page(blk, nr));
	if (page_to_pfn(page) % HUGE_PAGES)
		return VM_FAULT_FALLBACK;
	if (!pmd_none(pmd))
		return pmd_leaf(pmd) ? VM_FAULT_NOPAGE : VM_FAULT_FALLBACK;
	return vma->vm_flags & VM_PFNMAP ? bufpool_insert_huge_pfn(vmf, page) :
					   bufpool_insert_huge_page(vmf, page);
}

/*
 * Map pages of a block that follow each other, in one go. Not where entries may be huge, as
 * another fault may just make one of these. Return: whether they are mapped.
 */
static bool map_run(struct vm_area_struct *vma, struct bufpool_blk *blk, unsigned long nr,
		    unsigned long addr, unsigned long count)
{
	struct bufpool_insert insert = {
		.vma = vma,
		.addr = addr,
		.pfn = page_to_pfn(virt_to_page(bufpool_blk_page(blk, nr))),
	};

	return count > 1 && vma->vm_flags & VM_PFNMAP && bufpool_blk_size(blk) < PMD_SIZE &&
	       bufpool_blk_run(blk, nr) >= count && bufpool_insert_pfns(&insert, count);
}

/**
 * bufpool_map_pages - map the page in need, and the others of its block that lie in the area
 * @vmf: the fault
 * @blk: the block, whose memory nobody else gets meanwhile
 * @first: where it begins, as vmf->pgoff counts
 *
 * Of a block that may be mapped by huge entries, too, only what the same page table maps.
 *
 * Return: VM_FAULT_NOPAGE, or what is wrong.
 */
vm_fault_t bufpool_map_pages(struct vm_fault *vmf, struct bufpool_blk *blk, unsigned long first)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long from = vma->vm_start, to = vma->vm_end, at, end;
	vm_fault_t ret;

	if (bufpool_blk_size(blk) >= PMD_SIZE) {
		from = max(from, vmf->address & PMD_MASK);
		to = min(to, (vmf->address & PMD_MASK) + PMD_SIZE);
	}
	at = max(first, linear_page_index(vma, from));
	end = min(first + (bufpool_blk_size(blk) >> PAGE_SHIFT), linear_page_index(vma, to));
	from = vma->vm_start + ((at - vma->vm_pgoff) << PAGE_SHIFT);
	if (map_run(vma, blk, at - first, from, end - at))
		return VM_FAULT_NOPAGE;
	ret = map_page(vma, blk, vmf->pgoff - first, vmf->address & PAGE_MASK);
	if (ret == VM_FAULT_OOM && pmd_leaf(READ_ONCE(*vmf->pmd)))
		return VM_FAULT_NOPAGE;
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	for (; at < end; at++, from += PAGE_SIZE) {
		/* These are a favour: without, they fault on their own. */
		if (map_page(vma, blk, at - first, from) != VM_FAULT_NOPAGE)
			break;
	}
	return ret;
}

static vm_fault_t map_blk(struct vm_fault *vmf, struct bufpool_blk *blk)
{
	unsigned long first = bufpool_blk_offset(blk) >> PAGE_SHIFT;
	vm_fault_t ret = VM_FAULT_FALLBACK;

	WRITE_ONCE(blk->touched, true);
	if (bufpool_blk_size(blk) >= PMD_SIZE)
		ret = map_huge(vmf, blk, first);
	return ret == VM_FAULT_FALLBACK ? bufpool_map_pages(vmf, blk, first) : ret;
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

/* Copy bytes into a block, from @at on, or out of it. */
static void map_copy(struct bufpool_blk *blk, u64 at, void *buf, size_t len, bool write)
{
	while (len) {
		size_t in_page = offset_in_page(at), part = min(len, PAGE_SIZE - in_page);
		void *bytes = bufpool_blk_page(blk, at >> PAGE_SHIFT) + in_page;

		memcpy(write ? bytes : buf, write ? buf : bytes, part);
		at += part;
		buf += part;
		len -= part;
	}
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
	if (write)
		WRITE_ONCE(blk->touched, true);
	map_copy(blk, at, buf, len, write);
	map_unpin(client, blk);
	return len;
}

/* As how many an area counts, however little of a block is in it. */
static int vma_count(const struct vm_area_struct *vma)
{
	const struct bufpool_client *client = vma->vm_file->private_data;
	unsigned long nr = vma->vm_pgoff >> (BUFPOOL_SPAN_SHIFT - PAGE_SHIFT);
	unsigned long pages;

	/* one of stacks */
	if (nr >= client->pool->nr_classes)
		return 1;
	pages = bufpool_class_block_size(&client->pool->classes[nr]) >> PAGE_SHIFT;
	return DIV_ROUND_UP(pages, BUFPOOL_MAPPING_PAGES);
}

/*
 * Every area of the client counts, in whatever process; also the parts that one is
 * split into, and for a moment both the old and the new one where one is moved.
 */
static void vma_open(struct vm_area_struct *vma)
{
	struct bufpool_client *client = vma->vm_file->private_data;

	atomic_add(vma_count(vma), &client->nr_mappings);
}

static void vma_close(struct vm_area_struct *vma)
{
	struct bufpool_client *client = vma->vm_file->private_data;

	atomic_sub(vma_count(vma), &client->nr_mappings);
}

/* Several processes that split areas in the same instant may each get the last. */
static int vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	struct bufpool_client *client = vma->vm_file->private_data;

	if (atomic_read(&client->nr_mappings) + vma_count(vma) > BUFPOOL_MAPPINGS_MAX)
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

/**
 * bufpool_map_forbid_exec - let nothing in an area be executed
 * @vma: the area, which is being made
 *
 * A program that is run with READ_IMPLIES_EXEC asks for that unknowingly whenever it
 * reads.
 *
 * Return: whether the area may be mapped.
 */
bool bufpool_map_forbid_exec(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC &&
	    !(current->personality & READ_IMPLIES_EXEC))
		return false;
	vm_flags_mod(vma, 0, VM_EXEC | VM_MAYEXEC);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return true;
}

/* The class whose blocks a range of the window has, or NULL if that is no valid one. */
static const struct bufpool_class *map_class(struct bufpool_pool *pool, u64 offset, u64 length)
{
	u64 nr = offset >> BUFPOOL_SPAN_SHIFT;
	u64 in_span = offset & (BUFPOOL_SPAN - 1);
	const struct bufpool_class *class;

	if (nr >= pool->nr_classes)
		return NULL;
	class = &pool->classes[array_index_nospec(nr, pool->nr_classes)];
	if (in_span & (bufpool_class_block_size(class) - 1) || length > BUFPOOL_SPAN - in_span)
		return NULL;
	return class;
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
 * without it mm would give a child as many areas as the parent has, unasked. Areas of
 * blocks for I/O cannot have that, since get_user_pages() refuses them then.
 *
 * Revoking a block visits every area that maps it, and clears what maps it there, and others
 * may have to wait for that; so a client has a bounded number of areas, however little each
 * maps, and fewer where blocks are large. If it comes to have more, by fork(), no thief
 * visits them: see bufpool_map_trylock().
 *
 * Return: 0; -EINVAL; -ENOMEM where the client has as many as it may.
 */
int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	const struct bufpool_class *class = NULL;
	vm_flags_t flags = VM_IO;

	/* a private mapping would copy what it writes, and keep the copies */
	if (!(vma->vm_flags & VM_MAYSHARE) || !bufpool_map_forbid_exec(vma))
		return -EINVAL;
	if (offset == BUFPOOL_STATUS_OFFSET)
		return bufpool_status_map(client->pool->status, vma);
	if (!stacks_are_valid(vma)) {
		class = map_class(client->pool, offset, vma->vm_end - vma->vm_start);
		if (!class)
			return -EINVAL;
		flags = class->backing->has_refs ? BUFPOOL_VM_REFERENCES : VM_IO | VM_PFNMAP;
	}
	/* an area that is refused is never closed */
	if (atomic_add_return(vma_count(vma), &client->nr_mappings) > BUFPOOL_MAPPINGS_MAX) {
		atomic_sub(vma_count(vma), &client->nr_mappings);
		return -ENOMEM;
	}

	vm_flags_mod(vma, flags | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP, 0);
	vma->vm_ops = class ? &vm_ops : &stacks_ops;
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

/* Zap a range of areas whose entries hold no references. */
static void map_zap_special(struct bufpool_client *client, unsigned long first,
			    unsigned long last)
{
	struct rb_root_cached *areas = &client->mapping.i_mmap;
	struct vm_area_struct *vma;

	for (vma = map_area_iter_first(areas, first, last); vma;
	     vma = map_area_iter_next(vma, first, last)) {
		unsigned long from = max(first, map_first(vma));
		unsigned long to = min(last, map_last(vma));

		zap_special_vma_range(vma,
				      vma->vm_start + ((from - map_first(vma)) << PAGE_SHIFT),
				      (to - from + 1) << PAGE_SHIFT);
	}
}

/*
 * Zap a range of areas of all kinds. What there is for that takes the lock that the caller
 * holds, and would wait for who wants it for writing meanwhile; so it is shown the same areas
 * with another lock.
 */
static void map_zap(struct bufpool_client *client, unsigned long first, unsigned long nr)
{
	struct address_space view = { .i_mmap = client->mapping.i_mmap };

	init_rwsem(&view.i_mmap_rwsem);
	unmap_mapping_pages(&view, first, nr, false);
}

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
	unsigned long nr = bufpool_blk_size(blk) >> PAGE_SHIFT;

	if (!READ_ONCE(blk->touched))
		return;
	if (bufpool_blk_class(blk)->backing->has_refs)
		map_zap(client, first, nr);
	else
		map_zap_special(client, first, first + nr - 1);
	trace_bufpool_revoke(client, blk);
}

/**
 * bufpool_map_revoke - take blocks out of every mapping of a client, which acts itself
 * @client: owned them
 * @batch: the blocks, which the caller owns
 *
 * Waits for faults of the client. May sleep.
 */
void bufpool_map_revoke(struct bufpool_client *client, struct list_head *batch)
{
	struct bufpool_blk *blk;
	bool touched = false;

	list_for_each_entry(blk, batch, node) {
		bufpool_map_synchronize(client, blk);
		touched |= READ_ONCE(blk->touched);
	}
	if (!touched)
		return;
	bufpool_map_lock(client);
	list_for_each_entry(blk, batch, node)
		bufpool_map_unmap(client, blk);
	bufpool_map_unlock(client);
}

/* Where the page tables of a process have what maps an address, or NULL if there is no table. */
static pmd_t *map_find_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none(READ_ONCE(*pgd)))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(READ_ONCE(*p4d)))
		return NULL;
	pud = pud_offset(p4d, addr);
	return pud_none(READ_ONCE(*pud)) ? NULL : pmd_offset(pud, addr);
}

/*
 * An area of the current process that has all of a block, as long as mmap_lock is held. One
 * that munmap() is about to forget is here still, and its entries are gone for good; but the
 * process has it no more.
 */
static struct vm_area_struct *map_find_area(struct bufpool_client *client,
					    const struct bufpool_block *block)
{
	unsigned long first = block->offset >> PAGE_SHIFT;
	unsigned long last = first + (block->length >> PAGE_SHIFT) - 1;
	struct rb_root_cached *areas = &client->mapping.i_mmap;
	struct vm_area_struct *vma;

	bufpool_map_lock(client);
	for (vma = map_area_iter_first(areas, first, last); vma;
	     vma = map_area_iter_next(vma, first, last))
		if (vma->vm_mm == current->mm && map_first(vma) <= first &&
		    map_last(vma) >= last && vma_lookup(current->mm, vma->vm_start) == vma)
			break;
	bufpool_map_unlock(client);
	return vma;
}

/* Map as much of a block as one page table does. Return: how many pages, or 0. */
static unsigned long map_ahead_table(struct vm_area_struct *vma, unsigned long pgoff)
{
	struct vm_fault vmf = {
		.vma = vma,
		.pgoff = pgoff,
		.address = vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT),
		.flags = vma->vm_flags & VM_WRITE ? FAULT_FLAG_WRITE : 0,
	};

	vmf.pmd = map_find_pmd(vma->vm_mm, vmf.address);
	if (!vmf.pmd || vma_fault(&vmf) != VM_FAULT_NOPAGE)
		return 0;
	return (PMD_SIZE - (vmf.address & ~PMD_MASK)) >> PAGE_SHIFT;
}

/**
 * bufpool_map_ahead - map blocks before they are touched
 * @client: may rent them
 * @blocks: which
 * @nr: how many
 *
 * In the current process, where that has mapped their range, and has tables for it: a favour
 * that may be left out. May sleep.
 */
void bufpool_map_ahead(struct bufpool_client *client, const struct bufpool_block *blocks,
		       unsigned int nr)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long at, end, done;

	if (mmap_read_lock_killable(mm))
		return;
	for (; nr--; blocks++) {
		vma = map_find_area(client, blocks);
		at = blocks->offset >> PAGE_SHIFT;
		end = at + (blocks->length >> PAGE_SHIFT);
		for (done = 1; vma && done && at < end; at += done)
			done = map_ahead_table(vma, at);
	}
	mmap_read_unlock(mm);
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
