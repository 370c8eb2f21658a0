/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_ACCOUNT_H
#define _BUFPOOL_ACCOUNT_H

#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include "budget.h"
#include "kept.h"
#include "lru.h"

struct bufpool_pool;

/**
 * struct bufpool_account - whom bytes are charged to, and the bounds of that
 * @uid: the user id that it is found by, see account.c; constant
 * @ref: held by each client
 * @clients: how many are open
 * @waiters: how many of their rents wait
 * @held: bytes that they hold, rented and warm
 * @warm: bytes of that in warm blocks; each CPU has its own part
 * @lru: struct bufpool_warm of its clients
 * @kept: struct bufpool_kept of its clients
 * @rcu: for freeing, since clients and accounts are looked through under RCU
 *
 * What counts is what an account keeps from others: blocks that are rented, and
 * blocks that are warm. So a rental of a warm block changes nothing here.
 */
struct bufpool_account {
	kuid_t uid;
	refcount_t ref;
	struct bufpool_budget clients;
	struct bufpool_budget waiters;
	struct bufpool_budget held;
	s64 __percpu *warm;
	struct bufpool_lru lru;
	struct bufpool_keepers kept;
	struct rcu_head rcu;
};

struct bufpool_account *bufpool_account_get(struct bufpool_pool *pool);
void bufpool_account_put(struct bufpool_pool *pool, struct bufpool_account *account);
struct bufpool_account *bufpool_account_next(struct bufpool_pool *pool,
					     unsigned long *uid);
u64 bufpool_account_warm(const struct bufpool_account *account);

#endif /* _BUFPOOL_ACCOUNT_H */
