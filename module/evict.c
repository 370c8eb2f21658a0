// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction: how warm blocks leave their client, and kept ones; how the latter are had is
 * in take.c.
 *
 * The client gives them up itself (trim, its own bounds), another renter needs them
 * (steal), or they have not been used for long (age). Each way unmaps the block first.
 * What is warm and what is kept give way alike: first what its program has not used for
 * a while, then what is warm, then whatever is kept.
 *
 * A thief waits for no client. One that is changing its mappings just now, or has a
 * fault in the block, is passed over, and looked at again after all others.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "bufpool.h"
#include "trace.h"

/* How many stacks a thief looks at before it says that there is nothing. */
#define EVICT_TRIES	32

/* A warm block that has not been used for so long is idle, for a waiter. */
#define EVICT_IDLE	(HZ / 20)

/* How often one look for warm and kept blocks of draining slabs looks, in each class. */
#define EVICT_LOOKS	64

/*
 * Claim a stack's bottom block for a thief. Where the order was wrong, or the block
 * cannot be had without waiting, put the stack where it belongs. Return: the block,
 * or NULL.
 */
static struct bufpool_blk *evict_try_claim(struct bufpool_warm *warm)
{
	struct bufpool_blk *blk = bufpool_warm_bottom(warm);

	if (!blk) {
		bufpool_warm_unlink(warm);
		return NULL;
	}
	if (time_after(bufpool_warm_since(blk), warm->by_class.since)) {
		bufpool_warm_update(warm, bufpool_warm_since(blk));
		return NULL;
	}
	if (blk->pins) {
		bufpool_warm_update(warm, jiffies);
		return NULL;
	}
	bufpool_warm_claim(warm);
	bufpool_warm_sort(warm);
	return blk;
}

/*
 * Unmap a block that was claimed. The lock of the client's mappings is held. Return: whether
 * the caller has it still; else the quarantine does.
 */
static bool evict_blk(struct bufpool_client *client, struct bufpool_blk *blk)
{
	bufpool_map_unmap(client, blk);
	bufpool_blk_update_dirty(blk);
	bufpool_budget_uncharge(&client->held, bufpool_blk_size(blk));
	return !bufpool_quarantine_admit(blk);
}

/*
 * Take the longest unused block of a stack, without waiting for its client, to which
 * the caller holds a reference. Return: the block, which the caller owns, or NULL.
 */
static struct bufpool_blk *evict_try(struct bufpool_warm *warm)
{
	struct bufpool_client *client = warm->client;
	bool is_locked = bufpool_map_trylock(client);
	struct bufpool_blk *blk = NULL;

	spin_lock(&client->lock);
	if (is_locked)
		blk = evict_try_claim(warm);
	else
		bufpool_warm_update(warm, jiffies);
	spin_unlock(&client->lock);
	if (blk && !evict_blk(client, blk))
		blk = NULL;
	if (is_locked)
		bufpool_map_unlock(client);
	return blk;
}

/* The stack that an entry of an order of classes, or of holdings, is part of. */
static struct bufpool_warm *evict_stack(struct bufpool_lru_entry *entry,
					bool by_holding)
{
	if (by_holding)
		return container_of(entry, struct bufpool_warm, by_holding);
	return container_of(entry, struct bufpool_warm, by_class);
}

/* The first stack in an order, with a reference to its client, or NULL. */
static struct bufpool_warm *evict_first(struct bufpool_lru *lru, bool by_holding)
{
	struct bufpool_lru_entry *entry;
	struct bufpool_warm *warm = NULL;

	spin_lock(&lru->lock);
	entry = bufpool_lru_first(lru);
	if (entry) {
		warm = evict_stack(entry, by_holding);
		kref_get(&warm->client->ref);
	}
	spin_unlock(&lru->lock);
	return warm;
}

/* Whether an order has a stack, and since when that is unused. */
static bool evict_oldest_of(struct bufpool_lru *lru, unsigned long *since)
{
	struct bufpool_lru_entry *entry;

	spin_lock(&lru->lock);
	entry = bufpool_lru_first(lru);
	if (entry)
		*since = entry->since;
	spin_unlock(&lru->lock);
	return entry;
}

/*
 * The order that has the longest unused stack, of a pool or a branch, or NULL; only one
 * that is @idle.
 */
