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
 * @refs: how many branches and channels it has, blocks that it pays for in slabs of others, and
 *	calls that look for it; lock of pool->accounts
 * @branches: struct bufpool_branch; written under that lock, read under RCU
 * @nr_holders: how many of them are in pool->holders; that lock
 * @clients: how many are open, and what else counts as these, see bufpool_client_charge()
 * @waiters: how many of their rents wait
 * @pinned: bytes in its slabs
 * @draining: of these, bytes in slabs that are being drained
 * @moved: of these, bytes in blocks that others' slabs have, less those in its own that others
 *	are charged for, see charge.c
 * @quarantined: of these, bytes in blocks that are quarantined
 * @referenced: these, as far as references keep them there; the quarantine's lock
 * @quarantine_node: in its list of accounts, if there are any; that lock
 * @quota: how many these may be, if that was set for the user, see quota.c; or 0. Written
 *	under the lock of pool->accounts
 * @warm: bytes in warm blocks; each CPU has its own part
 * @rcu: for freeing, since clients and accounts are looked through under RCU
 *
 * What counts is what an account keeps from others: slabs that a block of its is in, but for
 * blocks that others have received, see charge.c.
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
	atomic_long_t moved;
	atomic_long_t quarantined;
	struct list_head referenced;
	struct list_head quarantine_node;
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
u64 bufpool_account_quarantined(const struct bufpool_account *account);

#endif /* _BUFPOOL_ACCOUNT_H */
