// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets: what the pool, a user and a client may hold.
 *
 * Bytes are charged to the pool before a slab is made and uncharged after it is
 * gone, so what the pool holds never passes its limit.
 *
 * A user: all clients that were opened under one user id, and their quota.
 *
 * What counts is what a user keeps from others: blocks that are rented, and
 * blocks that are warm. So a rental of a warm block changes nothing here.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/slab.h>
#include "bufpool.h"
#include "trace.h"

/* Return: the user, or NULL; pool->clients_lock is held. */
static struct bufpool_user *budget_find_user(struct bufpool_pool *pool, kuid_t uid)
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
	struct bufpool_user *user = budget_find_user(pool, current_euid());

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
 * bufpool_budget_charge_user - count bytes against the quota of a client's user
 * @client: whose
 * @bytes: how many
 *
 * Return: whether they are within it.
 */
bool bufpool_budget_charge_user(struct bufpool_client *client, size_t bytes)
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

/* Undo bufpool_budget_charge_user(). */
void bufpool_budget_uncharge_user(struct bufpool_client *client, size_t bytes)
{
	atomic_long_sub(bytes, &client->user->held);
}

/**
 * bufpool_budget_charge_pool - ask for memory under the limit
 * @pool: whose limit
 * @bytes: how much
 *
 * Return: 0; -EAGAIN where others hold too much; -EDQUOT where the limit is less
 * than that.
 */
int bufpool_budget_charge_pool(struct bufpool_pool *pool, size_t bytes)
{
	long old = atomic_long_read(&pool->pinned);
	unsigned long limit;

	do {
		limit = READ_ONCE(pool->config.limit);
		if (bytes > limit || old > limit - bytes) {
			trace_bufpool_limit_hit(BUFPOOL_BOUND_POOL, bytes, old,
						limit);
			return bytes > limit ? -EDQUOT : -EAGAIN;
		}
	} while (!atomic_long_try_cmpxchg(&pool->pinned, &old, old + bytes));
	return 0;
}

/**
 * bufpool_budget_uncharge_pool - undo bufpool_budget_charge_pool()
 * @pool: whose limit
 * @bytes: how much
 *
 * Lets those who wait try again.
 */
void bufpool_budget_uncharge_pool(struct bufpool_pool *pool, size_t bytes)
{
	atomic_long_inc(&pool->uncharges);
	/* pairs with look() */
	smp_mb__after_atomic();
	atomic_long_sub(bytes, &pool->pinned);
	bufpool_pool_wake_waiters(pool);
}

/* Return: how many of @count blocks the ceiling admits. */
unsigned int bufpool_budget_charge_many(struct bufpool_client *client, size_t size,
			   unsigned int count)
{
	u64 bytes = (u64)count * size, room = 0;

	lockdep_assert_held(&client->lock);
	if (client->ceiling > client->charged)
		room = client->ceiling - client->charged;
	if (bytes > room) {
		count = div64_u64(room, size);
		bytes = (u64)count * size;
	}
	if (!count)
		trace_bufpool_limit_hit(BUFPOOL_BOUND_CEILING, size,
					client->charged, client->ceiling);
	client->charged += bytes;
	return count;
}

bool bufpool_budget_charge_client(struct bufpool_client *client, size_t size)
{
	unsigned int count;

	spin_lock(&client->lock);
	count = bufpool_budget_charge_many(client, size, 1);
	spin_unlock(&client->lock);
	return count;
}

void bufpool_budget_uncharge_client(struct bufpool_client *client, size_t size)
{
	spin_lock(&client->lock);
	client->charged -= size;
	spin_unlock(&client->lock);
}

void bufpool_budget_uncharge(struct bufpool_client *client, size_t size)
{
	bufpool_budget_uncharge_user(client, size);
	bufpool_budget_uncharge_client(client, size);
}

static size_t budget_rest(const struct bufpool_request *request,
		   struct bufpool_blk *blk)
{
	return bufpool_blk_size(blk) - bufpool_class_block_size(request->class);
}

/**
 * bufpool_budget_charge_rest - charge what a block has more than was asked for
 * @request: by whom; the size asked for has been charged
 * @blk: of a larger class, in transit
 *
 * Nobody needs the block to be larger, so no warm block gives way to that.
 *
 * Return: whether ceiling and quota admit it.
 */
bool bufpool_budget_charge_rest(const struct bufpool_request *request,
				struct bufpool_blk *blk)
{
	struct bufpool_client *client = request->client;
	size_t more = budget_rest(request, blk);

	if (!bufpool_budget_charge_client(client, more))
		return false;
	if (bufpool_budget_charge_user(client, more))
		return true;
	bufpool_budget_uncharge_client(client, more);
	return false;
}

/* Undo bufpool_budget_charge_rest(). */
void bufpool_budget_uncharge_rest(const struct bufpool_request *request,
				  struct bufpool_blk *blk)
{
	bufpool_budget_uncharge(request->client, budget_rest(request, blk));
}
