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
 * steps only. An account is there as long as it has a client, or a slab is charged to it,
 * and only under that lock does it go: so what is found can be had.
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

static struct bufpool_account *account_create(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_account *account;
	unsigned int nr;

	account = kzalloc(struct_size(account, holdings, pool->nr_classes),
			  GFP_KERNEL_ACCOUNT);
	if (!account)
		return NULL;
	account->uid = uid;
	account->pool = pool;
	account->refs = 1;
	INIT_LIST_HEAD(&account->holder);
	account->clients.bound = BUFPOOL_BOUND_CLIENTS;
	account->waiters.bound = BUFPOOL_BOUND_WAITERS;
	account->pinned.bound = BUFPOOL_BOUND_QUOTA;
	for (nr = 0; nr < pool->nr_classes; nr++)
		bufpool_holding_init(&account->holdings[nr], account);
	account->warm = alloc_percpu_gfp(s64, GFP_KERNEL_ACCOUNT);
	if (!account->warm) {
		kfree(account);
		return NULL;
	}
	return account;
}

/* One client more, or thief; the lock of pool->accounts is held. */
static void account_hold(struct bufpool_account *account)
{
	account->refs++;
	WRITE_ONCE(account->orphan, false);
}

static struct bufpool_account *account_find(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_account *account;

	xa_lock(&pool->accounts);
	account = xa_load(&pool->accounts, __kuid_val(uid));
	if (account)
		account_hold(account);
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
		account_hold(old);
	else if (!old)
		account->quota = bufpool_quota_of_user(pool, account->uid);
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

static void account_remove_holder(struct bufpool_account *account)
{
	if (list_empty(&account->holder))
		return;
	list_del_init(&account->holder);
	WRITE_ONCE(account->pool->nr_holders, account->pool->nr_holders - 1);
}

/*
 * Take an orphan out of the accounts, unless a slab is charged to it still, or somebody else
 * has. Return: whether the caller is to free it.
 */
static bool account_remove(struct bufpool_account *account)
{
	struct xarray *accounts = &account->pool->accounts;

	if (!account->orphan || bufpool_budget_used(&account->pinned) ||
	    xa_load(accounts, __kuid_val(account->uid)) != account)
		return false;
	__xa_erase(accounts, __kuid_val(account->uid));
	account_remove_holder(account);
	return true;
}

static void account_free_later(struct bufpool_account *account)
{
	WARN_ON_ONCE(bufpool_budget_used(&account->clients));
	WARN_ON_ONCE(bufpool_budget_used(&account->waiters));
	WARN_ON_ONCE(bufpool_account_warm(account));
	call_rcu(&account->rcu, account_free_rcu);
}

/**
 * bufpool_account_put - give a reference back
 * @account: of a client that is gone, or of bufpool_account_next_holder()
 *
 * What the background zeroes just now may be in a slab of the account's still.
 */
void bufpool_account_put(struct bufpool_account *account)
{
	struct bufpool_pool *pool = account->pool;
	bool removed = false;

	xa_lock(&pool->accounts);
	if (!--account->refs) {
		WRITE_ONCE(account->orphan, true);
		/* pairs with bufpool_account_uncharge() */
		smp_mb();
		removed = account_remove(account);
	}
	xa_unlock(&pool->accounts);
	if (removed)
		account_free_later(account);
}

/*
 * An orphan may be charged for nothing any more. The lock of a class is held since it was,
 * so RCU holds its memory.
 */
void bufpool_account_reap(struct bufpool_account *account)
{
	struct bufpool_pool *pool = account->pool;
	bool removed;

	xa_lock(&pool->accounts);
	removed = account_remove(account);
	xa_unlock(&pool->accounts);
	if (removed)
		account_free_later(account);
}

static void account_list_holder(struct bufpool_account *account)
{
	if (!list_empty(&account->holder))
		return;
	list_add_tail(&account->holder, &account->pool->holders);
	WRITE_ONCE(account->pool->nr_holders, account->pool->nr_holders + 1);
}

/* Let an account be found among those that hold something. Also under class->lock. */
void bufpool_account_add_holder(struct bufpool_account *account)
{
	struct bufpool_pool *pool = account->pool;

	xa_lock(&pool->accounts);
	account_list_holder(account);
	xa_unlock(&pool->accounts);
}

/* How many accounts that hold nothing any more one call passes over. */
#define HOLDER_LOOKS	32

/**
 * bufpool_account_next_holder - the account with slabs that was looked at longest ago
 * @pool: where
 *
 * Return: the account, with a reference, or NULL: there is none, or it is to be looked for
 * by a later call.
 */
struct bufpool_account *bufpool_account_next_holder(struct bufpool_pool *pool)
{
	unsigned int looks = HOLDER_LOOKS;
	struct bufpool_account *account = NULL;

	xa_lock(&pool->accounts);
	while (!account && looks-- && !list_empty(&pool->holders)) {
		account = list_first_entry(&pool->holders, struct bufpool_account, holder);
		account_remove_holder(account);
		/* pairs with bufpool_account_charge(): it adds itself, or is seen to hold */
		smp_mb();
		if (bufpool_budget_used(&account->pinned)) {
			account_list_holder(account);
			account_hold(account);
		} else {
			account = NULL;
		}
	}
	xa_unlock(&pool->accounts);
	return account;
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

/* Bytes in stacks of all its clients, as they were seen last. */
u64 bufpool_account_kept(const struct bufpool_account *account)
{
	unsigned int nr;
	u64 bytes = 0;

	for (nr = 0; nr < account->pool->nr_classes; nr++)
		bytes += bufpool_kept_seen(&account->holdings[nr].kept);
	return bytes;
}

/* Bytes in blocks of its slabs that are not free. */
u64 bufpool_account_out(const struct bufpool_account *account)
{
	unsigned int nr;
	u64 bytes = 0;

	for (nr = 0; nr < account->pool->nr_classes; nr++)
		bytes += (u64)READ_ONCE(account->holdings[nr].nr_out) <<
			 account->pool->classes[nr].shift;
	return bytes;
}