static struct bufpool_lru *evict_oldest(struct bufpool_pool *pool,
					struct bufpool_branch *branch, bool idle)
{
	struct bufpool_lru *oldest = NULL;
	unsigned long since, earliest = 0;
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++) {
		struct bufpool_lru *lru = branch ? &branch->holdings[nr].warm :
						   &pool->classes[nr].warm;

		if (bufpool_lru_is_empty(lru) || !evict_oldest_of(lru, &since) ||
		    (oldest && !time_before(since, earliest)))
			continue;
		oldest = lru;
		earliest = since;
	}
	if (idle && !time_before(earliest, jiffies - EVICT_IDLE))
		return NULL;
	return oldest;
}

/* Evict from a stack that was found, and let go of its client. */
static struct bufpool_blk *evict_steal_stack(struct bufpool_warm *warm)
{
	struct bufpool_client *client = warm->client;
	struct bufpool_blk *blk = evict_try(warm);

	if (blk) {
		trace_bufpool_steal(client, blk);
		bufpool_count(client->pool->counters, BUFPOOL_STEALS);
	}
	bufpool_client_put(client);
	return blk;
}

/*
 * Take the longest unused warm block of a holding, or, with NULL, of a branch or all, and
 * then only one that is @idle.
 */
static struct bufpool_blk *evict_steal_warm(struct bufpool_pool *pool,
					    struct bufpool_branch *branch,
					    struct bufpool_holding *holding, bool idle)
{
	struct bufpool_blk *blk = NULL;
	unsigned int tries;

	for (tries = 0; !blk && tries < EVICT_TRIES; tries++) {
		struct bufpool_lru *from = holding ? &holding->warm :
						     evict_oldest(pool, branch, idle);
		struct bufpool_warm *warm = NULL;

		if (from)
			warm = evict_first(from, branch);
		if (!warm)
			break;
		blk = evict_steal_stack(warm);
	}
	return blk;
}

/* Take a kept block: of the largest size, as those give room. */
static struct bufpool_blk *evict_steal_kept(struct bufpool_pool *pool, bool idle)
{
	struct bufpool_blk *blk = NULL;
	unsigned int nr;

	if (!bufpool_kept_is_possible(pool))
		return NULL;
	for (nr = bufpool_pool_nr_used(pool); !blk && nr--;)
		blk = bufpool_take_steal(&pool->classes[nr].kept, idle);
	return blk;
}

/* Take a warm or kept block of one of a branch's clients; with @idle, one not in use. */
static struct bufpool_blk *evict_steal_from_branch(struct bufpool_branch *branch, bool idle)
{
	struct bufpool_pool *pool = branch->pool;
	struct bufpool_blk *blk = evict_steal_warm(pool, branch, NULL, idle);
	unsigned int nr;

	for (nr = bufpool_pool_nr_used(pool); !blk && nr--;)
		blk = bufpool_take_steal(&branch->holdings[nr].kept, idle);
	return blk;
}

/* How many branches of an account are looked at for what that does not use. */
#define BRANCH_LOOKS	8

/* And at how many it is seen whether they are worth that. */
#define BRANCH_STEPS	1024

/* Whether a branch has anything warm, or was seen to keep something. */
static bool evict_has_unused(const struct bufpool_branch *branch)
{
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(branch->pool); nr++)
		if (!bufpool_lru_is_empty(&branch->holdings[nr].warm) ||
		    bufpool_kept_seen(&branch->holdings[nr].kept))
			return true;
	return false;
}

/*
 * Visit branches of an account, each once, until one gives a block. Few of those that may have
 * any, and many others, since what is unused may be in the last one, and to pass one by is quick.
 * Bounded in any case: other tasks move branches meanwhile, and the first one may go.
 * Return: that block, or NULL.
 */
static __always_inline struct bufpool_blk *
evict_visit(struct bufpool_account *account,
	    bool (*wants)(const struct bufpool_branch *branch),
	    struct bufpool_blk *(*visit)(struct bufpool_branch *branch))
{
	struct bufpool_branch *branch, *first = NULL;
	struct bufpool_blk *blk = NULL;
	unsigned int looks = 0, steps = BRANCH_STEPS;
	bool again = false;

	while (!blk && !again && looks < BRANCH_LOOKS && steps--) {
		branch = bufpool_branch_next(account);
		if (!branch)
			break;
		again = branch == first;
		if (!again && wants(branch)) {
			blk = visit(branch);
			looks++;
		}
		first = first ?: branch;
		bufpool_supply_put_branch(branch);
		cond_resched();
	}
	return blk;
}

/* One that has not been used for long */
static struct bufpool_blk *evict_steal_old(struct bufpool_branch *branch)
{
	return evict_steal_from_branch(branch, false);
}

/**
 * bufpool_evict_steal_from_account - take a warm or kept block of an account
 * @account: from one of its clients
 *
 * One that has not been used for long. Looks at a bounded number of branches that may have one,
 * and of stacks, and waits for no client. May sleep; the caller holds no client's lock.
 *
 * Return: the block, which the caller owns, maybe dirty; or NULL if none was found.
 */
