// SPDX-License-Identifier: GPL-2.0-only
/*
 * Supply: slabs come in from the system and go back to it, and blocks that come back
 * go to a waiter or to the free lists.
 */
#include <linux/jiffies.h>
#include "bufpool.h"

/*
 * Hand a new slab's blocks to waiters of its holding, one to the caller if it wants one,
 * and the rest to the free lists.
 */
static void supply_add(struct bufpool_class *class, struct bufpool_slab *slab,
		       struct bufpool_holding *holding, struct bufpool_blk **keep)
{
	unsigned int i = 0, nr_blks = slab->nr_blks;

	spin_lock(&class->lock);
	bufpool_class_add(class, slab, holding);
	bufpool_waitq_end_turn(class, holding);
	while (i < nr_blks && bufpool_waitq_hand_over_new(class, &slab->blks[i]))
		i++;
	if (keep && i < nr_blks)
		*keep = &slab->blks[i++];
	bufpool_class_put_rest(class, slab, i);
	spin_unlock(&class->lock);

	/* what is not needed here may make room elsewhere, or be rented */
	if (i < nr_blks)
		bufpool_pool_wake_waiters(class->pool);
}

/* What the pool holds has become less: waiters may try again. */
static void supply_uncharge(struct bufpool_pool *pool, size_t bytes)
{
	atomic_long_inc(&pool->uncharges);
	/* pairs with pool_snapshot() */
	smp_mb__after_atomic();
	bufpool_budget_uncharge(&pool->pinned, bytes);
	bufpool_pool_wake_waiters(pool);
}

/* Give an unlinked slab to the system, in part: bufpool_supply_flush() is due. */
static void supply_give_back(struct bufpool_class *class,
			     struct bufpool_slab *slab)
{
	size_t bytes = slab->bytes;

	bufpool_slab_destroy(slab);
	WRITE_ONCE(class->stale, 1);
	supply_uncharge(class->pool, bytes);
}

/**
 * bufpool_supply_flush_class - have the backing keep nothing of what was given back
 * @class: whose
 *
 * May sleep, and wait for all CPUs; not to be called from reclaim.
 */
void bufpool_supply_flush_class(struct bufpool_class *class)
{
	if (!READ_ONCE(class->stale) || !xchg(&class->stale, 0))
		return;
	class->backing->shrink(class);
}

/* Give wholly free slabs to the system, of one holding or, with NULL, of any. */
static size_t supply_drop(struct bufpool_class *class, struct bufpool_holding *home,
			  size_t bytes)
{
	struct bufpool_slab *slab;
	size_t dropped = 0;

	while (dropped < bytes && (slab = bufpool_class_unlink_idle(class, home))) {
		dropped += slab->bytes;
		supply_give_back(class, slab);
		cond_resched();
	}
	return dropped;
}

/**
 * bufpool_supply_drop_class - give wholly free slabs to the system
 * @class: whose
 * @bytes: at least so many, if there are as many
 *
 * bufpool_supply_flush() is due. May sleep.
 *
 * Return: how many bytes.
 */
size_t bufpool_supply_drop_class(struct bufpool_class *class, size_t bytes)
{
	return supply_drop(class, NULL, bytes);
}

/* The same of those that are charged to the cgroup of a branch. */
size_t bufpool_supply_drop_branch(struct bufpool_branch *branch, size_t bytes)
{
	struct bufpool_pool *pool = branch->pool;
	size_t dropped = 0;
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++)
		if (dropped < bytes)
			dropped += supply_drop(&pool->classes[nr], &branch->holdings[nr],
					       bytes - dropped);
	return dropped;
}

/**
 * bufpool_supply_put_branch - let go of a branch
 * @branch: which; the last who does has its idle slabs given to the system
 *
 * May sleep.
 */
void bufpool_supply_put_branch(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;

	if (bufpool_branch_put(branch))
		return;
	do {
		if (branch->is_charged && bufpool_supply_drop_branch(branch, SIZE_MAX))
			bufpool_pool_flush_later(pool);
	} while (!bufpool_branch_put_last(branch));
}

/* Bytes in wholly free slabs. */
size_t bufpool_supply_idle(struct bufpool_pool *pool)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		bytes += READ_ONCE(pool->classes[i].idle_bytes);
	return bytes;
}

/*
 * Bytes in blocks that are neither free nor being scrubbed; @unowned gets those in slabs
 * that no account is charged for.
 */
