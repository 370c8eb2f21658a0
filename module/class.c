// SPDX-License-Identifier: GPL-2.0-only
/*
 * A class: all blocks of one size, and the depot of those that are free.
 *
 * Blocks are taken from slabs that are in use already before slabs that are
 * wholly free, so that the latter stay so and can be given back.
 */
#include <linux/sched/signal.h>
#include "bufpool.h"

/**
 * bufpool_class_init - make class @nr of a pool
 * @class: memory for it, zero
 * @pool: its pool
 * @nr: blocks have PAGE_SIZE << @nr bytes
 *
 * Return: 0 or -ENOMEM; bufpool_class_exit() is due in both cases.
 */
int bufpool_class_init(struct bufpool_class *class, struct bufpool_pool *pool,
		       unsigned int nr)
{
	size_t block_size = PAGE_SIZE << nr;
	char name[32];

	class->pool = pool;
	class->backing = &bufpool_backing_slab;
	class->nr = nr;
	class->shift = PAGE_SHIFT + nr;
	class->pooled = block_size <= pool->config.max_pooled;
	class->slab_size = max_t(size_t, pool->config.slab_size, block_size);
	class->per_slab = class->slab_size / block_size;
	mutex_init(&class->grow);
	xa_init_flags(&class->slabs, XA_FLAGS_ALLOC);
	spin_lock_init(&class->lock);
	INIT_LIST_HEAD(&class->partial);
	INIT_LIST_HEAD(&class->idle);
	INIT_LIST_HEAD(&class->waiters);

	snprintf(name, sizeof(name), "%s-%zuk-table", pool->name,
		 block_size >> 10);
	class->tables = kmem_cache_create(name,
					  struct_size_t(struct bufpool_slab,
							blks, class->per_slab),
					  0, SLAB_NO_MERGE, NULL);
	if (!class->tables)
		return -ENOMEM;
	return class->backing->init(class);
}

/**
 * bufpool_class_exit - undo bufpool_class_init()
 * @class: drained, and an RCU barrier has passed; may be half made, or zero
 */
void bufpool_class_exit(struct bufpool_class *class)
{
	if (!class->pool)
		return;
	WARN_ON_ONCE(class->nr_slabs);
	class->backing->exit(class);
	kmem_cache_destroy(class->tables);
	xa_destroy(&class->slabs);
	mutex_destroy(&class->grow);
}

/* Put a slab where its number of free blocks says. */
static void sort(struct bufpool_class *class, struct bufpool_slab *slab)
{
	lockdep_assert_held(&class->lock);
	if (slab->idle)
		class->nr_idle--;
	slab->idle = slab->nr_free == class->per_slab;
	if (slab->idle)
		class->nr_idle++;

	if (slab->idle)
		list_move(&slab->node, &class->idle);
	else if (slab->nr_free)
		list_move(&slab->node, &class->partial);
	else
		list_del_init(&slab->node);
}

/**
 * bufpool_class_take_locked - take a free block out of the depot
 * @class: whose; its lock is held
 *
 * Return: the block, in transit and maybe dirty, or NULL if none is free.
 */
struct bufpool_blk *bufpool_class_take_locked(struct bufpool_class *class)
{
	struct bufpool_slab *slab;
	struct bufpool_blk *blk;

	lockdep_assert_held(&class->lock);
	slab = list_first_entry_or_null(&class->partial, struct bufpool_slab,
					node);
	if (!slab)
		slab = list_first_entry_or_null(&class->idle,
						struct bufpool_slab, node);
	if (!slab)
		return NULL;
	blk = bufpool_slab_pop(slab);
	class->nr_out++;
	if (!slab->nr_free || slab->nr_free == class->per_slab - 1)
		sort(class, slab);
	return blk;
}

static struct bufpool_blk *take(struct bufpool_class *class)
{
	struct bufpool_blk *blk;

	spin_lock(&class->lock);
	blk = bufpool_class_take_locked(class);
	spin_unlock(&class->lock);
	return blk;
}

/*
 * Hand a new slab's blocks to those who wait, one to the caller if it wants one,
 * and the rest to the depot.
 */
static void add(struct bufpool_class *class, struct bufpool_slab *slab,
		struct bufpool_blk **keep)
{
	unsigned int i = 0, last = class->per_slab;
	bool idle;

	spin_lock(&class->lock);
	class->nr_slabs++;
	class->nr_out += class->per_slab;
	while (i < class->per_slab &&
	       bufpool_wait_hand_over(class, &slab->blks[i]))
		i++;
	if (keep && i < class->per_slab)
		*keep = &slab->blks[i++];
	class->nr_out -= class->per_slab - i;
	/* the last is popped first, and low offsets are to go out first */
	while (last-- > i)
		bufpool_slab_push(slab, &slab->blks[last]);
	sort(class, slab);
	idle = slab->idle;
	spin_unlock(&class->lock);

	if (idle)
		/* nobody here needs it any more; it may make room elsewhere */
		bufpool_wait_retry(class->pool);
}

/* Charge a slab; where the pool is full, wholly free slabs give way. */
static int charge(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;
	size_t missing;
	int err;

	do {
		err = bufpool_pool_charge(pool, class->slab_size);
		missing = bufpool_pool_missing(pool, class->slab_size);
	} while (err == -EAGAIN && !signal_pending(current) &&
		 bufpool_pool_drop_idle(pool, missing));
	return err;
}

