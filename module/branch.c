// SPDX-License-Identifier: GPL-2.0-only
/*
 * A branch: what an account has in one memory cgroup.
 *
 * The kernel charges a slab to the cgroup of the task that it is made for, as it charges
 * a page of tmpfs to who touches it first. So that no cgroup holds memory that another is
 * charged for, a slab is for one branch only, in use and when it is wholly free. Quotas,
 * and all else that bounds a user, are the account's, however many cgroups that is in.
 * Slabs of tasks in the root cgroup are charged to none, and are anybody's there when they
 * are wholly free.
 *
 * A client is part of the branch that it was opened in, and what it keeps is there. A
 * task of another cgroup that rents by it, as it was passed the descriptor, rents for the
 * branch of its own cgroup.
 *
 * A branch is there as long as it has a client, or a slab; like accounts it is found, and
 * goes, under the lock of pool->accounts.
 */
#include <linux/hash.h>
#include <linux/hashtable.h>
#include "bufpool.h"

static unsigned long branch_key(const struct bufpool_account *account,
				const struct mem_cgroup *memcg)
{
	return (unsigned long)account ^ hash_long((unsigned long)memcg, BITS_PER_LONG);
}

static struct bufpool_branch *branch_lookup(struct bufpool_account *account,
					    const struct mem_cgroup *memcg)
{
	struct bufpool_branch *branch;

	hash_for_each_possible(account->pool->branches, branch, hash,
			       branch_key(account, memcg))
		if (branch->account == account && branch->memcg == memcg)
			return branch;
	return NULL;
}

/* One client more, or call; the lock of pool->accounts is held. */
static void branch_hold(struct bufpool_branch *branch)
{
	branch->refs++;
	WRITE_ONCE(branch->orphan, false);
}

static struct bufpool_branch *branch_find(struct bufpool_account *account,
					  const struct mem_cgroup *memcg)
{
	struct bufpool_pool *pool = account->pool;
	struct bufpool_branch *branch;

	xa_lock(&pool->accounts);
	branch = branch_lookup(account, memcg);
	if (branch)
		branch_hold(branch);
	xa_unlock(&pool->accounts);
	return branch;
}

static void branch_free_rcu(struct rcu_head *rcu)
{
	struct bufpool_branch *branch = container_of(rcu, struct bufpool_branch, rcu);

	bufpool_memcg_put(branch->memcg);
	kmem_cache_free(branch->pool->branch_cache, branch);
}

/* Charged to the cgroup itself, by which the shrinker finds it. */
static struct bufpool_branch *branch_create(struct bufpool_account *account,
					    struct mem_cgroup *memcg)
{
	struct bufpool_pool *pool = account->pool;
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct bufpool_branch *branch;
	unsigned int nr;

	branch = kmem_cache_alloc_lru(pool->branch_cache, memcg ? &pool->charged : NULL,
				      GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	set_active_memcg(old);
	if (!branch)
		return NULL;
	branch->account = account;
	branch->pool = pool;
	branch->memcg = memcg;
	branch->is_charged = bufpool_memcg_is_charged(memcg);
	branch->refs = 1;
	branch->pressed = jiffies;
	INIT_LIST_HEAD(&branch->holder);
	INIT_LIST_HEAD(&branch->shrink);
	for (nr = 0; nr < pool->nr_classes; nr++)
		bufpool_holding_init(&branch->holdings[nr], branch, &pool->classes[nr]);
	return branch;
}

/* Publish a new branch, or get the one that was published meanwhile. */
static struct bufpool_branch *branch_publish(struct bufpool_branch *branch)
{
	struct bufpool_account *account = branch->account;
	struct bufpool_pool *pool = account->pool;
	struct bufpool_branch *old;

