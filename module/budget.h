/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_BUDGET_H
#define _BUFPOOL_BUDGET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/uidgid.h>

struct bufpool_blk;
struct bufpool_client;
struct bufpool_pool;
struct bufpool_request;

/* What may refuse bytes. */
enum bufpool_bound {
	BUFPOOL_BOUND_POOL,
	BUFPOOL_BOUND_QUOTA,
	BUFPOOL_BOUND_CEILING,
};

/**
 * struct bufpool_user - one user id
 * @node: in pool->users; pool->clients_lock
 * @uid: the user id; constant
 * @clients: how many were opened under it; pool->clients_lock
 * @held: bytes they hold, rented and warm
 */
struct bufpool_user {
	struct list_head node;
	kuid_t uid;
	unsigned int clients;
	atomic_long_t held;
};

struct bufpool_user *bufpool_user_get(struct bufpool_pool *pool);
void bufpool_user_put(struct bufpool_pool *pool, struct bufpool_user *user);
bool bufpool_budget_charge_user(struct bufpool_client *client, size_t bytes);
void bufpool_budget_uncharge_user(struct bufpool_client *client, size_t bytes);
int bufpool_budget_charge_pool(struct bufpool_pool *pool, size_t bytes);
void bufpool_budget_uncharge_pool(struct bufpool_pool *pool, size_t bytes);
unsigned int bufpool_budget_charge_many(struct bufpool_client *client, size_t size,
				   unsigned int count);
bool bufpool_budget_charge_client(struct bufpool_client *client, size_t size);
void bufpool_budget_uncharge_client(struct bufpool_client *client, size_t size);
void bufpool_budget_uncharge(struct bufpool_client *client, size_t size);
bool bufpool_budget_charge_rest(const struct bufpool_request *request,
				struct bufpool_blk *blk);
void bufpool_budget_uncharge_rest(const struct bufpool_request *request,
				  struct bufpool_blk *blk);

#endif /* _BUFPOOL_BUDGET_H */
