/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_BRANCH_H
#define _BUFPOOL_BRANCH_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include "account.h"
#include "holding.h"

struct bufpool_pool;
struct mem_cgroup;

/**
 * struct bufpool_branch - what an account has in one memory cgroup
 * @account: the account; constant, as all up to @refs
 * @pool: where
 * @memcg: the cgroup; or NULL: it does not matter, as the pool charges none
 * @is_charged: slabs are charged to it, which are for this branch only
 * @refs: how many clients it has, and calls; lock of pool->accounts
 * @orphan: it has none, or is losing the last, and goes with its last slab; written under
 *	that lock
 * @hash: in pool->branches; written under that lock, read under RCU
 * @node: in account->branches, the one that was looked at longest ago first; written under
 *	that lock, read under RCU
 * @holder: in pool->holders, while it has slabs in use, and until that is looked at; that
 *	lock
 * @shrink: in pool->charged, if @is_charged; see reclaim.c
 * @pressed: when the last generation of its warm blocks began, in jiffies; no lock
 * @aged: which class of it is aged first next time, of those in use; no lock
 * @rcu: for freeing, since branches are looked through under RCU, and reaped under the
 *	lock of a class
 * @holdings: what it has, by class
 */
struct bufpool_branch {
	struct bufpool_account *account;
	struct bufpool_pool *pool;
	struct mem_cgroup *memcg;
	bool is_charged;
	unsigned int refs;
	bool orphan;
	struct hlist_node hash;
	struct list_head node;
	struct list_head holder;
	struct list_head shrink;
	unsigned long pressed;
	unsigned int aged;
	struct rcu_head rcu;
	struct bufpool_holding holdings[];
};

struct bufpool_branch *bufpool_branch_get(struct bufpool_account *account);
struct bufpool_branch *bufpool_branch_next_charged(struct bufpool_pool *pool, int nid,
						   struct mem_cgroup *memcg);
bool bufpool_branch_put(struct bufpool_branch *branch);
bool bufpool_branch_put_last(struct bufpool_branch *branch);
void bufpool_branch_reap(struct bufpool_branch *branch);
void bufpool_branch_add_holder(struct bufpool_branch *branch);
struct bufpool_branch *bufpool_branch_next_holder(struct bufpool_pool *pool);
bool bufpool_branch_tryget(struct bufpool_branch *branch);
struct bufpool_branch *bufpool_branch_next(struct bufpool_account *account);
u64 bufpool_branch_out(const struct bufpool_branch *branch);
u64 bufpool_branch_charged(const struct bufpool_branch *branch);
u64 bufpool_branches_unused(struct bufpool_pool *pool, int nid, struct mem_cgroup *memcg);
u64 bufpool_branches_kept(const struct bufpool_account *account);
u64 bufpool_branches_out(const struct bufpool_account *account);

/* A slab of the branch is gone, or free, in a class whose lock is held. */
static inline void bufpool_branch_lost_slab(struct bufpool_branch *branch)
{
	/* after an atomic operation; pairs with bufpool_branch_put_last() */
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(branch->orphan)))
		bufpool_branch_reap(branch);
}

#endif /* _BUFPOOL_BRANCH_H */
