// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quarantine: a block that its client has given up, or lost, while something outside the
 * pool still reaches its memory, is nobody's until that has ended.
 *
 * That is a reference to one of its pages, which a program had the kernel take by
 * get_user_pages() while it rented the block (a read or write of a file under way, a pipe,
 * a socket's queue, a registered buffer), or a dma-buf. No new one can come about: the
 * block is in no page table, and only a client exports what it rents. get_user_pages_fast()
 * may have read an entry that is gone, and take a reference; but it looks at the entry
 * again, and lets go. To a look that may be one too many, for a moment.
 *
 * The block counts as out, so its user stays charged for it. When a dma-buf ends the
 * driver core says so. Nothing tells when a reference ends: so blocks are looked at by a
 * worker, less and less often where nothing changes, and when a renter finds nothing: of all
 * accounts in turn, so nobody's wait for the many that another has there.
 *
 * Nothing depends on these looks but when the block is free: pages that somebody has a
 * reference to the system gives to nobody else, whatever the pool does with its own.
 *
 * A block with a page that the system has found to be broken is quarantined, too, whoever
 * could reach it: to zero it may stop the kernel, and whoever rents it is killed where it
 * touches that. It stays until the module is unloaded; then the system lays the page aside.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include "bufpool.h"
#include "trace.h"

/* The worker's first look at a block, and how rarely it looks at the most. */
#define WAIT_MIN	msecs_to_jiffies(10)
#define WAIT_MAX	msecs_to_jiffies(1000)

/* How many blocks the worker looks at in one go, and a renter of its own and of others. */
#define WORK_LOOKS	1024
#define RENTER_LOOKS	8

void bufpool_quarantine_init(struct bufpool_quarantine *quarantine)
{
	spin_lock_init(&quarantine->lock);
	INIT_LIST_HEAD(&quarantine->accounts);
	INIT_LIST_HEAD(&quarantine->exported);
	quarantine->next = jiffies;
	quarantine->wait = WAIT_MIN;
	INIT_DELAYED_WORK(&quarantine->work, bufpool_quarantine_work);
}

static struct bufpool_quarantine *quarantine_of(struct bufpool_blk *blk)
{
	return &bufpool_blk_class(blk)->pool->quarantine;
}

static void quarantine_count(struct bufpool_blk *blk, long bytes)
{
	atomic_long_add(bytes, &quarantine_of(blk)->bytes);
	atomic_long_add(bytes, &bufpool_charge_account(blk)->quarantined);
}

/* Have the worker look soon. A look that is due sooner stays so. */
static void quarantine_hurry(struct bufpool_pool *pool)
{
	struct bufpool_quarantine *quarantine = &pool->quarantine;
	unsigned long soon = jiffies + WAIT_MIN;

	lockdep_assert_held(&quarantine->lock);
	quarantine->wait = WAIT_MIN;
	if (time_before(soon, quarantine->next) ||
	    !delayed_work_pending(&quarantine->work)) {
		quarantine->next = soon;
		mod_delayed_work(pool->wq, &quarantine->work, WAIT_MIN);
	}
}

/* Put a block where it is looked at, behind those of its account, and that one behind all. */
static void quarantine_add_referenced(struct bufpool_blk *blk)
{
	struct bufpool_quarantine *quarantine = quarantine_of(blk);
	struct bufpool_account *account = bufpool_charge_account(blk);

	lockdep_assert_held(&quarantine->lock);
	if (list_empty(&account->referenced))
		list_add_tail(&account->quarantine_node, &quarantine->accounts);
	list_add_tail(&blk->node, &account->referenced);
	bufpool_blk_set_state(blk, BUFPOOL_BLK_QUARANTINED);
}

/* Take out the block of an account that was looked at longest ago. */
static struct bufpool_blk *quarantine_take(struct bufpool_account *account)
{
	struct bufpool_quarantine *quarantine = &account->pool->quarantine;
	struct bufpool_blk *blk = list_first_entry(&account->referenced, struct bufpool_blk, node);

	lockdep_assert_held(&quarantine->lock);
	list_del_init(&blk->node);
	if (list_empty(&account->referenced))
		list_del_init(&account->quarantine_node);
	else
		list_move_tail(&account->quarantine_node, &quarantine->accounts);
	bufpool_blk_set_state(blk, BUFPOOL_BLK_TRANSIT);
	return blk;
}

static bool quarantine_has_refs(struct bufpool_blk *blk)
{
	struct bufpool_slab *slab = bufpool_blk_slab(blk);

	return slab->class->backing->is_referenced(slab);
}

/* Whether something that nobody tells the end of keeps a block from others. */
static bool quarantine_is_referenced(struct bufpool_blk *blk)
{
	return quarantine_has_refs(blk) || bufpool_blk_is_poisoned(blk);
}

/* For bufpool_quarantine_admit(). */
bool bufpool_quarantine_admit_slow(struct bufpool_blk *blk)
{
	bool referenced = quarantine_is_referenced(blk), admitted = true;
	struct bufpool_quarantine *quarantine = quarantine_of(blk);

	/* as there */
	if (!referenced && !smp_load_acquire(&blk->exports))
		return false;
	/* before anybody can take it out again */
	quarantine_count(blk, bufpool_blk_size(blk));
	trace_bufpool_quarantine(blk);
	spin_lock(&quarantine->lock);
	if (blk->exports) {
		list_add_tail(&blk->node, &quarantine->exported);
		bufpool_blk_set_state(blk, BUFPOOL_BLK_QUARANTINED);
	} else if (referenced) {
		quarantine_add_referenced(blk);
		WRITE_ONCE(quarantine->nr_referenced, quarantine->nr_referenced + 1);
		quarantine_hurry(bufpool_blk_class(blk)->pool);
	} else {
		admitted = false;
	}
	spin_unlock(&quarantine->lock);
	if (!admitted)
		quarantine_count(blk, -(long)bufpool_blk_size(blk));
	return admitted;
}

/*
 * A block that is being looked at goes back to its class, unless something still reaches it; or
 * it is to be zeroed first, and that is not for the caller to do.
 */
static bool quarantine_release(struct bufpool_blk *blk, bool may_zero)
{
	bool referenced = quarantine_is_referenced(blk) || (blk->clear && !may_zero);
	struct bufpool_quarantine *quarantine = quarantine_of(blk);

	spin_lock(&quarantine->lock);
	if (referenced)
		quarantine_add_referenced(blk);
	else
		WRITE_ONCE(quarantine->nr_referenced, quarantine->nr_referenced - 1);
	spin_unlock(&quarantine->lock);
	if (referenced)
		return false;
	if (blk->clear)
		bufpool_blk_clear(blk);
	quarantine_count(blk, -(long)bufpool_blk_size(blk));
	trace_bufpool_release(blk);
	bufpool_supply_put(blk);
	return true;
}

/* Take out the next block, of an account or, with NULL, of all in turn; or NULL. */
static struct bufpool_blk *quarantine_take_next(struct bufpool_pool *pool,
						struct bufpool_account *account)
{
	struct bufpool_quarantine *quarantine = &pool->quarantine;
	struct bufpool_blk *blk = NULL;

	spin_lock(&quarantine->lock);
	if (!account)
		account = list_first_entry_or_null(&quarantine->accounts, struct bufpool_account,
						   quarantine_node);
	if (account && !list_empty(&account->referenced))
		blk = quarantine_take(account);
	spin_unlock(&quarantine->lock);
	return blk;
}

/*
 * See whether blocks, @most of them, are reached by nothing any more; each once, if nobody
 * else looks. Only with @may_zero those that are to be zeroed by that.
 * Return: whether any has gone back to its class.
 */
static bool quarantine_look(struct bufpool_pool *pool, struct bufpool_account *account,
			    unsigned int most, bool may_zero)
{
	unsigned int looks = min(READ_ONCE(pool->quarantine.nr_referenced), most);
	struct bufpool_blk *blk;
	bool any = false;

	while (looks-- && (blk = quarantine_take_next(pool, account))) {
		any |= quarantine_release(blk, may_zero);
		cond_resched();
	}
	return any;
}

/**
 * bufpool_quarantine_look - see whether something has left the quarantine, for a renter
 * @account: that is charged for the rent; its blocks are looked at first
 *
 * Looks at a bounded number. What of others is to be zeroed is left to the worker. May sleep.
 *
 * Return: whether any block has gone back to its class.
 */
bool bufpool_quarantine_look(struct bufpool_account *account)
{
	bool any = quarantine_look(account->pool, account, RENTER_LOOKS, true);

	return quarantine_look(account->pool, NULL, RENTER_LOOKS, false) || any;
}

/* A renter begins to wait: have the worker look soon, and often. */
void bufpool_quarantine_wait(struct bufpool_pool *pool)
{
	struct bufpool_quarantine *quarantine = &pool->quarantine;

	if (!READ_ONCE(quarantine->nr_referenced))
		return;
	spin_lock(&quarantine->lock);
	if (quarantine->nr_referenced)
		quarantine_hurry(pool);
	spin_unlock(&quarantine->lock);
}

/* Look at some, and say when to look again: later where nothing came of it, and nobody waits. */
void bufpool_quarantine_work(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(to_delayed_work(work), struct bufpool_pool, quarantine.work);
	struct bufpool_quarantine *quarantine = &pool->quarantine;
	bool any = quarantine_look(pool, NULL, WORK_LOOKS, true);

	spin_lock(&quarantine->lock);
	if (!any && !bufpool_pool_waiting(pool))
		quarantine->wait = min(2 * quarantine->wait, WAIT_MAX);
	if (quarantine->nr_referenced) {
		quarantine->next = jiffies + quarantine->wait;
		queue_delayed_work(pool->wq, &quarantine->work, quarantine->wait);
	}
	spin_unlock(&quarantine->lock);
}

/**
 * bufpool_quarantine_add_export - a block is about to be exported
 * @blk: the caller holds the lock of the client that rents it
 *
 * Return: 0; or -EBUSY where it is too often.
 */
int bufpool_quarantine_add_export(struct bufpool_blk *blk)
{
	struct bufpool_quarantine *quarantine = quarantine_of(blk);
	int err = 0;

	spin_lock(&quarantine->lock);
	if (blk->exports == BUFPOOL_EXPORTS_MAX)
		err = -EBUSY;
	else
		WRITE_ONCE(blk->exports, blk->exports + 1);
	spin_unlock(&quarantine->lock);
	return err;
}

/* One that was is no more: the block may be free by that. May sleep. */
void bufpool_quarantine_end_export(struct bufpool_blk *blk)
{
	struct bufpool_pool *pool = bufpool_blk_class(blk)->pool;
	struct bufpool_quarantine *quarantine = &pool->quarantine;
	bool is_last;

	spin_lock(&quarantine->lock);
	is_last = blk->exports == 1 && READ_ONCE(blk->state) == BUFPOOL_BLK_QUARANTINED;
	if (is_last) {
		list_del_init(&blk->node);
		bufpool_blk_set_state(blk, BUFPOOL_BLK_TRANSIT);
		WRITE_ONCE(quarantine->nr_referenced, quarantine->nr_referenced + 1);
	}
	/*
	 * The last use of the block, unless it is the caller's now; pairs with
	 * bufpool_quarantine_admit().
	 */
	smp_store_release(&blk->exports, blk->exports - 1);
	spin_unlock(&quarantine->lock);
	if (is_last && !quarantine_release(blk, false))
		bufpool_quarantine_wait(pool);
}

/* Bytes in quarantined blocks. */
u64 bufpool_quarantine_bytes(const struct bufpool_pool *pool)
{
	return max(atomic_long_read(&pool->quarantine.bytes), 0L);
}

/**
 * bufpool_quarantine_end - let go of all blocks of a pool that is being destroyed
 * @pool: has no client any more, and no export: those hold the module
 *
 * Whoever has a reference to their pages has these, and what is in them, for itself.
 */
void bufpool_quarantine_end(struct bufpool_pool *pool)
{
	struct bufpool_quarantine *quarantine = &pool->quarantine;
	struct bufpool_blk *blk;

	cancel_delayed_work_sync(&quarantine->work);
	WARN_ON_ONCE(!list_empty(&quarantine->exported));
	while ((blk = quarantine_take_next(pool, NULL))) {
		quarantine_count(blk, -(long)bufpool_blk_size(blk));
		/* what nothing reaches by now, or is here for a page that is broken */
		if (blk->clear && !quarantine_has_refs(blk))
			bufpool_blk_clear(blk);
		/* nobody rents it again, so nothing is to be zeroed under whoever reads it */
		blk->dirty = false;
		bufpool_supply_put(blk);
		cond_resched();
	}
}
