/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_ACCOUNT_H
#define _BUFPOOL_ACCOUNT_H

#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/uidgid.h>
#include "budget.h"

struct bufpool_pool;

/**
 * struct bufpool_account - whom bytes are charged to, and the bounds of that
 * @uid: the user id that it is found by, see account.c; constant
 * @pool: where; constant
 * @refs: how many branches it has, and calls that look for one; lock of pool->accounts
 * @branches: struct bufpool_branch; written under that lock, read under RCU
 * @nr_holders: how many of them are in pool->holders; that lock
 * @clients: how many are open
 * @waiters: how many of their rents wait
 * @pinned: bytes in its slabs
 * @draining: of these, bytes in slabs that are being drained
 * @quota: how many these may be, if that was set for the user, see quota.c; or 0
 * @warm: bytes in warm blocks; each CPU has its own part
 * @rcu: for freeing, since clients and accounts are looked through under RCU
 *
 * What counts is what an account keeps from others: slabs that a block of its is in.
 */
struct bufpool_account {
	kuid_t uid;
	struct bufpool_pool *pool;
	unsigned int refs;
	struct list_head branches;
	unsigned int nr_holders;
	struct bufpool_budget clients;
	struct bufpool_budget waiters;
	struct bufpool_budget pinned;
	atomic_long_t draining;
	unsigned long quota;
	s64 __percpu *warm;
	struct rcu_head rcu;
};

struct bufpool_account *bufpool_account_get(struct bufpool_pool *pool);
void bufpool_account_hold(struct bufpool_account *account);
void bufpool_account_release(struct bufpool_account *account);
void bufpool_account_put(struct bufpool_account *account);
bool bufpool_account_is_rich(const struct bufpool_account *account);
struct bufpool_account *bufpool_account_next(struct bufpool_pool *pool,
					     unsigned long *uid);
u64 bufpool_account_warm(const struct bufpool_account *account);

#endif /* _BUFPOOL_ACCOUNT_H */