struct bufpool_blk *bufpool_evict_steal_from_account(struct bufpool_account *account)
{
	return evict_visit(account, evict_has_unused, evict_steal_old);
}

/* Only a look says how much is kept now. */
static bool evict_keeps(const struct bufpool_branch *branch)
{
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(branch->pool); nr++)
		if (READ_ONCE(branch->holdings[nr].kept.nr))
			return true;
	return false;
}

static struct bufpool_blk *evict_look_at(struct bufpool_branch *branch)
{
	bufpool_take_look_at_branch(branch);
	return NULL;
}

/* See how much is kept, in some of the stacks of some of its branches. May sleep. */
void bufpool_evict_look_at_account(struct bufpool_account *account)
{
	evict_visit(account, evict_keeps, evict_look_at);
}

/* Take a warm or kept block of what a branch has of a class. As that of an account else. */
struct bufpool_blk *bufpool_evict_steal_from(struct bufpool_holding *holding)
{
	struct bufpool_pool *pool = holding->account->pool;
	struct bufpool_blk *blk = NULL;

	if (bufpool_kept_is_possible(pool))
		blk = bufpool_take_steal(&holding->kept, true);
	if (!blk && !bufpool_lru_is_empty(&holding->warm))
		blk = evict_steal_warm(pool, holding->branch, holding, false);
	if (!blk && bufpool_kept_is_possible(pool))
		blk = bufpool_take_steal(&holding->kept, false);
	return blk;
}

/* How many branches are looked at for what accounts with more than their share have. */
#define RICH_LOOKS	8

/* The next branch with slabs in use, with a reference, if its account has more than its share. */
static struct bufpool_branch *evict_next_rich(struct bufpool_pool *pool)
{
	struct bufpool_branch *branch;

	rcu_read_lock();
	branch = bufpool_branch_next_holder(pool);
	if (branch && (!bufpool_account_is_rich(branch->account) ||
		       !bufpool_branch_tryget(branch)))
		branch = NULL;
	rcu_read_unlock();
	return branch;
}

/* Take a block from an account that has more than its share. */
static struct bufpool_blk *evict_steal_from_rich(struct bufpool_pool *pool, bool idle)
{
	unsigned int looks = min(READ_ONCE(pool->nr_listed), RICH_LOOKS);
	struct bufpool_branch *branch;
	struct bufpool_blk *blk = NULL;

	while (!blk && looks--) {
		branch = evict_next_rich(pool);
		if (!branch)
			continue;
		blk = evict_steal_from_branch(branch, idle);
		bufpool_supply_put_branch(branch);
	}
	return blk;
}

/*
 * The same, whichever client has it: those come first whose account has more than its share,
 * if there are several.
 */
struct bufpool_blk *bufpool_evict_steal(struct bufpool_pool *pool, bool idle)
{
	struct bufpool_blk *blk = NULL;

	if (READ_ONCE(pool->nr_holders) > 1)
		blk = evict_steal_from_rich(pool, idle);
	blk = blk ?: evict_steal_kept(pool, true) ?: evict_steal_warm(pool, NULL, NULL, idle);
	return blk || idle ? blk : evict_steal_kept(pool, false);
}

/* A client with a warm block in a slab, with a reference, or NULL; under RCU. */
static struct bufpool_client *evict_find_warm(struct bufpool_slab *slab, unsigned int from)
{
	unsigned int i;

	for (i = 0; i < slab->nr_blks; i++) {
		struct bufpool_blk *blk = &slab->blks[(from + i) % slab->nr_blks];
		struct bufpool_client *client = READ_ONCE(blk->owner);

		if (client && READ_ONCE(blk->state) == BUFPOOL_BLK_WARM &&
		    kref_get_unless_zero(&client->ref))
			return client;
	}
	return NULL;
}

/* Take a client's warm blocks of a class that are in draining slabs. Return: how many. */
static unsigned int evict_draining_of(struct bufpool_client *client,
				      struct bufpool_class *class, unsigned int most)
{
	struct bufpool_warm *warm = READ_ONCE(client->warm[class->nr]);
	struct bufpool_blk *blk, *next;
	LIST_HEAD(batch);
	LIST_HEAD(free);
	unsigned int nr;

