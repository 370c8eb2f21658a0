// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slab: memory and the table of its blocks.
 *
 * The list of free blocks runs through the table. Nothing is ever stored in a
 * free block: its memory may be zero, and has to stay so.
 */
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include "bufpool.h"
#include "trace.h"

static void blk_init(struct bufpool_blk *blk, unsigned int nr)
{
	*blk = (struct bufpool_blk){ .nr = nr, .state = BUFPOOL_BLK_TRANSIT };
	INIT_LIST_HEAD(&blk->node);
}

/* Make the slab findable. Until a block is rented, a lookup finds no owner. */
static int slab_publish(struct bufpool_slab *slab)
{
	struct bufpool_class *class = slab->class;
	u32 last = (BUFPOOL_SPAN >> class->shift >> class->slab_shift) - 1;
	int err = xa_alloc(&class->slabs, &slab->id, slab, XA_LIMIT(0, last),
			   BUFPOOL_SLAB_GFP);

	/* a lookup that finds it by now does not read this */
	slab->place = class->nr << BUFPOOL_INDEX_BITS |
		      slab->id << class->slab_shift;
	return err == -EBUSY ? -ENOMEM : err;
}

static struct bufpool_slab *slab_alloc_table(struct bufpool_class *class,
					     unsigned int nr_blks, gfp_t gfp)
{
	struct bufpool_slab *slab;

	if (nr_blks == class->per_slab)
		return kmem_cache_alloc(class->tables, gfp);
	return kmalloc(struct_size(slab, blks, nr_blks), gfp);
}

static void slab_free_table(struct bufpool_slab *slab)
{
	if (slab->nr_blks == slab->class->per_slab)
		kmem_cache_free(slab->class->tables, slab);
	else
		kfree(slab);
}

static struct bufpool_slab *slab_create(struct bufpool_class *class,
					struct bufpool_holding *home,
					unsigned int nr_blks)
{
	gfp_t gfp = BUFPOOL_SLAB_GFP | (home ? __GFP_ACCOUNT : 0);
	struct bufpool_slab *slab = slab_alloc_table(class, nr_blks, gfp);
	unsigned int i;
	int err;

	if (!slab)
		return ERR_PTR(-ENOMEM);

	*slab = (struct bufpool_slab){
		.class = class,
		.home = home,
		.bytes = (size_t)nr_blks << class->shift,
		.nr_blks = nr_blks,
		.clean = BUFPOOL_NO_BLK,
		.dirty = BUFPOOL_NO_BLK,
	};
	INIT_LIST_HEAD(&slab->node);
	INIT_LIST_HEAD(&slab->idle_node);
	INIT_LIST_HEAD(&slab->dirty_node);
	for (i = 0; i < nr_blks; i++)
		blk_init(&slab->blks[i], i);

	err = class->backing->alloc(slab, gfp);
	if (err)
		goto free_table;
	err = -ENOMEM;
	if (home && !bufpool_memcg_has_rest(home->branch->memcg))
		goto free_memory;

	err = slab_publish(slab);
	if (err)
		goto free_memory;

	bufpool_count(class->pool->counters, BUFPOOL_SLABS_CREATED);
	trace_bufpool_slab_add(slab);
	return slab;

free_memory:
	class->backing->free(slab);
free_table:
	slab_free_table(slab);
	return ERR_PTR(err);
}

/**
 * bufpool_slab_create - make a slab, all of whose blocks the caller owns
 * @class: whose blocks it shall hold; they have been charged
 * @home: the holding whose cgroup it is charged to, or NULL: to none. The caller sees to
 *	it that it stays until the slab is one of its
 * @nr_blks: how many: class->per_slab, or 1 for a small slab
 *
 * May sleep.
 *
 * Return: the slab, which the caller owns, or ERR_PTR(): -ENOSPC where the cgroup is full,
 * -ENOMEM, also where the class's span of the window is full.
 */
struct bufpool_slab *bufpool_slab_create(struct bufpool_class *class,
					 struct bufpool_holding *home,
					 unsigned int nr_blks)
{
	struct mem_cgroup *memcg = home ? home->branch->memcg : NULL;
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct bufpool_slab *slab = slab_create(class, home, nr_blks);

	set_active_memcg(old);
	if (IS_ERR(slab) && memcg &&
	    bufpool_memcg_is_full(memcg, (size_t)nr_blks << class->shift))
		return ERR_PTR(-ENOSPC);
	return slab;
}

static void slab_free_rcu(struct rcu_head *rcu)
{
	slab_free_table(container_of(rcu, struct bufpool_slab, rcu));
}

/**
 * bufpool_slab_destroy - give a slab's memory back and forget it
 * @slab: on no list, with every block free
 *
 * A block becomes free only after bufpool_map_unmap(), or when its client has
 * neither a mapping nor a task in the fault handler any more. So no page-table
 * entry reaches the memory here, and none can come to: the fault handler inserts
 * entries only for blocks with an owner.
 *
 * May sleep. The table itself lives on until lookups that have seen it end.
 */
void bufpool_slab_destroy(struct bufpool_slab *slab)
{
	struct bufpool_class *class = slab->class;

	WARN_ON_ONCE(slab->nr_free != slab->nr_blks);
	xa_erase(&class->slabs, slab->id);
	class->backing->free(slab);
	bufpool_count(class->pool->counters, BUFPOOL_SLABS_DESTROYED);
	trace_bufpool_slab_remove(slab);
	call_rcu(&slab->rcu, slab_free_rcu);
}

/**
 * bufpool_slab_push - make a block free
 * @slab: the block's slab; class->lock is held
 * @blk: the caller's; it belongs to the free list from here on
 */