	xa_lock(&pool->accounts);
	old = branch_lookup(account, branch->memcg);
	if (old) {
		branch_hold(old);
	} else {
		bufpool_account_hold(account);
		hash_add_rcu(pool->branches, &branch->hash,
			     branch_key(account, branch->memcg));
		list_add_tail_rcu(&branch->node, &account->branches);
	}
	xa_unlock(&pool->accounts);
	if (old) {
		branch_free_rcu(&branch->rcu);
		return old;
	}
	if (branch->is_charged)
		list_lru_add_obj(&pool->charged, &branch->shrink);
	return branch;
}

/**
 * bufpool_branch_get - the branch of an account that the current task rents for
 * @account: the caller has a reference
 *
 * May sleep.
 *
 * Return: the branch, with a reference, or NULL where there is no memory.
 */
struct bufpool_branch *bufpool_branch_get(struct bufpool_account *account)
{
	struct mem_cgroup *memcg = account->pool->charges ? bufpool_memcg_get() : NULL;
	struct bufpool_branch *branch = branch_find(account, memcg);

	if (!branch) {
		branch = branch_create(account, memcg);
		if (branch)
			return branch_publish(branch);
	}
	bufpool_memcg_put(memcg);
	return branch;
}

static void branch_list_holder(struct bufpool_branch *branch)
{
	struct bufpool_account *account = branch->account;
	struct bufpool_pool *pool = account->pool;

	if (!list_empty(&branch->holder) || !hash_hashed(&branch->hash))
		return;
	list_add_tail(&branch->holder, &pool->holders);
	WRITE_ONCE(pool->nr_listed, pool->nr_listed + 1);
	if (!account->nr_holders++)
		WRITE_ONCE(pool->nr_holders, pool->nr_holders + 1);
}

static void branch_unlist_holder(struct bufpool_branch *branch)
{
	struct bufpool_account *account = branch->account;
	struct bufpool_pool *pool = account->pool;

	if (list_empty(&branch->holder))
		return;
	list_del_init(&branch->holder);
	WRITE_ONCE(pool->nr_listed, pool->nr_listed - 1);
	if (!--account->nr_holders)
		WRITE_ONCE(pool->nr_holders, pool->nr_holders - 1);
}

/* Bytes in blocks of its slabs that are not free. */
u64 bufpool_branch_out(const struct bufpool_branch *branch)
{
	const struct bufpool_pool *pool = branch->pool;
	u64 bytes = 0;
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++)
		bytes += (u64)READ_ONCE(branch->holdings[nr].nr_out) <<
			 pool->classes[nr].shift;
	return bytes;
}

/* Bytes in slabs that are charged to the cgroup, in use or not. */
u64 bufpool_branch_charged(const struct bufpool_branch *branch)
{
	const struct bufpool_pool *pool = branch->pool;
	u64 bytes = 0;
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++)
		bytes += READ_ONCE(branch->holdings[nr].charged_bytes);
	return bytes;
}

/*
 * Take an orphan out of its account, unless a slab names it still, or somebody else has.
 * Return: whether the caller is to free it.
 */
static bool branch_remove(struct bufpool_branch *branch)
{
	if (branch->refs || !hash_hashed(&branch->hash) ||
	    bufpool_branch_out(branch) || bufpool_branch_charged(branch))
		return false;
	hash_del_rcu(&branch->hash);
	list_del_rcu(&branch->node);
	branch_unlist_holder(branch);
	bufpool_account_release(branch->account);
	return true;
}

static void branch_free_later(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;

	if (branch->is_charged)
		list_lru_del_obj(&pool->charged, &branch->shrink);
	call_rcu(&branch->rcu, branch_free_rcu);
}

/**
 * bufpool_branch_put - give a reference back, which is not the last
 * @branch: which
 *
 * Where it is the last, the caller still has it: what the branch has idle is to be given
 * back, and nothing becomes idle any more; then bufpool_branch_put_last() is due.
 *
 * Return: whether it was not the last.
 */
bool bufpool_branch_put(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;
	bool is_last;

	xa_lock(&pool->accounts);
	is_last = branch->refs == 1;
	if (is_last)
		WRITE_ONCE(branch->orphan, true);
	else
		branch->refs--;
	xa_unlock(&pool->accounts);
	return !is_last;
}