	if (!warm || !bufpool_map_trylock(client))
		return 0;
	spin_lock(&client->lock);
	nr = bufpool_warm_claim_draining(warm, &batch, most);
	spin_unlock(&client->lock);
	list_for_each_entry_safe(blk, next, &batch, node) {
		trace_bufpool_steal(client, blk);
		bufpool_count(client->pool->counters, BUFPOOL_STEALS);
		list_del_init(&blk->node);
		if (evict_blk(client, blk))
			list_add_tail(&blk->node, &free);
	}
	bufpool_map_unlock(client);
	bufpool_supply_put_all(&free);
	return nr;
}

/* Look at one draining slab, and at one stack of its account. Return: how many blocks. */
static unsigned int evict_next_draining(struct bufpool_class *class, unsigned int from,
					unsigned int most)
{
	struct bufpool_client *client = NULL;
	struct bufpool_kept *kept;
	struct bufpool_slab *slab;
	unsigned int nr = 0;

	rcu_read_lock();
	slab = bufpool_class_next_draining(class, &kept);
	if (slab)
		client = evict_find_warm(slab, from);
	rcu_read_unlock();
	if (client) {
		nr = evict_draining_of(client, class, most);
		bufpool_client_put(client);
	}
	if (kept) {
		nr += bufpool_take_draining(kept, most - nr);
		bufpool_client_put(kept->client);
	}
	return nr;
}

/**
 * bufpool_evict_draining - take warm and kept blocks of slabs that are being drained
 * @pool: whose slabs
 * @most: no more than so many blocks
 *
 * Their clients have others instead, from slabs that go on. Looks at a bounded number of
 * slabs and stacks, goes on where the last look stopped, and waits for no client. Ends where
 * the task is killed. May sleep.
 *
 * Return: how many blocks.
 */
unsigned int bufpool_evict_draining(struct bufpool_pool *pool, unsigned int most)
{
	unsigned int nr, looks, done = 0;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++) {
		struct bufpool_class *class = &pool->classes[nr];

		for (looks = 0; looks < EVICT_LOOKS && done < most &&
		     READ_ONCE(class->draining_bytes) && !fatal_signal_pending(current); looks++) {
			done += evict_next_draining(class, looks, most - done);
			cond_resched();
		}
	}
	return done;
}

/* How many blocks are in an own stack just now. */
static unsigned int evict_count_own(struct bufpool_client *client,
				    const struct bufpool_warm *warm)
{
	unsigned int nr;

	spin_lock(&client->lock);
	nr = bufpool_warm_nr(warm);
	spin_unlock(&client->lock);
	return nr;
}

/* A stack's bottom block is taken by its own client, which waits for its faults. */
static struct bufpool_blk *evict_claim_own(struct bufpool_client *client,
					   struct bufpool_warm *warm)
{
	struct bufpool_blk *blk = NULL;

	spin_lock(&client->lock);
	if (bufpool_warm_nr(warm))
		blk = bufpool_warm_claim(warm);
	spin_unlock(&client->lock);
	return blk;
}

/* Give the bottom block of an own stack to the free list. Return: its bytes, or 0. */
static size_t evict_give_up(struct bufpool_client *client,
			    struct bufpool_warm *warm)
{
	struct bufpool_blk *blk = evict_claim_own(client, warm);
	bool is_ours;
	size_t bytes;

	if (!blk)
		return 0;
	bytes = bufpool_blk_size(blk);
	bufpool_map_synchronize(client, blk);
	bufpool_map_lock(client);
	is_ours = evict_blk(client, blk);
	bufpool_map_unlock(client);
	if (is_ours)
		bufpool_supply_put(blk);
	return bytes;
}

static struct bufpool_warm *evict_oldest_own(struct bufpool_client *client)
{
	struct bufpool_warm *oldest = NULL;
	unsigned long since, earliest = 0;
	unsigned int nr;

	spin_lock(&client->lock);
	for (nr = 0; nr < bufpool_pool_nr_used(client->pool); nr++) {
		struct bufpool_warm *warm = client->warm[nr];

		if (!warm || !bufpool_warm_nr(warm))
			continue;
		since = bufpool_warm_since(bufpool_warm_bottom(warm));
		if (oldest && !time_before(since, earliest))
			continue;
		oldest = warm;
		earliest = since;
	}
	spin_unlock(&client->lock);
	return oldest;
}

/**
 * bufpool_evict_own - give up a client's own longest unused warm block, or a kept one
 * @client: which
 *
 * May sleep.
 *
 * Return: its bytes, or 0 if there is none.
 */
size_t bufpool_evict_own(struct bufpool_client *client)
{
	struct bufpool_warm *warm;
	size_t bytes;

	/* where another task has taken what was found, something else may be left */
	while ((warm = evict_oldest_own(client))) {
		bytes = evict_give_up(client, warm);
		if (bytes)
			return bytes;
	}
	return bufpool_take_own(client, 0, 1);
}

