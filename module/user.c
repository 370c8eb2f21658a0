// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user: all clients that were opened under one user id, and their quota.
 *
 * What counts is what a user keeps from others: blocks that are rented, and
 * blocks that are warm. So a rental of a warm block changes nothing here.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include "bufpool.h"
#include "trace.h"

/* Return: the user, or NULL; pool->clients_lock is held. */
static struct bufpool_user *find(struct bufpool_pool *pool, kuid_t uid)
{
	struct bufpool_user *user;

	lockdep_assert_held(&pool->clients_lock);
	list_for_each_entry(user, &pool->users, node)
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/**
 * bufpool_user_get - the user that a task acts as, for a new client
 * @pool: where; its clients_lock is held
 *
 * Return: the user, with a reference, or NULL where there is no memory.
 */
struct bufpool_user *bufpool_user_get(struct bufpool_pool *pool)
{
	struct bufpool_user *user = find(pool, current_euid());

	if (!user) {
		user = kzalloc(sizeof(*user), GFP_KERNEL);
		if (!user)
			return NULL;
		user->uid = current_euid();
		list_add(&user->node, &pool->users);
	}
	user->clients++;
	return user;
}

/**
 * bufpool_user_put - undo bufpool_user_get()
 * @pool: where; its clients_lock is held
 * @user: whose client is gone, and has given everything back
 */
void bufpool_user_put(struct bufpool_pool *pool, struct bufpool_user *user)
{
	lockdep_assert_held(&pool->clients_lock);
	if (--user->clients)
		return;
	WARN_ON_ONCE(atomic_long_read(&user->held));
	list_del(&user->node);
	kfree(user);
}

/**
 * bufpool_user_charge - count bytes against the quota of a client's user
 * @client: whose
 * @bytes: how many
 *
 * Return: whether they are within it.
 */
bool bufpool_user_charge(struct bufpool_client *client, size_t bytes)
{
	unsigned long quota = bufpool_user_quota(client);
	long old = atomic_long_read(&client->user->held);

	do {
		if (bytes > quota || old > quota - bytes) {
			trace_bufpool_limit_hit(BUFPOOL_BOUND_QUOTA, bytes, old,
						quota);
			return false;
		}
	} while (!atomic_long_try_cmpxchg(&client->user->held, &old,
					  old + bytes));
	return true;
}

/* Undo bufpool_user_charge(). */
void bufpool_user_uncharge(struct bufpool_client *client, size_t bytes)
{
	atomic_long_sub(bytes, &client->user->held);
}
