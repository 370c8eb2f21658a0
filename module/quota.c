// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas: how many bytes in slabs an account may have.
 *
 * The administrator sets one for all, and others for single users. The latter are in
 * pool->quotas, where they are found whether the user has an account or not; an account
 * has a copy. Whoever changes one writes there first, and then the copy under the lock of
 * pool->accounts; a new account is published under that lock, and reads after that.
 */
#include "bufpool.h"

/* What is set for a user; 0 is nothing, and LONG_MAX no quota. */
unsigned long bufpool_quota_of_user(struct bufpool_pool *pool, kuid_t uid)
{
	void *entry = xa_load(&pool->quotas, __kuid_val(uid));

	return entry ? xa_to_value(entry) : 0;
}

/* Bytes in slabs that an account may have. */
unsigned long bufpool_quota_of_account(const struct bufpool_account *account)
{
	return READ_ONCE(account->quota) ?: bufpool_pool_quota(account->pool);
}

/**
 * bufpool_quota_set - set one user's quota
 * @pool: where
 * @uid: whose
 * @bytes: at least a page; 0 is what is for all, U64_MAX is none
 *
 * bufpool_pool_wake_waiters() is due. May sleep.
 *
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int bufpool_quota_set(struct bufpool_pool *pool, kuid_t uid, u64 bytes)
{
	unsigned long quota = min_t(u64, bytes, LONG_MAX);
	struct bufpool_account *account;
	int err;

	if (quota && quota < PAGE_SIZE)
		return -EINVAL;
	err = xa_err(xa_store(&pool->quotas, __kuid_val(uid),
			      quota ? xa_mk_value(quota) : NULL, GFP_KERNEL));
	if (err)
		return err;
	xa_lock(&pool->accounts);
	account = xa_load(&pool->accounts, __kuid_val(uid));
	/* what is there now, if another task has set it since */
	if (account)
		WRITE_ONCE(account->quota, bufpool_quota_of_user(pool, uid));
	xa_unlock(&pool->accounts);
	return 0;
}

/* Fill in what BUFPOOL_IOC_QUOTA says. */
void bufpool_quota_show(struct bufpool_pool *pool, kuid_t uid,
			struct bufpool_quota *quota)
{
	unsigned long bytes = bufpool_quota_of_user(pool, uid);
	struct bufpool_account *account;

	quota->quota = bytes == LONG_MAX ? U64_MAX : bytes;
	rcu_read_lock();
	account = xa_load(&pool->accounts, __kuid_val(uid));
	quota->held = account ? bufpool_budget_used(&account->pinned) : 0;
	rcu_read_unlock();
}
