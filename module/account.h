/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_ACCOUNT_H
#define _BUFPOOL_ACCOUNT_H

#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/uidgid.h>
#include "budget.h"
#include "holding.h"

struct bufpool_pool;

/**
 * struct bufpool_account - whom bytes are charged to, and the bounds of that
 * @uid: the user id that it is found by, see account.c; constant
 * @pool: where; constant
 * @refs: how many clients it has, with those that a thief holds; lock of pool->accounts
 * @orphan: it has none, and is gone with the last slab; written under that lock
 * @holder: in pool->holders, while it has slabs, and until that is looked at; that lock
 * @clients: how many are open
 * @waiters: how many of their rents wait
 * @pinned: bytes in its slabs
 * @quota: how many these may be, if that was set for the user, see quota.c; or 0
 * @warm: bytes in warm blocks; each CPU has its own part
 * @rcu: for freeing, since clients and accounts are looked through under RCU
 * @holdings: what it has, by class
 *
 * What counts is what an account keeps from others: slabs that a block of its is in.
 */
struct bufpool_account {
	kuid_t uid;
	struct bufpool_pool *pool;
	unsigned int refs;
	bool orphan;
	struct list_head holder;
	struct bufpool_budget clients;
	struct bufpool_budget waiters;
	struct bufpool_budget pinned;
	unsigned long quota;
	s64 __percpu *warm;
	struct rcu_head rcu;
	struct bufpool_holding holdings[];
};

void bufpool_account_reap(struct bufpool_account *account);
void bufpool_account_add_holder(struct bufpool_account *account);

/* Charge an account for a slab. Return: whether its quota admits it. */
static inline bool bufpool_account_charge(struct bufpool_account *account, size_t bytes,
					  unsigned long quota)
{
	if (!bufpool_budget_charge(&account->pinned, bytes, quota))
		return false;
	/* pairs with bufpool_account_next_holder() */
	if (unlikely(list_empty(&account->holder)))
		bufpool_account_add_holder(account);
	return true;
}

/* An account is charged less, for a slab; the lock of its class is held. */
static inline void bufpool_account_uncharge(struct bufpool_account *account, size_t bytes)
{
	bufpool_budget_uncharge(&account->pinned, bytes);
	/* pairs with bufpool_account_put() */
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(account->orphan)))
		bufpool_account_reap(account);
}

struct bufpool_account *bufpool_account_get(struct bufpool_pool *pool);
void bufpool_account_put(struct bufpool_account *account);
struct bufpool_account *bufpool_account_next_holder(struct bufpool_pool *pool);
bool bufpool_account_is_rich(const struct bufpool_account *account);
struct bufpool_account *bufpool_account_next(struct bufpool_pool *pool,
					     unsigned long *uid);
u64 bufpool_account_warm(const struct bufpool_account *account);
u64 bufpool_account_kept(const struct bufpool_account *account);
u64 bufpool_account_out(const struct bufpool_account *account);

#endif /* _BUFPOOL_ACCOUNT_H */