u64 bufpool_supply_out(struct bufpool_pool *pool, u64 *unowned)
{
	u64 bytes = 0;
	unsigned int i;

	*unowned = 0;
	for (i = 0; i < bufpool_pool_nr_used(pool); i++) {
		struct bufpool_class *class = &pool->classes[i];

		spin_lock(&class->lock);
		bytes += (u64)(class->nr_out - class->nr_scrubbing) <<
			 class->shift;
		*unowned += class->unowned_bytes;
		spin_unlock(&class->lock);
	}
	return bytes;
}

/* Bytes in warm blocks of all clients. */
u64 bufpool_supply_warm(struct bufpool_pool *pool)
{
	s64 bytes = 0;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct bufpool_counters *part = per_cpu_ptr(pool->counters, cpu);

		for (i = 0; i < bufpool_pool_nr_used(pool); i++)
			bytes += READ_ONCE(part->warm[i]) << pool->classes[i].shift;
	}
	/* the parts are not read at one instant */
	return max_t(s64, bytes, 0);
}

/* Bytes in wholly free slabs that are set aside. */
static u64 supply_reserve(struct bufpool_pool *pool)
{
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		bytes += READ_ONCE(pool->classes[i].reserve_bytes);
	return bytes;
}

/* Bytes that are not rented; at the most so many can become idle slabs. */
size_t bufpool_supply_unused(struct bufpool_pool *pool)
{
	u64 pinned = bufpool_budget_used(&pool->pinned), unowned;
	u64 used = bufpool_supply_out(pool, &unowned) + supply_reserve(pool);

	used -= min_t(u64, bufpool_supply_warm(pool) + bufpool_kept_of_pool(pool), used);
	return pinned > used ? pinned - used : 0;
}

/**
 * bufpool_supply_drop - give wholly free slabs to the system
 * @pool: whose
 * @bytes: at least so many, if there are as many
 *
 * bufpool_supply_flush() is due.
 *
 * Return: how many bytes.
 */
size_t bufpool_supply_drop(struct bufpool_pool *pool, size_t bytes)
{
	size_t dropped = 0;
	unsigned int i;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		if (dropped < bytes)
			dropped += bufpool_supply_drop_class(&pool->classes[i],
							     bytes - dropped);
	return dropped;
}

/* bufpool_supply_flush_class() for every class. */
void bufpool_supply_flush(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		bufpool_supply_flush_class(&pool->classes[i]);
}

/**
 * bufpool_supply_drop_idle - give wholly free slabs to the system
 * @pool: whose
 * @bytes: so many, or none at all if there are not as many
 *
 * May sleep.
 *
 * Return: whether it did.
 */
bool bufpool_supply_drop_idle(struct bufpool_pool *pool, size_t bytes)
{
	size_t dropped;

	if (bufpool_supply_idle(pool) < bytes)
		return false;
	dropped = bufpool_supply_drop(pool, bytes);
	bufpool_pool_flush_later(pool);
	return dropped >= bytes;
}

/* How often a task makes room for a slab that others take, before it gives up. */
#define CHARGE_TRIES	8

/* Charge bytes to the pool; where it is full, wholly free slabs give way. */
static int supply_charge_pool(struct bufpool_class *class, size_t bytes)
{
	struct bufpool_pool *pool = class->pool;
	unsigned int tries = CHARGE_TRIES;

	for (;;) {
		unsigned long limit = READ_ONCE(pool->config.limit);

		if (bufpool_budget_charge(&pool->pinned, bytes, limit))
			return 0;
		if (class->slab_size > limit)
			return -EDQUOT;
		if (!tries-- ||
		    !bufpool_supply_drop_idle(pool, bufpool_pool_missing(pool, bytes)))
			return -EAGAIN;
	}
}

/* Whether a quota admits so much more just now. Says in the trace that it does not. */
static bool supply_is_within_quota(struct bufpool_account *account, unsigned long quota,
				   size_t bytes)
{
	unsigned long pinned = bufpool_budget_used(&account->pinned);

	return (bytes <= quota && pinned <= quota - bytes) ||
	       bufpool_budget_refuse(&account->pinned, bytes, pinned, quota);
}

/* Whether the account's quota admits the smallest slab of the class. */
bool bufpool_supply_may_grow(struct bufpool_class *class, struct bufpool_account *account,
			     unsigned long quota)
{
	return supply_is_within_quota(account, quota, bufpool_class_least_slab(class));
}

