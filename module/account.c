// SPDX-License-Identifier: GPL-2.0-only
/*
 * An account: whom bytes are charged to, and all clients of theirs.
 *
 * That is the user id which a client is opened under; or, in a user namespace, the
 * owner of the outermost namespace below the initial one, whatever the user id there.
 * So a user who is given subordinate ids, or nests namespaces, does not get more
 * than one account. What is constant is constant for a client, too: what its task
 * becomes afterwards, or which task it is handed to, changes nothing.
 *
 * Accounts are found by their number in pool->accounts, whose lock is held for a few
 * steps only. An account is there as long as it has a reference, and only under
 * that lock does it lose the last one: so what is found can be had.
 */
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include "bufpool.h"

static kuid_t account_uid_of_current(void)
{
	const struct user_namespace *ns = current_user_ns();

	if (ns == &init_user_ns)
		return current_euid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return ns->owner;
}

static void account_free(struct bufpool_account *account)
{
	free_percpu(account->warm);
	kfree(account);
}

static void account_free_rcu(struct rcu_head *rcu)
{
	account_free(container_of(rcu, struct bufpool_account, rcu));
}

static struct bufpool_account *account_create(kuid_t uid)
{
	struct bufpool_account *account = kzalloc(sizeof(*account), GFP_KERNEL_ACCOUNT);

	if (!account)
		return NULL;
	account->uid = uid;
	refcount_set(&account->ref, 1);
	account->clients.bound = BUFPOOL_BOUND_CLIENTS;
	account->waiters.bound = BUFPOOL_BOUND_WAITERS;
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
		refcount_inc(&account->ref);
	xa_unlock(&pool->accounts);
	return account;
}

/* Publish a new account, or get the one that was published meanwhile. */
static struct bufpool_account *account_publish(struct bufpool_pool *pool,
					       struct bufpool_account *account)
{
	struct bufpool_account *old;

	xa_lock(&pool->accounts);
	old = __xa_cmpxchg(&pool->accounts, __kuid_val(account->uid), NULL, account,
			   GFP_KERNEL_ACCOUNT);
	if (old && !xa_is_err(old))
		refcount_inc(&old->ref);
	xa_unlock(&pool->accounts);
	if (!old)
		return account;
	account_free(account);
	return xa_is_err(old) ? NULL : old;
}

/**
 * bufpool_account_get - the account that the current task is charged to
 * @pool: where
 *
 * May sleep.
 *
 * Return: the account, with a reference, or NULL where there is no memory.
 */
struct bufpool_account *bufpool_account_get(struct bufpool_pool *pool)
{
	kuid_t uid = account_uid_of_current();
	struct bufpool_account *account = account_find(pool, uid);

	if (account)
		return account;
	account = account_create(uid);
	return account ? account_publish(pool, account) : NULL;
}

/**
 * bufpool_account_put - give a reference back
 * @pool: where
 * @account: nothing is charged to it any more on behalf of what had the reference
 */
void bufpool_account_put(struct bufpool_pool *pool, struct bufpool_account *account)
{
	bool last;

	if (refcount_dec_not_one(&account->ref))
		return;
	xa_lock(&pool->accounts);
	last = refcount_dec_and_test(&account->ref);
	if (last)
		__xa_erase(&pool->accounts, __kuid_val(account->uid));
	xa_unlock(&pool->accounts);
	if (!last)
		return;
	WARN_ON_ONCE(bufpool_budget_used(&account->held));
	WARN_ON_ONCE(bufpool_budget_used(&account->clients));
	WARN_ON_ONCE(bufpool_budget_used(&account->waiters));
	WARN_ON_ONCE(bufpool_account_warm(account));
	call_rcu(&account->rcu, account_free_rcu);
}

/**
 * bufpool_account_next - look through the accounts
 * @pool: whose
 * @uid: (in/out) the least user id to look for; the account's
 *
 * Return: the account with the next user id, as long as RCU holds it, or NULL.
 */
struct bufpool_account *bufpool_account_next(struct bufpool_pool *pool,
					     unsigned long *uid)
{
	return xa_find(&pool->accounts, uid, ULONG_MAX, XA_PRESENT);
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
