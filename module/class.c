// SPDX-License-Identifier: GPL-2.0-only
/*
 * A class: all blocks of one size and backing, and the lists of those that are free.
 *
 * An account takes blocks from its own slabs, see holding.c, and then from slabs that are
 * wholly free, which become its own. So as many as can be stay wholly free, and can be
 * given back. Those that are charged to a memory cgroup are for the branch that they were
 * made for, also when they are wholly free; see branch.c.
 */
#include <linux/log2.h>
#include "bufpool.h"
#include "trace.h"

/**
 * bufpool_class_init - make a class of a pool, its next
 * @class: memory for it, zero
 * @pool: its pool
 * @backing: what its memory is
 * @block_size: bytes in each block; a power of two
 *
 * Return: 0 or -ENOMEM; bufpool_class_exit() is due in both cases.
 */
int bufpool_class_init(struct bufpool_class *class, struct bufpool_pool *pool,
		       const struct bufpool_backing *backing, size_t block_size)
{
	char name[32];

	class->pool = pool;
	class->backing = backing;
	class->nr = class - pool->classes;
	class->shift = ilog2(block_size);
	class->pooled = block_size <= pool->config.max_pooled;
	/* pages can be had one by one */
	class->slab_size = backing->has_refs ? block_size :
			   max_t(size_t, pool->config.slab_size, block_size);
	class->slab_shift = ilog2(class->slab_size) - class->shift;
	class->per_slab = 1U << class->slab_shift;
	class->small_until = jiffies;
	class->first_held = ULONG_MAX;
	xa_init_flags(&class->slabs, XA_FLAGS_ALLOC);
	bufpool_lru_init(&class->warm);
	bufpool_keepers_init(&class->kept, offsetof(struct bufpool_kept, by_class));
	spin_lock_init(&class->lock);
	INIT_LIST_HEAD(&class->idle);
	INIT_LIST_HEAD(&class->charged);
	INIT_LIST_HEAD(&class->scrubbed);
	INIT_LIST_HEAD(&class->draining);
	INIT_LIST_HEAD(&class->reserve);
	INIT_LIST_HEAD(&class->dirty);
	class->waiting = RB_ROOT_CACHED;

	snprintf(name, sizeof(name), "%s-%s%zuk-table", pool->name, backing->prefix,
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
}

/* Some blocks have gone out, of slabs of a holding, or nobody's; or, if negative, come back. */
static __always_inline void class_add_out(struct bufpool_class *class,
					  struct bufpool_holding *holding, int nr)
{
	lockdep_assert_held(&class->lock);
	WRITE_ONCE(class->nr_out, class->nr_out + nr);
	if (holding)
		WRITE_ONCE(holding->nr_out, holding->nr_out + nr);
}

static __always_inline void class_set_idle(struct bufpool_class *class,
					   struct bufpool_slab *slab, bool idle)
{
	lockdep_assert_held(&class->lock);
	if (slab->idle == idle)
		return;
	slab->idle = idle;
	if (unlikely(slab->reclaimable))
		bufpool_slab_set_reclaimable(slab, false);
	if (unlikely(slab->reserved)) {
		WRITE_ONCE(class->reserve_bytes,
			   class->reserve_bytes + (idle ? slab->bytes : -slab->bytes));
	} else if (idle) {
		class->nr_idle++;
		WRITE_ONCE(class->idle_bytes, class->idle_bytes + slab->bytes);
	} else {
		class->nr_idle--;
		WRITE_ONCE(class->idle_bytes, class->idle_bytes - slab->bytes);
		class->least_idle = min(class->least_idle, class->idle_bytes);
	}
}

/* Let a slab belong to a holding, whose account has been charged for it. */
static __always_inline void class_give(struct bufpool_class *class,
				       struct bufpool_slab *slab,
				       struct bufpool_holding *holding)
{
	lockdep_assert_held(&class->lock);
	slab->holding = holding;
	class->unowned_bytes -= slab->bytes;
	/* it may just be moved in the list; see branch_check_holder() for coming and going */
	if (unlikely(data_race(list_empty(&holding->branch->holder))))
		bufpool_branch_add_holder(holding->branch);
	trace_bufpool_charge(holding->account, slab);
}

/* A slab of which no block is out belongs to nobody, and nobody is charged for it. */
static __always_inline void class_disown(struct bufpool_class *class,
					 struct bufpool_slab *slab)
{
	struct bufpool_holding *holding = slab->holding;
	size_t bytes = slab->bytes;

	lockdep_assert_held(&class->lock);
	if (!holding)
		return;
	slab->holding = NULL;
	if (unlikely(slab->draining))
		atomic_long_sub(bytes, &holding->account->draining);
	class->unowned_bytes += bytes;
	trace_bufpool_uncharge(holding->account, slab);
	bufpool_budget_uncharge(&holding->account->pinned, bytes);
	bufpool_branch_lost_slab(holding->branch);
}

/* A slab goes to the system, and the cgroup that it is charged to has it no more. */
static void class_leave_home(struct bufpool_slab *slab)
{
	struct bufpool_holding *home = slab->home;

	if (!home)
		return;
	WRITE_ONCE(home->charged_bytes, home->charged_bytes - slab->bytes);
	/* as an atomic operation would be */
	smp_mb();
	bufpool_branch_lost_slab(home->branch);
}

/* A slab that has a home is not idle any more. */
static void class_leave_charged(struct bufpool_slab *slab)
{
	struct bufpool_holding *home = slab->home;

	if (list_empty(&slab->idle_node))
		return;
	list_del_init(&slab->idle_node);
	WRITE_ONCE(home->idle_bytes, home->idle_bytes - slab->bytes);
}

static void class_add_charged(struct bufpool_class *class, struct bufpool_slab *slab)
{
	struct bufpool_holding *home = slab->home;

	list_add(&slab->idle_node, &class->charged);
	WRITE_ONCE(home->idle_bytes, home->idle_bytes + slab->bytes);
}

/* A slab is about to be moved from the list that it is on. */
static inline void class_leave_list(struct bufpool_slab *slab)
{
	if (slab->holding)
		bufpool_holding_leave(slab->holding, slab);
	else if (slab->home)
		class_leave_charged(slab);
}

/* The system could have a slab that is idle. */
static inline void class_count_reclaimable(struct bufpool_slab *slab)
{
	if (unlikely(!slab->reclaimable))
		bufpool_slab_set_reclaimable(slab, true);
}

/*
 * Put a slab that is idle where it is found again. The one that was the next to go out so
 * far counts as reclaimable from now on; the next itself may come and go with each rent.
 */
static inline void class_add_idle(struct bufpool_class *class, struct bufpool_slab *slab)
{
	struct list_head *idle = &class->idle;

	if (slab->home) {
		idle = &slab->home->charged;
		class_add_charged(class, slab);
	}
	if (!list_empty(idle))
		class_count_reclaimable(list_first_entry(idle, struct bufpool_slab, node));
	if (bufpool_slab_is_small(slab))
		list_move_tail(&slab->node, idle);
	else
		list_move(&slab->node, idle);
}

/* A wholly free slab is no part of the reserve any more, if without it there is enough. */
static void class_unreserve(struct bufpool_class *class, struct bufpool_slab *slab)
{
	if (!slab->reserved ||
	    class->reserved_bytes - slab->bytes < class->reserve_wanted)
		return;
	class_set_idle(class, slab, false);
	WRITE_ONCE(class->reserved_bytes, class->reserved_bytes - slab->bytes);
	slab->reserved = false;
}

/* Put a slab, all of whose blocks are free, where it belongs. */
static void class_sort_free(struct bufpool_class *class, struct bufpool_slab *slab)
{
	class_leave_list(slab);
	class_disown(class, slab);
	class_unreserve(class, slab);
	class_set_idle(class, slab, true);
	if (unlikely(slab->draining))
		list_move(&slab->node, &class->draining);
	else if (unlikely(slab->reserved))
		list_move(&slab->node, &class->reserve);
	else
		class_add_idle(class, slab);
}

/* The same of one with a block that is out. */
static void class_sort_used(struct bufpool_class *class, struct bufpool_slab *slab)
{
	class_leave_list(slab);
	class_set_idle(class, slab, false);
	if (slab->draining)
		list_move(&slab->node, &class->draining);
	else if (slab->holding)
		bufpool_holding_move(slab->holding, slab);
	else
		list_move(&slab->node, &class->scrubbed);
}

/* Put a slab where its number of free blocks says. */
void bufpool_class_sort_slab(struct bufpool_class *class,
			     struct bufpool_slab *slab)
{
	if (slab->nr_free == slab->nr_blks)
		class_sort_free(class, slab);
	else
		class_sort_used(class, slab);
}

/* A block was popped from a slab. */
static __always_inline void class_count_out(struct bufpool_class *class,
					    struct bufpool_slab *slab)
{
	struct bufpool_holding *holding = slab->holding;

	class_add_out(class, holding, 1);
	if (holding && slab->idle) {
		/* in short, as it is on no list of the holding's yet */
		class_set_idle(class, slab, false);
		bufpool_holding_move(holding, slab);
	} else if (is_power_of_2(slab->nr_free + 1)) {
		class_sort_used(class, slab);
	}
}

/**
 * bufpool_class_add - let a new slab be a holding's
 * @class: whose; its lock is held
 * @slab: all its blocks are out, and the account has been charged for it
 * @holding: which; or NULL: it is set aside, for the reserve
 *
 * It is on no list yet: bufpool_class_put_rest() is due.
 */
void bufpool_class_add(struct bufpool_class *class, struct bufpool_slab *slab,
		       struct bufpool_holding *holding)
{
	bufpool_pool_note_used(class->pool, class->nr);
	class->nr_slabs++;
	class->nr_blks += slab->nr_blks;
	class->unowned_bytes += slab->bytes;
	if (slab->home)
		WRITE_ONCE(holding->charged_bytes, holding->charged_bytes + slab->bytes);
	if (holding) {
		class_give(class, slab, holding);
	} else {
		slab->reserved = true;
		WRITE_ONCE(class->reserved_bytes, class->reserved_bytes + slab->bytes);
	}
	class_add_out(class, holding, slab->nr_blks);
}

/* Make the blocks of a new slab free from one on; those before are out. */
void bufpool_class_put_rest(struct bufpool_class *class, struct bufpool_slab *slab,
			    unsigned int first)
{
	unsigned int nr = slab->nr_blks;

	class_add_out(class, slab->holding, -(int)(nr - first));
	/* the last is popped first, and low offsets are to go out first */
	while (nr-- > first)
		bufpool_slab_push(slab, &slab->blks[nr]);
	bufpool_class_sort_slab(class, slab);
}

/* Let a slab that is nobody's be a holding's. Return: whether the quota admits it. */
static __always_inline bool class_claim(struct bufpool_class *class,
					struct bufpool_slab *slab,
					struct bufpool_holding *holding,
					unsigned long quota)
{
	if (!bufpool_budget_charge(&holding->account->pinned, slab->bytes, quota))
		return false;
	if (slab->home)
		class_leave_charged(slab);
	class_give(class, slab, holding);
	/* an idle one is moved with the block that goes out; of others the scrubber has one */
	if (!slab->idle) {
		WRITE_ONCE(holding->nr_out,
			   holding->nr_out + slab->nr_blks - slab->nr_free);
		bufpool_holding_move(holding, slab);
	}
	return true;
}

/* A slab that is nobody's, though the background has a block of it, or NULL. */
static struct bufpool_slab *class_claim_scrubbed(struct bufpool_class *class,
						 struct bufpool_holding *holding,
						 unsigned long quota)
{
	/* one block is zeroed at a time */
	struct bufpool_slab *slab = list_first_entry_or_null(&class->scrubbed,
							     struct bufpool_slab, node);

	if (slab && slab->nr_free && !slab->reserved &&
	    slab->home == (holding->branch->is_charged ? holding : NULL) &&
	    class_claim(class, slab, holding, quota))
		return slab;
	return NULL;
}

/*
 * A slab with a free block that becomes the holding's, or NULL. Where the quota does
 * not admit a whole one, a small one may do.
 */
static __always_inline struct bufpool_slab *class_claim_any(struct bufpool_class *class,
							    struct bufpool_holding *holding,
							    unsigned long quota)
{
	struct bufpool_slab *slab;

	if (list_empty(holding->idle))
		return class_claim_scrubbed(class, holding, quota);
	slab = list_first_entry(holding->idle, struct bufpool_slab, node);
	if (class_claim(class, slab, holding, quota))
		return slab;
	slab = list_last_entry(holding->idle, struct bufpool_slab, node);
	if (bufpool_slab_is_small(slab) && class_claim(class, slab, holding, quota))
		return slab;
	return NULL;
}

/* The same of the reserve. */
static struct bufpool_slab *class_claim_reserved(struct bufpool_class *class,
						 struct bufpool_holding *holding,
						 unsigned long quota)
{
	struct bufpool_slab *slab;

	slab = list_first_entry_or_null(&class->reserve, struct bufpool_slab, node);
	return slab && class_claim(class, slab, holding, quota) ? slab : NULL;
}

static __always_inline struct bufpool_blk *class_take(struct bufpool_class *class,
						      struct bufpool_holding *holding,
						      unsigned long quota, bool reserve)
{
	struct bufpool_slab *slab;
	struct bufpool_blk *blk;

	lockdep_assert_held(&class->lock);
	if (bufpool_pool_missing(class->pool, 0))
		return NULL;
	/* what is free in slabs of its own is charged already; it may have come back from others */
	if (unlikely(bufpool_budget_used(&holding->account->pinned) > quota))
		return NULL;
	slab = bufpool_holding_fullest(holding) ?: class_claim_any(class, holding, quota);
	if (!slab && reserve)
		slab = class_claim_reserved(class, holding, quota);
	if (!slab)
		return NULL;
	blk = bufpool_slab_pop(slab);
	class_count_out(class, slab);
	return blk;
}

/**
 * bufpool_class_take - take a free block, for a waiter
 * @class: whose; its lock is held
 * @holding: whose it becomes
 * @quota: bytes that the account may hold
 *
 * Return: the block, which the caller owns, maybe dirty, and maybe of the reserve; or NULL
 * if none is free for that holding, or the pool is over its limit.
 */
struct bufpool_blk *bufpool_class_take(struct bufpool_class *class,
				       struct bufpool_holding *holding,
				       unsigned long quota)
{
	return class_take(class, holding, quota, true);
}

/*
 * bufpool_class_take() for a newcomer: no waiter is about to have it, and it is not of the
 * reserve; only of its @own slabs.
 */
struct bufpool_blk *bufpool_class_take_new(struct bufpool_class *class,
					   struct bufpool_holding *holding,
					   unsigned long quota, bool own)
{
	/* what comes back to the account is for its waiters, and slabs are for all */
	if (holding->nr_waiting ||
	    (!holding->filled && (own || bufpool_class_has_waiters(class) ||
				  bufpool_pool_is_for_others(class, holding->account))))
		return NULL;
	return class_take(class, holding, quota, false);
}

/* The same for one that finds nothing else: a block of the reserve. */
struct bufpool_blk *bufpool_class_take_reserved(struct bufpool_class *class,
						struct bufpool_holding *holding,
						unsigned long quota)
{
	return bufpool_class_has_waiters(class) ? NULL :
	       class_take(class, holding, quota, true);
}

/**
 * bufpool_class_take_dirty - take a dirty free block, to scrub it
 * @class: whose
 *
 * Return: the block, which the caller owns; it counts as free until it is put back.
 * Or NULL.
 */
struct bufpool_blk *bufpool_class_take_dirty(struct bufpool_class *class)
{
	struct bufpool_blk *blk = NULL;
	struct bufpool_slab *slab;

	spin_lock(&class->lock);
	slab = list_first_entry_or_null(&class->dirty, struct bufpool_slab,
					dirty_node);
	if (slab) {
		blk = bufpool_slab_pop_dirty(slab);
		class_count_out(class, slab);
		blk->scrubbing = true;
		class->nr_scrubbing++;
	}
	spin_unlock(&class->lock);
	return blk;
}

static bool class_has_free_for(struct bufpool_class *class,
			       const struct bufpool_holding *holding, bool *claims)
{
	if (holding->nr_waiting)
		return false;
	if (holding->filled)
		return true;
	*claims = true;
	if (bufpool_class_has_waiters(class))
		return false;
	return !list_empty(&class->reserve) ||
	       (!list_empty(holding->idle) &&
		!bufpool_pool_is_for_others(class, holding->account));
}

/*
 * Whether a rent for a holding would find a free block here, and whether it claims a slab
 * for that, which the quota has to admit; NULL is for any.
 */
bool bufpool_class_has_free(struct bufpool_class *class,
			    const struct bufpool_holding *holding, bool *claims)
{
	bool ret;

	*claims = false;
	spin_lock(&class->lock);
	ret = holding ? class_has_free_for(class, holding, claims) :
			class->nr_out != class->nr_blks;
	spin_unlock(&class->lock);
	return ret;
}

/* Take a slab out of the class. */
static void class_unlink(struct bufpool_class *class, struct bufpool_slab *slab)
{
	lockdep_assert_held(&class->lock);
	class_leave_list(slab);
	list_del_init(&slab->node);
	class_disown(class, slab);
	class->unowned_bytes -= slab->bytes;
	if (slab->draining)
		WRITE_ONCE(class->draining_bytes, class->draining_bytes - slab->bytes);
	list_del_init(&slab->dirty_node);
	class_set_idle(class, slab, false);
	class->nr_slabs--;
	class->nr_blks -= slab->nr_blks;
	class_leave_home(slab);
}

/* The idle slab that can best be missed, or NULL. Those that are for one branch come first. */
static struct bufpool_slab *class_last_idle(struct bufpool_class *class)
{
	if (!list_empty(&class->charged))
		return list_last_entry(&class->charged, struct bufpool_slab, idle_node);
	if (!list_empty(&class->idle))
		return list_last_entry(&class->idle, struct bufpool_slab, node);
	return NULL;
}

/**
 * bufpool_class_unlink_idle - take the idle slab that can best be missed out of a class
 * @class: which
 * @home: only one that is charged for this holding; or NULL: any
 *
 * Return: the slab, which the caller owns, or NULL.
 */
struct bufpool_slab *bufpool_class_unlink_idle(struct bufpool_class *class,
					       struct bufpool_holding *home)
{
	struct bufpool_slab *slab = NULL;

	spin_lock(&class->lock);
	if (!home)
		slab = class_last_idle(class);
	else if (!list_empty(&home->charged))
		slab = list_last_entry(&home->charged, struct bufpool_slab, node);
	if (slab)
		class_unlink(class, slab);
	spin_unlock(&class->lock);
	return slab;
}

/* Whether a wholly free slab is kept: also for a waiter, which gets it next. */
static bool class_wants(struct bufpool_slab *slab)
{
	const struct bufpool_class *class = slab->class;

	if (slab->reserved)
		return true;
	if (slab->home && READ_ONCE(slab->home->branch->orphan))
		return false;
	return (class->pooled || bufpool_class_has_waiters(class)) && !slab->draining &&
	       !bufpool_pool_missing(class->pool, 0);
}

/* Make a block free. Return: its slab, if that is to be given back. */
struct bufpool_slab *bufpool_class_put_free(struct bufpool_class *class,
					    struct bufpool_blk *blk)
{
	struct bufpool_slab *slab = bufpool_blk_slab(blk);

	lockdep_assert_held(&class->lock);
	bufpool_slab_push(slab, blk);
	class_add_out(class, slab->holding, -1);
	if (slab->nr_free != slab->nr_blks) {
		if (is_power_of_2(slab->nr_free))
			class_sort_used(class, slab);
		return NULL;
	}
	if (class_wants(slab)) {
		class_sort_free(class, slab);
		return NULL;
	}
	class_unlink(class, slab);
	return slab;
}

/* A slab of the reserve that can be missed becomes an idle one. Return: whether one did. */
static bool class_release_reserved(struct bufpool_class *class)
{
	struct bufpool_slab *slab;
	bool released = false;

	spin_lock(&class->lock);
	slab = list_first_entry_or_null(&class->reserve, struct bufpool_slab, node);
	if (slab) {
		bufpool_class_sort_slab(class, slab);
		released = !slab->reserved;
	}
	spin_unlock(&class->lock);
	return released;
}

/**
 * bufpool_class_want_reserve - say how much is to be set aside at least
 * @class: of this class
 * @bytes: where it is less than before, slabs that are in use leave the reserve when they
 *	come back
 *
 * May sleep.
 */
void bufpool_class_want_reserve(struct bufpool_class *class, size_t bytes)
{
	spin_lock(&class->lock);
	class->reserve_wanted = bytes;
	spin_unlock(&class->lock);
	while (class_release_reserved(class))
		cond_resched();
}

/**
 * bufpool_class_spare - how much idle memory was not needed lately
 * @class: whose
 *
 * Return: the fewest bytes in idle slabs that there were since the last call.
 */
unsigned long bufpool_class_spare(struct bufpool_class *class)
{
	unsigned long least;

	spin_lock(&class->lock);
	least = class->least_idle;
	class->least_idle = class->idle_bytes;
	spin_unlock(&class->lock);
	return least;
}

static void class_drain_list(struct bufpool_class *class, struct list_head *slabs,
			     size_t *bytes, unsigned int *left)
{
	struct bufpool_slab *slab, *next;

	lockdep_assert_held(&class->lock);
	list_for_each_entry_safe(slab, next, slabs, node) {
		/* the system would not get what is reserved, which comes last */
		if (!*bytes || !*left || slab->reserved)
			break;
		--*left;
		WRITE_ONCE(slab->draining, true);
		WRITE_ONCE(class->draining_bytes, class->draining_bytes + slab->bytes);
		atomic_long_add(slab->bytes, &slab->holding->account->draining);
		bufpool_class_sort_slab(class, slab);
		*bytes -= min(*bytes, slab->bytes);
	}
}

/**
 * bufpool_class_start_draining - reuse no more blocks of some slabs
 * @class: whose
 * @holding: whose they are
 * @bytes: of slabs of so many bytes
 * @fullest: those first that have the most blocks out, not the fewest
 * @left: (in/out) no more than so many slabs
 *
 * When all its blocks are free such a slab goes to the system. That makes room
 * for a waiter for a larger size, which many small rents would keep waiting
 * otherwise.
 *
 * Return: how many bytes are missing still.
 */
size_t bufpool_class_start_draining(struct bufpool_class *class,
				    struct bufpool_holding *holding, size_t bytes,
				    bool fullest, unsigned int *left)
{
	unsigned int nr;

	spin_lock(&class->lock);
	if (fullest)
		class_drain_list(class, &holding->full, &bytes, left);
	for (nr = BUFPOOL_FULLNESS; nr--;)
		class_drain_list(class, &holding->partial[nr], &bytes, left);
	class_drain_list(class, &holding->full, &bytes, left);
	spin_unlock(&class->lock);
	return bytes;
}

/* Undo bufpool_class_start_draining(), for as many slabs. */
void bufpool_class_stop_draining(struct bufpool_class *class, unsigned int *left)
{
	struct bufpool_slab *slab, *next;

	spin_lock(&class->lock);
	list_for_each_entry_safe(slab, next, &class->draining, node) {
		if (!*left)
			break;
		--*left;
		WRITE_ONCE(slab->draining, false);
		WRITE_ONCE(class->draining_bytes, class->draining_bytes - slab->bytes);
		if (slab->holding)
			atomic_long_sub(slab->bytes, &slab->holding->account->draining);
		bufpool_class_sort_slab(class, slab);
	}
	spin_unlock(&class->lock);
}

/**
 * bufpool_class_next_draining - the draining slab that was looked at longest ago
 * @class: whose
 * @kept: (out) a stack that its blocks may be kept in, the one that was looked at longest
 *	ago, with a reference to its client; or NULL
 *
 * Return: the slab, as long as RCU holds it, or NULL.
 */
struct bufpool_slab *bufpool_class_next_draining(struct bufpool_class *class,
						 struct bufpool_kept **kept)
{
	struct bufpool_slab *slab;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "slab without RCU");
	*kept = NULL;
	spin_lock(&class->lock);
	slab = list_first_entry_or_null(&class->draining, struct bufpool_slab, node);
	if (slab) {
		list_move_tail(&slab->node, &class->draining);
		if (slab->holding)
			*kept = bufpool_kept_next(&slab->holding->kept);
	}
	spin_unlock(&class->lock);
	return slab;
}

/* What a class has, at one instant. */
void bufpool_class_stats(struct bufpool_class *class,
			 struct bufpool_class_stats *stats)
{
	spin_lock(&class->lock);
	stats->slabs = class->nr_slabs;
	stats->idle_slabs = class->nr_idle;
	/* what is being zeroed is free all the same */
	stats->out = class->nr_out - class->nr_scrubbing;
	stats->free = class->nr_blks - stats->out;
	stats->waiting = class->nr_waiting;
	stats->reserve = class->reserved_bytes;
	spin_unlock(&class->lock);
}

/* Fill in what BUFPOOL_IOC_CLASS says. */
void bufpool_class_info(const struct bufpool_class *class,
			struct bufpool_class_info *info)
{
	info->backing = class->backing->nr;
	info->block_size = bufpool_class_block_size(class);
	info->offset = (u64)class->nr << BUFPOOL_SPAN_SHIFT;
	info->span = BUFPOOL_SPAN;
	info->properties = class->pooled ? BUFPOOL_CLASS_POOLED : 0;
}