/* Charge bytes to the pool and to an account, if that one's quota admits them. */
static int supply_charge(struct bufpool_class *class, struct bufpool_account *account,
			 unsigned long quota, size_t bytes)
{
	int err;

	if (!supply_is_within_quota(account, quota, bytes))
		return -EDQUOT;
	err = supply_charge_pool(class, bytes);
	if (err || bufpool_budget_charge(&account->pinned, bytes, quota))
		return err;
	supply_uncharge(class->pool, bytes);
	return -EDQUOT;
}

static void supply_uncharge_both(struct bufpool_class *class,
				 struct bufpool_account *account, size_t bytes)
{
	bufpool_budget_uncharge(&account->pinned, bytes);
	supply_uncharge(class->pool, bytes);
}

/*
 * Where there was no contiguous memory a moment ago only small slabs are made: each
 * try of a whole one costs the system a lot.
 */
static bool supply_makes_small(const struct bufpool_class *class)
{
	return class->small && time_before(jiffies, READ_ONCE(class->small_until));
}

/* Make a slab of so many bytes, which are charged, or else a small one. */
static struct bufpool_slab *supply_create(struct bufpool_class *class,
					  struct bufpool_holding *holding, size_t bytes)
{
	struct bufpool_holding *home = holding->branch->is_charged ? holding : NULL;
	struct bufpool_slab *slab = bufpool_slab_create(class, home, bytes >> class->shift);

	if (!IS_ERR(slab) || !class->small || bytes != class->slab_size)
		return slab;
	if (PTR_ERR(slab) != -ENOSPC)
		WRITE_ONCE(class->small_until, jiffies + HZ / 10);
	slab = bufpool_slab_create(class, home, 1);
	if (!IS_ERR(slab))
		supply_uncharge_both(class, holding->account, bytes - slab->bytes);
	return slab;
}

/**
 * bufpool_supply_grow - add a slab
 * @class: whose
 * @holding: whose it becomes; the caller has a reference to its branch
 * @quota: bytes that the account may hold
 * @keep: gets a block, for the caller to own, if the holding's waiters leave one; or NULL
 *
 * Where the pool is at its limit, or the system without memory, wholly free
 * slabs of other classes give way. Memory is had and zeroed without a lock, so
 * several tasks may do so at once. May sleep.
 *
 * Return: 0; -EAGAIN where the limit forbids it now, -EDQUOT where it always
 * does, or the quota does, -ENOSPC where the memory cgroup is full, -ENOMEM.
 */
int bufpool_supply_grow(struct bufpool_class *class, struct bufpool_holding *holding,
			unsigned long quota, struct bufpool_blk **keep)
{
	struct bufpool_account *account = holding->account;
	size_t least = bufpool_class_least_slab(class);
	size_t bytes = supply_makes_small(class) ? least : class->slab_size;
	struct bufpool_pool *pool = class->pool;
	struct bufpool_slab *slab;
	int err = supply_charge(class, account, quota, bytes);

	/* what is left of the limit, or of the quota, is as good */
	if (err && bytes != least) {
		bytes = least;
		err = supply_charge(class, account, quota, bytes);
	}
	if (err)
		return err;
	slab = supply_create(class, holding, bytes);
	if (slab == ERR_PTR(-ENOMEM) && bufpool_supply_drop_idle(pool, bytes))
		slab = supply_create(class, holding, bytes);
	if (IS_ERR(slab)) {
		supply_uncharge_both(class, account, bytes);
		return PTR_ERR(slab);
	}
	supply_add(class, slab, holding, keep);
	return 0;
}

static int supply_set_aside(struct bufpool_class *class, unsigned int nr_blks)
{
	size_t bytes = (size_t)nr_blks << class->shift;
	int err = supply_charge_pool(class, bytes);
	struct bufpool_slab *slab;

	if (err)
		return err;
	slab = bufpool_slab_create(class, NULL, nr_blks);
	if (IS_ERR(slab)) {
		supply_uncharge(class->pool, bytes);
		return PTR_ERR(slab);
	}
	spin_lock(&class->lock);
	bufpool_class_add(class, slab, NULL);
	bufpool_class_put_rest(class, slab, 0);
	bufpool_waitq_serve(class);
	spin_unlock(&class->lock);
	return 0;
}