/*
 * Another may have come to have one meanwhile. Return: false if one had, and has it no more:
 * while it was no orphan a slab may have become idle, so that has to be done again.
 */
bool bufpool_branch_put_last(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;
	bool removed = false, again;

	xa_lock(&pool->accounts);
	again = branch->refs == 1 && !branch->orphan;
	if (again) {
		WRITE_ONCE(branch->orphan, true);
	} else if (!--branch->refs) {
		/* that it is an orphan is seen; pairs with bufpool_branch_lost_slab() */
		smp_mb();
		removed = branch_remove(branch);
	}
	xa_unlock(&pool->accounts);
	if (removed)
		branch_free_later(branch);
	return !again;
}

/*
 * An orphan may have no slab any more. The lock of a class is held since it was seen to
 * have one, so RCU holds its memory.
 */
void bufpool_branch_reap(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;
	bool removed;

	xa_lock(&pool->accounts);
	removed = branch_remove(branch);
	xa_unlock(&pool->accounts);
	if (removed)
		branch_free_later(branch);
}

/* Let a branch be found among those with slabs in use. Also under class->lock. */
void bufpool_branch_add_holder(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;

	xa_lock(&pool->accounts);
	branch_list_holder(branch);
	xa_unlock(&pool->accounts);
}

/* Whether a block of its is out, for certain: a slab that is given to it is so under that lock. */
static bool branch_is_in_use(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;
	unsigned long nr_out = 0;
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(pool); nr++) {
		spin_lock(&pool->classes[nr].lock);
		nr_out |= branch->holdings[nr].nr_out;
		spin_unlock(&pool->classes[nr].lock);
	}
	return nr_out;
}

/* The next holder, and it comes last now; or NULL. */
static struct bufpool_branch *branch_rotate_holders(struct bufpool_pool *pool)
{
	struct bufpool_branch *branch;

	xa_lock(&pool->accounts);
	branch = list_first_entry_or_null(&pool->holders, struct bufpool_branch, holder);
	if (branch)
		list_move_tail(&branch->holder, &pool->holders);
	xa_unlock(&pool->accounts);
	return branch;
}

/*
 * A branch has no block out, as it seems. Who gives it a slab adds it, if it is not in the
 * list; or has done so before the look at that class.
 */
static void branch_check_holder(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;

	xa_lock(&pool->accounts);
	branch_unlist_holder(branch);
	xa_unlock(&pool->accounts);
	if (branch_is_in_use(branch))
		bufpool_branch_add_holder(branch);
}

/**
 * bufpool_branch_next_holder - the branch with slabs in use that was looked at longest ago
 * @pool: where
 *
 * Return: the branch, as long as RCU holds it, or NULL. It may have none any more.
 */
struct bufpool_branch *bufpool_branch_next_holder(struct bufpool_pool *pool)
{
	struct bufpool_branch *branch = branch_rotate_holders(pool);

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "branch without RCU");
	if (branch && !bufpool_branch_out(branch))
		branch_check_holder(branch);
	return branch;
}

/* Get a reference to a branch that is held by RCU, or a list. Return: false if it is going. */
bool bufpool_branch_tryget(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;
	bool is_there;

	xa_lock(&pool->accounts);
	is_there = hash_hashed(&branch->hash);
	if (is_there)
		branch_hold(branch);
	xa_unlock(&pool->accounts);
	return is_there;
}

/*
 * A branch comes last in its account, under the lock of pool->accounts. Readers may be at it,
 * and go on from there: to list_add_tail_rcu() it would be one that nobody has found yet.
 */
static void branch_move_last(struct bufpool_branch *branch)
{
	struct list_head *node = &branch->node, *head = &branch->account->branches;

	__list_del_entry(node);
	node->prev = head->prev;
	WRITE_ONCE(node->next, head);
	rcu_assign_pointer(list_next_rcu(head->prev), node);
	head->prev = node;
}

/**
 * bufpool_branch_next - the branch of an account that was looked at longest ago
 * @account: whose
 *
 * Return: the branch, with a reference, or NULL.
 */