/**
 * bufpool_evict_trim - give a client's warm and kept blocks to the free lists
 * @client: whose
 * @min_size: only blocks of at least so many bytes
 *
 * May sleep.
 *
 * Return: how many bytes.
 */
u64 bufpool_evict_trim(struct bufpool_client *client, u64 min_size)
{
	u64 bytes = 0;
	unsigned int nr, left;

	for (nr = 0; nr < bufpool_pool_nr_used(client->pool); nr++) {
		struct bufpool_warm *warm = READ_ONCE(client->warm[nr]);

		if (!warm || bufpool_class_block_size(warm->class) < min_size)
			continue;
		/* other tasks may keep blocks warm meanwhile, without an end */
		for (left = evict_count_own(client, warm); left; left--) {
			bytes += evict_give_up(client, warm);
			cond_resched();
		}
	}
	return bytes + bufpool_take_own(client, min_size, SIZE_MAX);
}

/* Age blocks of one order, of a class or a holding. Return: how many bytes. */
static size_t evict_age_warm(struct bufpool_lru *lru, bool by_holding, unsigned long since,
			     size_t bytes, unsigned int *looks)
{
	unsigned int misses = 0;
	unsigned long oldest;
	size_t done = 0;

	while (done < bytes && *looks && misses < EVICT_TRIES &&
	       evict_oldest_of(lru, &oldest) && time_before(oldest, since)) {
		struct bufpool_warm *warm = evict_first(lru, by_holding);
		struct bufpool_blk *blk;

		if (!warm)
			break;
		blk = evict_try(warm);
		bufpool_client_put(warm->client);
		if (blk) {
			done += bufpool_blk_size(blk);
			bufpool_supply_put(blk);
		}
		misses += !blk;
		*looks -= !blk;
		cond_resched();
	}
	return done;
}

/**
 * bufpool_evict_age - give up warm and kept blocks that have not been used for long
 * @pool: whose
 * @warm: warm ones that are unused since before then, in jiffies
 * @kept: those in stacks that were seen not to be used since before then
 * @bytes: about so many
 * @looks: (in/out) at so many stacks in vain; UINT_MAX is once at each
 *
 * The next call begins with the next class, and goes on where this one stopped in each.
 * Waits for no client, and may be called from reclaim.
 *
 * Return: how many bytes.
 */
size_t bufpool_evict_age(struct bufpool_pool *pool, unsigned long warm,
			 unsigned long kept, size_t bytes, unsigned int *looks)
{
	unsigned int used = bufpool_pool_nr_used(pool), from = READ_ONCE(pool->aged), nr;
	size_t done = 0;

	WRITE_ONCE(pool->aged, from + 1);
	for (nr = 0; nr < used && done < bytes && *looks; nr++) {
		struct bufpool_class *class = &pool->classes[(from + nr) % used];

		done += evict_age_warm(&class->warm, false, warm, bytes - done, looks);
		if (done < bytes)
			done += bufpool_take_age(&class->kept, kept, bytes - done, looks);
	}
	return done;
}

/**
 * bufpool_evict_age_branch - the same, of what a branch's clients have
 * @branch: which
 * @since: blocks that are unused since before then, in jiffies
 * @bytes: about so many
 * @looks: (in/out) at so many stacks in vain
 */
size_t bufpool_evict_age_branch(struct bufpool_branch *branch, unsigned long since,
				size_t bytes, unsigned int *looks)
{
	unsigned int used = bufpool_pool_nr_used(branch->pool);
	unsigned int from = READ_ONCE(branch->aged), nr;
	size_t done = 0;

	WRITE_ONCE(branch->aged, from + 1);
	for (nr = 0; nr < used && done < bytes && *looks; nr++) {
		struct bufpool_holding *holding = &branch->holdings[(from + nr) % used];

		done += evict_age_warm(&holding->warm, true, since, bytes - done, looks);
		if (done < bytes)
			done += bufpool_take_age(&holding->kept, since, bytes - done, looks);
	}
	return done;
}

/* Give up all that is warm or kept just now; what becomes so meanwhile may stay. */
void bufpool_evict_all(struct bufpool_pool *pool)
{
	unsigned int nr, looks = UINT_MAX;
	unsigned long now = jiffies + 1;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++) {
		evict_age_warm(&pool->classes[nr].warm, false, now, SIZE_MAX, &looks);
		/* used just now or not */
		bufpool_take_age(&pool->classes[nr].kept, now + MAX_JIFFY_OFFSET / 2, SIZE_MAX,
				 &looks);
	}
}