/**
 * bufpool_supply_set_aside - add a slab to the reserve
 * @class: of this class
 *
 * May sleep.
 *
 * Return: 0; -EAGAIN where the limit forbids it now, -EDQUOT where it always does, -ENOMEM.
 */
int bufpool_supply_set_aside(struct bufpool_class *class)
{
	int err = supply_set_aside(class, class->per_slab);

	return err && class->small ? supply_set_aside(class, 1) : err;
}

/**
 * bufpool_supply_put_begin - let a block go back to its class
 * @put: says what is left to be done; bufpool_supply_put_end() is due
 * @blk: the caller owns it, and nothing can reach its memory
 * @keep: gets it, if no waiter does; or NULL
 *
 * It goes to the first waiter of its holding, else to the caller, who rents for that, or to
 * the free list. A slab that is wholly free by that is for any waiter.
 */
void bufpool_supply_put_begin(struct bufpool_put *put, struct bufpool_blk *blk,
			      struct bufpool_blk **keep)
{
	struct bufpool_slab *slab = bufpool_blk_slab(blk);
	struct bufpool_class *class = slab->class;

	*put = (struct bufpool_put){
		.class = class,
		.dirty = blk->dirty,
		.settled = blk->payer,
	};
	bufpool_charge_settle(blk);
	spin_lock(&class->lock);
	if (unlikely(blk->scrubbing)) {
		class->nr_scrubbing--;
		blk->scrubbing = false;
	}
	if (slab->draining || bufpool_pool_missing(class->pool, 0)) {
		put->unwanted = bufpool_class_put_free(class, blk);
	} else if (!bufpool_class_has_waiters(class) ||
		   !bufpool_waitq_hand_over(class, blk)) {
		if (keep)
			*keep = blk;
		else
			put->unwanted = bufpool_class_put_free(class, blk);
		put->is_free = !keep;
	}
	if (slab->idle && bufpool_class_has_waiters(class))
		bufpool_waitq_serve(class);
	spin_unlock(&class->lock);
}

/* A slab that is not to be kept goes to the system, and waiters are told. May sleep. */
void bufpool_supply_put_end(const struct bufpool_put *put)
{
	struct bufpool_pool *pool = put->class->pool;

	if (put->unwanted) {
		supply_give_back(put->class, put->unwanted);
		bufpool_pool_flush_later(pool);
	} else if (put->is_free) {
		bufpool_pool_wake_waiters(pool);
		if (put->dirty)
			bufpool_pool_scrub_later(pool);
	}
	if (unlikely(put->settled))
		bufpool_pool_wake_waiters(pool);
}

/* Both steps. May sleep. */
void bufpool_supply_put_or_take(struct bufpool_blk *blk,
				struct bufpool_blk **keep)
{
	struct bufpool_put put;

	bufpool_supply_put_begin(&put, blk, keep);
	bufpool_supply_put_end(&put);
}

/* Let a block go back to its class. May sleep. */
void bufpool_supply_put(struct bufpool_blk *blk)
{
	bufpool_supply_put_or_take(blk, NULL);
}

/* The same of a list of blocks, which are on none after that. */
void bufpool_supply_put_all(struct list_head *batch)
{
	struct bufpool_blk *blk, *next;

	list_for_each_entry_safe(blk, next, batch, node) {
		list_del_init(&blk->node);
		bufpool_supply_put(blk);
	}
}

/**
 * bufpool_supply_drain_class - give every slab to the system
 * @class: no block is out; may be half made, or zero
 */
void bufpool_supply_drain_class(struct bufpool_class *class)
{
	if (!class->pool)
		return;
	bufpool_class_want_reserve(class, 0);
	bufpool_supply_drop_class(class, SIZE_MAX);
}

/*
 * How many slabs begin, or end, to be drained in one step, under the locks. How many there are
 * others decide.
 */
#define DRAIN_STEP	64

/* Have @left slabs of a branch drained at most. Return: how many bytes are missing still. */
static size_t supply_drain_branch(struct bufpool_branch *branch,
				  const struct bufpool_waiter *waiter, size_t bytes,
				  unsigned int *left)
{
	struct bufpool_request *request = waiter->request;
	struct bufpool_pool *pool = branch->pool;
	bool own = branch == request->branch;
	unsigned int i;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++) {
		struct bufpool_class *class = &pool->classes[i];

		if (!bytes || !*left)
			break;
		/* a slab with one block is the next waiter's when that comes back */
		if (class == request->class && (own || class->per_slab == 1))
			continue;
		if (own && waiter->exact && class->shift > request->class->shift)
			continue;
		if (!bufpool_waitq_has_older(class, waiter, true))
			bytes = bufpool_class_start_draining(class, &branch->holdings[i],
							     bytes, pool->drain_fullest,
							     left);
	}
	return bytes;
}

