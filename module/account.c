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
 * steps only. An account is there as long as it has a branch, see branch.c, and only under
 * that lock does it go: so what is found can be had.
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

/* The last branch may have been found empty before the account was charged less. */
static void account_free_rcu(struct rcu_head *rcu)
{
	struct bufpool_account *account = container_of(rcu, struct bufpool_account, rcu);

	WARN_ON_ONCE(bufpool_budget_used(&account->clients));
	WARN_ON_ONCE(bufpool_budget_used(&account->waiters));
	WARN_ON_ONCE(bufpool_budget_used(&account->pinned));
	WARN_ON_ONCE(bufpool_account_warm(account));
	WARN_ON_ONCE(bufpool_account_quarantined(account));
	account_free(account);
}

static struct bufpool_account *account_create(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_account *account = kzalloc(sizeof(*account), GFP_KERNEL_ACCOUNT);

	if (!account)
		return NULL;
	account->uid = uid;
	account->pool = pool;
	account->refs = 1;
	INIT_LIST_HEAD(&account->branches);
	INIT_LIST_HEAD(&account->referenced);
	INIT_LIST_HEAD(&account->quarantine_node);
	account->clients.bound = BUFPOOL_BOUND_CLIENTS;
	account->waiters.bound = BUFPOOL_BOUND_WAITERS;
	account->pinned.bound = BUFPOOL_BOUND_QUOTA;
	account->warm = alloc_percpu_gfp(s64, GFP_KERNEL_ACCOUNT);
	if (!account->warm) {
		kfree(account);
		return NULL;
	}
	return account;
}

/* One branch more, or call; the lock of pool->accounts is held. */
void bufpool_account_hold(struct bufpool_account *account)
{
	account->refs++;
}

static struct bufpool_account *account_find(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_account *account;

	xa_lock(&pool->accounts);
	account = xa_load(&pool->accounts, __kuid_val(uid));
	if (account)
		bufpool_account_hold(account);
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
		bufpool_account_hold(old);
	else if (!old)
		WRITE_ONCE(account->quota, bufpool_quota_of_user(pool, account->uid));
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
	account = account_create(pool, uid);
	return account ? account_publish(pool, account) : NULL;
}

/* One reference less, under the lock of pool->accounts; RCU holds its memory. */
void bufpool_account_release(struct bufpool_account *account)
{
	if (--account->refs)
		return;
	__xa_erase(&account->pool->accounts, __kuid_val(account->uid));
	call_rcu(&account->rcu, account_free_rcu);
}

/* Give a reference back. */
void bufpool_account_put(struct bufpool_account *account)
{
	struct bufpool_pool *pool = account->pool;

	xa_lock(&pool->accounts);
	bufpool_account_release(account);
	xa_unlock(&pool->accounts);
}

/* Whether an account has more than its share of the limit, were all with slabs to share. */
bool bufpool_account_is_rich(const struct bufpool_account *account)
{
	const struct bufpool_pool *pool = account->pool;
	unsigned int holders = max(READ_ONCE(pool->nr_holders), 1U);

	return bufpool_budget_used(&account->pinned) >
	       READ_ONCE(pool->config.limit) / holders;
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
	struct bufpool_account *account;

	/* lest the tree grow meanwhile: that is written plainly, and read so in a walk */
	xa_lock(&pool->accounts);
	account = xa_find(&pool->accounts, uid, ULONG_MAX, XA_PRESENT);
	xa_unlock(&pool->accounts);
	return account;
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

/* Bytes in quarantined blocks that an account is charged for. */
u64 bufpool_account_quarantined(const struct bufpool_account *account)
{
	return max(atomic_long_read(&account->quarantined), 0L);
}