struct bufpool_branch *bufpool_branch_next(struct bufpool_account *account)
{
	struct bufpool_pool *pool = account->pool;
	struct bufpool_branch *branch;

	xa_lock(&pool->accounts);
	branch = list_first_entry_or_null(&account->branches, struct bufpool_branch, node);
	if (branch) {
		branch_move_last(branch);
		branch_hold(branch);
	}
	xa_unlock(&pool->accounts);
	return branch;
}

/*
 * Bytes that a branch does not use, at the most. How much its clients keep in stacks only a
 * look would say.
 */
static u64 branch_unused(const struct bufpool_branch *branch)
{
	u64 out = bufpool_branch_out(branch), idle = 0, warm;
	bool keeps = false;
	unsigned int nr;

	for (nr = 0; nr < bufpool_pool_nr_used(branch->pool); nr++) {
		idle += READ_ONCE(branch->holdings[nr].idle_bytes);
		keeps |= READ_ONCE(branch->holdings[nr].kept.nr);
	}
	warm = bufpool_account_warm(branch->account);
	return idle + (keeps ? out : min(warm, out));
}

static enum lru_status branch_add_unused(struct list_head *item, void *sum)
{
	*(u64 *)sum += branch_unused(container_of(item, struct bufpool_branch, shrink));
	return LRU_SKIP;
}

/* How many branches of a cgroup are counted: those that the shrinker takes from next. */
#define UNUSED_LOOKS	128UL

/* Bytes that the branches of a cgroup on a node do not use, at the most. */
u64 bufpool_branches_unused(struct bufpool_pool *pool, int nid, struct mem_cgroup *memcg)
{
	unsigned long nr = min(list_lru_count_one(&pool->charged, nid, memcg), UNUSED_LOOKS);
	u64 bytes = 0;

	if (nr)
		bufpool_list_lru_walk(&pool->charged, nid, memcg, branch_add_unused, &bytes, nr);
	return bytes;
}

/* Let the shrinker have a branch, which comes last from now on. */
static enum lru_status branch_isolate(struct list_head *item, void *found)
{
	struct bufpool_branch *branch = container_of(item, struct bufpool_branch, shrink);
	struct bufpool_branch **ret = found;

	/* or it is about to be taken out of this list, too */
	if (bufpool_branch_tryget(branch))
		*ret = branch;
	return LRU_ROTATE;
}

/**
 * bufpool_branch_next_charged - the branch of a cgroup that was looked at longest ago
 * @pool: where
 * @nid: on that node
 * @memcg: the cgroup; of one that was removed below it, too
 *
 * Return: the branch, with a reference, or NULL.
 */
struct bufpool_branch *bufpool_branch_next_charged(struct bufpool_pool *pool, int nid,
						   struct mem_cgroup *memcg)
{
	struct bufpool_branch *branch = NULL;

	bufpool_list_lru_walk(&pool->charged, nid, memcg, branch_isolate, &branch, 1);
	return branch;
}

/*
 * Bytes in stacks of all clients of an account, as they were seen last. Holds nobody off; of
 * a branch that another call looks at just then, and that comes last by that, maybe nothing.
 */
u64 bufpool_branches_kept(const struct bufpool_account *account)
{
	const struct bufpool_branch *branch;
	unsigned int nr;
	u64 bytes = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(branch, &account->branches, node)
		for (nr = 0; nr < bufpool_pool_nr_used(account->pool); nr++)
			bytes += bufpool_kept_seen(&branch->holdings[nr].kept);
	rcu_read_unlock();
	return bytes;
}

/* Bytes in blocks that an account is charged for, and that are not free; likewise. */
u64 bufpool_branches_out(const struct bufpool_account *account)
{
	const struct bufpool_branch *branch;
	s64 bytes = atomic_long_read(&account->moved);

	rcu_read_lock();
	list_for_each_entry_rcu(branch, &account->branches, node)
		bytes += bufpool_branch_out(branch);
	rcu_read_unlock();
	/* they are not read at one instant */
	return max(bytes, 0LL);
}