/* Bytes in slabs that are being drained. */
size_t bufpool_supply_draining(struct bufpool_pool *pool)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		bytes += READ_ONCE(pool->classes[i].draining_bytes);
	return bytes;
}

/* How many branches are looked at to have slabs of theirs drained. */
#define DRAIN_LOOKS	32

/* How much an account gives up to a waiter: half of what it has more than that one's. */
static size_t supply_excess(const struct bufpool_account *account,
			    const struct bufpool_waiter *waiter)
{
	const struct bufpool_request *request = waiter->request;
	size_t held = bufpool_budget_used(&account->pinned);
	size_t own = bufpool_budget_used(&request->branch->account->pinned);

	return held > own + request->class->slab_size ? (held - own) / 2 : 0;
}

/*
 * Have slabs of those drained that have more than a waiter. Return: whether there are any,
 * or have been.
 */
static bool supply_drain_excess(const struct bufpool_waiter *waiter, size_t *most,
				unsigned int *left)
{
	struct bufpool_pool *pool = waiter->request->client->pool;
	unsigned int looks = min(READ_ONCE(pool->nr_listed), DRAIN_LOOKS);
	struct bufpool_branch *branch;
	bool any = false;

	rcu_read_lock();
	while (*most && *left && looks-- && (branch = bufpool_branch_next_holder(pool))) {
		size_t excess = supply_excess(branch->account, waiter);
		size_t draining = atomic_long_read(&branch->account->draining);
		size_t bytes = min(excess - min(excess, draining), *most);

		any |= excess;
		if (bytes)
			*most -= bytes - supply_drain_branch(branch, waiter, bytes, left);
	}
	rcu_read_unlock();
	return any;
}

/*
 * Have slabs drained of whoever there is; of others only where the waiter has not its share.
 * Return: how many bytes are missing still.
 */
static size_t supply_drain_any(const struct bufpool_waiter *waiter, size_t bytes,
			       unsigned int *left)
{
	const struct bufpool_account *own = waiter->request->branch->account;
	struct bufpool_pool *pool = waiter->request->client->pool;
	unsigned int looks = min(READ_ONCE(pool->nr_listed), DRAIN_LOOKS);
	bool is_rich = bufpool_account_is_rich(own);
	struct bufpool_branch *branch;

	rcu_read_lock();
	while (bytes && *left && looks-- && (branch = bufpool_branch_next_holder(pool)))
		if (branch->account == own || !is_rich)
			bytes = supply_drain_branch(branch, waiter, bytes, left);
	rcu_read_unlock();
	return bytes;
}

/**
 * bufpool_supply_start_draining - make room for a waiter, one step of it
 * @waiter: which; no older one loses anything. Its branch keeps slabs of its class, and,
 *	if no larger block is for it, larger ones, for other renters
 * @missing: (in/out) how many bytes
 * @most: (in/out) no more than so many
 *
 * From accounts with more than that of the waiter, if there are such: they give up half of
 * that, so that none of them gets below it by it, and the next waiter finds room as well.
 *
 * Return: whether another step is due.
 */
bool bufpool_supply_start_draining(const struct bufpool_waiter *waiter, size_t *missing,
				   size_t *most)
{
	unsigned int left = DRAIN_STEP;
	size_t before = *most, rest;

	if (!supply_drain_excess(waiter, most, &left)) {
		rest = min(*missing, *most);
		*most -= rest - supply_drain_any(waiter, rest, &left);
	}
	*missing -= min(*missing, before - *most);
	return !left && *most;
}

/* Undo bufpool_supply_start_draining(), one step of it. Return: whether another is due. */
bool bufpool_supply_stop_draining(struct bufpool_pool *pool)
{
	unsigned int left = DRAIN_STEP, i;

	for (i = 0; left && i < bufpool_pool_nr_used(pool); i++)
		bufpool_class_stop_draining(&pool->classes[i], &left);
	return !left;
}
