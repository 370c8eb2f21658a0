// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user: all clients that were opened under one user id.
 *
 * Users are found by their number in pool->users, whose lock is held for a few
 * steps only.
 */
#include <linux/cred.h>
#include <linux/slab.h>
#include "bufpool.h"

static void user_free(struct bufpool_user *user)
{
	free_percpu(user->warm);
	kfree_rcu(user, rcu);
}

static struct bufpool_user *user_create(kuid_t uid)
{
	struct bufpool_user *user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);

	if (!user)
		return NULL;
	user->uid = uid;
	user->held.bound = BUFPOOL_BOUND_QUOTA;
	bufpool_lru_init(&user->lru);
	bufpool_keepers_init(&user->kept);
	user->warm = alloc_percpu_gfp(s64, GFP_KERNEL_ACCOUNT);
	if (!user->warm) {
		kfree(user);
		return NULL;
	}
	return user;
}

static struct bufpool_user *user_find(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_user *user;

	xa_lock(&pool->users);
	user = xa_load(&pool->users, __kuid_val(uid));
	if (user)
		user->clients++;
	xa_unlock(&pool->users);
	return user;
}

/* Publish a user with one client, or get the one that was published meanwhile. */
static struct bufpool_user *user_publish(struct bufpool_pool *pool,
					 struct bufpool_user *user)
{
	struct bufpool_user *old;

	user->clients = 1;
	xa_lock(&pool->users);
	old = __xa_cmpxchg(&pool->users, __kuid_val(user->uid), NULL, user,
			   GFP_KERNEL_ACCOUNT);
	if (old && !xa_is_err(old))
		old->clients++;
	xa_unlock(&pool->users);
	if (!old)
		return user;
	user_free(user);
	return xa_is_err(old) ? NULL : old;
}

/**
 * bufpool_user_get - the user that the current task acts as, for a new client
 * @pool: where
 *
 * May sleep.
 *
 * Return: the user, with a reference, or NULL where there is no memory.
 */
struct bufpool_user *bufpool_user_get(struct bufpool_pool *pool)
{
	struct bufpool_user *user = user_find(pool, current_euid());

	if (user)
		return user;
	user = user_create(current_euid());
	return user ? user_publish(pool, user) : NULL;
}

/**
 * bufpool_user_put - undo bufpool_user_get()
 * @pool: where
 * @user: whose client is gone, and has given everything back
 */
void bufpool_user_put(struct bufpool_pool *pool, struct bufpool_user *user)
{
	bool last;

	xa_lock(&pool->users);
	last = !--user->clients;
	if (last)
		__xa_erase(&pool->users, __kuid_val(user->uid));
	xa_unlock(&pool->users);
	if (!last)
		return;
	WARN_ON_ONCE(bufpool_budget_used(&user->held));
	WARN_ON_ONCE(bufpool_user_warm(user));
	user_free(user);
}

/* Bytes in warm blocks of all clients of a user. */
u64 bufpool_user_warm(const struct bufpool_user *user)
{
	s64 bytes = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		bytes += READ_ONCE(*per_cpu_ptr(user->warm, cpu));
	/* the parts are not read at one instant */
	return max_t(s64, bytes, 0);
}
