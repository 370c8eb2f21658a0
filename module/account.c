// SPDX-License-Identifier: GPL-2.0-only
/*
 * An account: all clients that were opened under one user id.
 *
 * Accounts are found by their number in pool->accounts, whose lock is held for a few
 * steps only.
 */
#include <linux/cred.h>
#include <linux/slab.h>
#include "bufpool.h"

static void account_free(struct bufpool_account *account)
{
	free_percpu(account->warm);
	kfree_rcu(account, rcu);
}

static struct bufpool_account *account_create(kuid_t uid)
{
	struct bufpool_account *account = kzalloc(sizeof(*account), GFP_KERNEL_ACCOUNT);

	if (!account)
		return NULL;
	account->uid = uid;
	account->held.bound = BUFPOOL_BOUND_QUOTA;
	bufpool_lru_init(&account->lru);
	bufpool_keepers_init(&account->kept);
	account->warm = alloc_percpu_gfp(s64, GFP_KERNEL_ACCOUNT);
	if (!account->warm) {
		kfree(account);
		return NULL;
	}
	return account;
}

static struct bufpool_account *account_find(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_account *account;

	xa_lock(&pool->accounts);
	account = xa_load(&pool->accounts, __kuid_val(uid));
	if (account)
		account->clients++;
	xa_unlock(&pool->accounts);
	return account;
}

/* Publish an account with one client, or get the one that was published meanwhile. */
static struct bufpool_account *account_publish(struct bufpool_pool *pool,
					       struct bufpool_account *account)
{
	struct bufpool_account *old;

	account->clients = 1;
	xa_lock(&pool->accounts);
	old = __xa_cmpxchg(&pool->accounts, __kuid_val(account->uid), NULL, account,
			   GFP_KERNEL_ACCOUNT);
	if (old && !xa_is_err(old))
		old->clients++;
	xa_unlock(&pool->accounts);
	if (!old)
		return account;
	account_free(account);
	return xa_is_err(old) ? NULL : old;
}

/**
 * bufpool_account_get - the account that the current task acts as, for a new client
 * @pool: where
 *
 * May sleep.
 *
 * Return: the account, with a reference, or NULL where there is no memory.
 */
struct bufpool_account *bufpool_account_get(struct bufpool_pool *pool)
{
	struct bufpool_account *account = account_find(pool, current_euid());

	if (account)
		return account;
	account = account_create(current_euid());
	return account ? account_publish(pool, account) : NULL;
}

/**
 * bufpool_account_put - undo bufpool_account_get()
 * @pool: where
 * @account: whose client is gone, and has given everything back
 */
void bufpool_account_put(struct bufpool_pool *pool, struct bufpool_account *account)
{
	bool last;

	xa_lock(&pool->accounts);
	last = !--account->clients;
	if (last)
		__xa_erase(&pool->accounts, __kuid_val(account->uid));
	xa_unlock(&pool->accounts);
	if (!last)
		return;
	WARN_ON_ONCE(bufpool_budget_used(&account->held));
	WARN_ON_ONCE(bufpool_account_warm(account));
	account_free(account);
}

/* Bytes in warm blocks of all clients of an account. */
u64 bufpool_account_warm(const struct bufpool_account *account)
{
	s64 bytes = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		bytes += READ_ONCE(*per_cpu_ptr(account->warm, cpu));
	/* the parts are not read at one instant */
	return max_t(s64, bytes, 0);
}