void bufpool_slab_push(struct bufpool_slab *slab, struct bufpool_blk *blk)
{
	bool scrub = blk->dirty && !blk->broken;
	u16 *head = scrub ? &slab->dirty : &slab->clean;

	lockdep_assert_held(&slab->class->lock);
	WARN_ON_ONCE(blk->owner);
	if (scrub && *head == BUFPOOL_NO_BLK)
		list_add(&slab->dirty_node, &slab->class->dirty);
	bufpool_blk_set_state(blk, BUFPOOL_BLK_FREE);
	blk->next = *head;
	*head = blk->nr;
	slab->nr_free++;
}

static struct bufpool_blk *slab_pop(struct bufpool_slab *slab, u16 *head)
{
	struct bufpool_blk *blk = &slab->blks[*head];

	lockdep_assert_held(&slab->class->lock);
	*head = blk->next;
	blk->pins = 0;
	bufpool_blk_set_state(blk, BUFPOOL_BLK_TRANSIT);
	slab->nr_free--;
	return blk;
}

/**
 * bufpool_slab_pop_dirty - take a free block that is not zero
 * @slab: has one; class->lock is held
 *
 * Return: the block, which the caller owns.
 */
struct bufpool_blk *bufpool_slab_pop_dirty(struct bufpool_slab *slab)
{
	struct bufpool_blk *blk = slab_pop(slab, &slab->dirty);

	if (slab->dirty == BUFPOOL_NO_BLK)
		list_del_init(&slab->dirty_node);
	return blk;
}

/**
 * bufpool_slab_pop - take a free block, a clean one if there is one
 * @slab: has a free block; class->lock is held
 *
 * Return: the block, which the caller owns.
 */
struct bufpool_blk *bufpool_slab_pop(struct bufpool_slab *slab)
{
	if (slab->clean != BUFPOOL_NO_BLK)
		return slab_pop(slab, &slab->clean);
	return bufpool_slab_pop_dirty(slab);
}

/**
 * bufpool_slab_find - look a block up by its index in its class
 * @class: the class
 * @index: any number
 *
 * Under rcu_read_lock(). The block stays one only while it has an owner that
 * cannot give it up meanwhile, see struct bufpool_blk.
 *
 * Return: the block, or NULL if there is none.
 */
struct bufpool_blk *bufpool_slab_find(struct bufpool_class *class, u32 index)
{
	u32 nr = index & (class->per_slab - 1);
	struct bufpool_slab *slab;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "lookup without RCU");
	slab = xa_load(&class->slabs, index >> class->slab_shift);
	if (!slab || nr >= slab->nr_blks)
		return NULL;
	return &slab->blks[array_index_nospec(nr, slab->nr_blks)];
}

/* Note, of a block that has left its client, whether it may have been written to. */
void bufpool_blk_update_dirty(struct bufpool_blk *blk)
{
	blk->dirty |= blk->touched;
	blk->touched = false;
}

/* Whether the system has found one of pages that are contiguous to be broken. */
static bool pages_are_poisoned(struct page *page, unsigned long nr)
{
	for (; nr; nr--, page++)
		if (PageHWPoison(page))
			return true;
	return false;
}

/* Whether the system has found a page of a block's memory to be broken. */
bool bufpool_blk_is_poisoned(struct bufpool_blk *blk)
{
	unsigned long nr = bufpool_blk_size(blk) >> PAGE_SHIFT, i, run;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return false;
	for (i = 0; i < nr; i += run) {
		run = bufpool_blk_run(blk, i);
		if (pages_are_poisoned(virt_to_page(bufpool_blk_page(blk, i)), run))
			return true;
	}
	return false;
}

/*
 * Zero what follows the first bytes of a block that the caller owns. A page that is broken is
 * left alone, as to write to it may stop the kernel; by that the block stays dirty, and is laid
 * aside when it leaves its client. May sleep. Return: whether all that follows is zero.
 */
bool bufpool_blk_scrub_from(struct bufpool_blk *blk, size_t used)
{
	unsigned long nr = bufpool_blk_size(blk) >> PAGE_SHIFT, i = used >> PAGE_SHIFT;
	size_t in_page = offset_in_page(used);
	bool broken = false;

	if (!blk->dirty)
		return true;
	for (; i < nr; i++) {
		void *page = bufpool_blk_page(blk, i);

		if (unlikely(bufpool_page_is_poisoned(page)))
			broken = true;
		else if (unlikely(in_page))
			memset(page + in_page, 0, PAGE_SIZE - in_page);
		else
			clear_page(page);
		in_page = 0;
		cond_resched();
	}
	blk->dirty = used || broken;
	return !broken;
}

/* Make a block that the caller owns zero, if it is not known to be. May sleep. */
void bufpool_blk_scrub(struct bufpool_blk *blk)
{
	bufpool_blk_scrub_from(blk, 0);
}

/* Zero a block as who returned it wants it. The caller owns it. May sleep. */
void bufpool_blk_clear(struct bufpool_blk *blk)
{
	bufpool_blk_scrub(blk);
	blk->clear = false;
}

/*
 * Let the system count a slab as memory that it could have, or no more: in KReclaimable of
 * /proc/meminfo, and so in MemAvailable.
 */
void bufpool_slab_set_reclaimable(struct bufpool_slab *slab, bool reclaimable)
{
	long pages = slab->bytes >> PAGE_SHIFT;

	slab->reclaimable = reclaimable;
	mod_node_page_state(page_pgdat(virt_to_page(slab->memory)),
			    NR_KERNEL_MISC_RECLAIMABLE, reclaimable ? pages : -pages);
}