/**
 * bufpool_class_grow - add a slab
 * @class: whose; its grow mutex is held
 * @keep: gets a block, in transit, if those who wait leave one; or NULL
 *
 * Where the pool is at its limit, or the system without memory, wholly free
 * slabs of other classes give way. May sleep.
 *
 * Return: 0; -EAGAIN where the limit forbids it now, -EDQUOT where it always
 * does, -ENOMEM.
 */
int bufpool_class_grow(struct bufpool_class *class, struct bufpool_blk **keep)
{
	struct bufpool_pool *pool = class->pool;
	struct bufpool_slab *slab;
	int err;

	lockdep_assert_held(&class->grow);
	err = charge(class);
	if (err)
		return err;

	slab = bufpool_slab_create(class);
	if (IS_ERR(slab) && bufpool_pool_drop_idle(pool, class->slab_size))
		slab = bufpool_slab_create(class);
	if (IS_ERR(slab)) {
		bufpool_pool_uncharge(pool, class->slab_size);
		return PTR_ERR(slab);
	}
	add(class, slab, keep);
	return 0;
}

static struct bufpool_blk *grow_and_take(struct bufpool_class *class)
{
	struct bufpool_blk *blk;
	int err = 0;

	if (mutex_lock_interruptible(&class->grow))
		return ERR_PTR(-ERESTARTSYS);
	/* who had the mutex before has often left blocks */
	blk = take(class);
	while (!blk && !err)
		err = bufpool_class_grow(class, &blk);
	mutex_unlock(&class->grow);
	return blk ?: ERR_PTR(err);
}

/**
 * bufpool_class_rent - get one block for a client to be
 * @request: what is wanted
 *
 * May sleep.
 *
 * Return: a block, in transit and zero, or ERR_PTR(): -EAGAIN, -ETIMEDOUT,
 * -EDQUOT, -ENOMEM, -ERESTARTSYS.
 */
struct bufpool_blk *bufpool_class_rent(struct bufpool_request *request)
{
	struct bufpool_blk *blk = take(request->class);

	if (!blk)
		blk = grow_and_take(request->class);
	if (blk == ERR_PTR(-EAGAIN) && !request->nonblock)
		blk = bufpool_wait(request);
	if (!IS_ERR(blk))
		bufpool_blk_scrub(blk);
	return blk;
}

/* Take an idle slab out of the class. */
static void unlink(struct bufpool_class *class, struct bufpool_slab *slab)
{
	lockdep_assert_held(&class->lock);
	list_del_init(&slab->node);
	class->nr_slabs--;
	if (slab->idle)
		class->nr_idle--;
}

static struct bufpool_slab *unlink_idle(struct bufpool_class *class)
{
	struct bufpool_slab *slab;

	spin_lock(&class->lock);
	slab = list_first_entry_or_null(&class->idle, struct bufpool_slab, node);
	if (slab)
		unlink(class, slab);
	spin_unlock(&class->lock);
	return slab;
}

/* Give an unlinked slab to the system. */
static void give_back(struct bufpool_class *class, struct bufpool_slab *slab)
{
	bufpool_slab_destroy(slab);
	bufpool_pool_uncharge(class->pool, class->slab_size);
}

/**
 * bufpool_class_put - let a block go back to its class
 * @blk: in transit; nothing can reach its memory
 *
 * It goes to the first who waits for one, else to the depot; a slab that is not
 * to be kept goes to the system. May sleep.
 */
void bufpool_class_put(struct bufpool_blk *blk)
{
	struct bufpool_slab *slab = bufpool_blk_slab(blk);
	struct bufpool_class *class = slab->class;
	struct bufpool_pool *pool = class->pool;
	bool idle = false, keep = true;

	spin_lock(&class->lock);
	if (!bufpool_wait_hand_over(class, blk)) {
		bufpool_slab_push(slab, blk);
		class->nr_out--;
		idle = slab->nr_free == class->per_slab;
		keep = class->pooled && !bufpool_pool_missing(pool, 0);
		if (idle && !keep)
			unlink(class, slab);
		else if (idle || slab->nr_free == 1)
			sort(class, slab);
	}
	spin_unlock(&class->lock);

	if (idle && !keep) {
		give_back(class, slab);
		class->backing->shrink(class);
	} else if (idle) {
		/* it may make room for another class */
		bufpool_wait_retry(pool);
	}
}

/**
 * bufpool_class_drop_idle - give wholly free slabs to the system
 * @class: whose
 * @bytes: at least so many, if there are as many
 *
 * May sleep.
 *
 * Return: how many bytes.
 */
size_t bufpool_class_drop_idle(struct bufpool_class *class, size_t bytes)
{
	struct bufpool_slab *slab;
	size_t dropped = 0;

	while (dropped < bytes && (slab = unlink_idle(class))) {
		give_back(class, slab);
		dropped += class->slab_size;
		cond_resched();
	}
	if (dropped)
		class->backing->shrink(class);
	return dropped;
}

/**
 * bufpool_class_drain - give every slab to the system
 * @class: no block is out; may be half made, or zero
 */
void bufpool_class_drain(struct bufpool_class *class)
{
	struct bufpool_slab *slab;

	if (!class->pool)
		return;
	while ((slab = unlink_idle(class))) {
		give_back(class, slab);
		cond_resched();
	}
}
