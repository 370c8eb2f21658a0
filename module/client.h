/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_CLIENT_H
#define _BUFPOOL_CLIENT_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include "account.h"
#include "branch.h"
#include "poll.h"
#include "pool.h"
#include "quota.h"

struct bufpool_warm;

/**
 * struct bufpool_client - one open file description
 * @pool: where it rents; constant
 * @account: whom it is charged to; constant
 * @branch: of that, for tasks of the memory cgroup that it was opened in; constant
 * @exempt: from the bounds of that; constant
 * @pid: the process that opened it, as seen by init; constant
 * @comm: the name of that process; constant
 * @ref: held by the file, and by each task that evicts warm blocks
 * @memory: held by all these together, and by each poller: no more than this structure,
 *	its branch and its account
 * @node: in pool->clients
 * @rcu: for freeing, since pool->clients is read under RCU, and pollers are woken
 * @mapping: every mapping of this file and no other, so that revoking looks
 *	at this client only
 * @nr_mappings: how many of them map blocks, or stacks; those of large blocks count as more
 * @unpinned: woken when the last pin of a block is gone, see map.c
 * @waits: its rents that wait
 * @cancelled: none may; no lock
 * @cancels: how often that was said; those that waited then do not wait on
 * @cookie: what this client's generations are counted from; constant
 * @poll: tasks that poll it by its own descriptor
 * @end: tasks that poll it by another
 * @room: its poller for a block of the smallest class
 * @plea: its poller for being asked for blocks
 * @is_closed: its file has been released
 * @pressure_seen: the status page's count when it trimmed last; no lock
 * @held: bytes in blocks that it owns or is about to, rented and warm
 * @lock: guards all that follows
 * @blks: the blocks it owns, rented and warm
 * @last_slab: the slab of a block that it rented lately; NULL once it has lost any
 *	block since, so the slab cannot be gone while this names it
 * @warm: its warm blocks, by class; NULL for a class that it never rented from.
 *	Set once, freed with the client; so also read without the lock
 * @warm_rents: rentals of warm blocks
 * @nr_rented: how many blocks it rents
 * @rented_bytes: bytes in them; read without the lock where about so many will do
 * @ceiling: bytes it may hold
 * @kept: struct bufpool_kept, by the number of its stack; its own lock
 * @kept_seen: bytes in them, when they were looked at; no lock
 * @places: struct bufpool_place, of waiters that signals have interrupted
 * @nr_places: how many
 * @refused: rents that were refused, by enum bufpool_refusal
 * @issued: handles it has been given
 * @rents: blocks it has rented
 * @returns: blocks it has returned
 * @sent: blocks it has sent
 * @received: blocks it has received
 */
struct bufpool_client {
	struct bufpool_pool *pool;
	struct bufpool_account *account;
	struct bufpool_branch *branch;
	bool exempt;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct kref ref;
	struct kref memory;
	struct list_head node;
	struct rcu_head rcu;
	struct address_space mapping;
	atomic_t nr_mappings;
	wait_queue_head_t unpinned;
	wait_queue_head_t waits;
	bool cancelled;
	atomic_t cancels;
	u32 cookie;
	wait_queue_head_t poll;
	wait_queue_head_t end;
	struct bufpool_poll room;
	struct bufpool_poll plea;
	bool is_closed;
	u32 pressure_seen;
	struct bufpool_budget held;
	spinlock_t lock ____cacheline_aligned;
	struct list_head blks;
	struct bufpool_slab *last_slab;
	struct bufpool_warm *warm[BUFPOOL_MAX_CLASSES];
	u64 warm_rents;
	u64 nr_rented;
	u64 rented_bytes;
	u64 ceiling;
	struct xarray kept;
	atomic_long_t kept_seen;
	struct list_head places;
	unsigned int nr_places;
	u64 refused[BUFPOOL_NR_REFUSALS];
	u64 issued;
	u64 rents;
	u64 returns;
	u64 sent;
	u64 received;
};

/* What a bound of accounts, in pool->config, is for a client. */
static inline unsigned long
bufpool_client_bound(const struct bufpool_client *client,
		     const unsigned long *bound)
{
	return client->exempt ? LONG_MAX : READ_ONCE(*bound);
}

/**
 * bufpool_client_charge - count what is about to be made, if the client's account may have it
 * @client: which
 * @pages: of kernel memory: one for a client itself, a poller or a stack
 *
 * Return: 0 or -EDQUOT.
 */
static inline int bufpool_client_charge(struct bufpool_client *client,
					unsigned int pages)
{
	struct bufpool_pool *pool = client->pool;

	if (bufpool_budget_charge(&client->account->clients, pages,
				  bufpool_client_bound(client, &pool->config.max_clients)))
		return 0;
	this_cpu_inc(pool->counters->refused[BUFPOOL_REFUSED_CLIENTS]);
	return -EDQUOT;
}

/* Bytes in slabs that a client's account may have. */
static inline unsigned long
bufpool_client_quota(const struct bufpool_client *client)
{
	return client->exempt ? LONG_MAX : bufpool_quota_of_account(client->account);
}

/* Bytes that a client itself may hold. */
static inline unsigned long
bufpool_client_ceiling(const struct bufpool_client *client)
{
	return min_t(u64, READ_ONCE(client->ceiling), LONG_MAX);
}

/* Where what a client keeps of a class is found. */
static inline struct bufpool_holding *
bufpool_client_holding(struct bufpool_client *client, const struct bufpool_class *class)
{
	return &client->branch->holdings[class->nr];
}

/* So many rentals have ended, of so many bytes. */
static inline void bufpool_client_count_returned(struct bufpool_client *client,
						 int blocks, s64 bytes)
{
	lockdep_assert_held(&client->lock);
	client->nr_rented -= blocks;
	client->rented_bytes -= bytes;
	client->returns += blocks;
	bufpool_count_many(client->pool->counters, BUFPOOL_RETURNS, blocks);
}

/*
 * Take a block from its client: the caller owns it, on a list of its own or on none.
 * client->lock is held.
 */
static inline void bufpool_client_disown(struct bufpool_client *client,
					 struct bufpool_blk *blk)
{
	lockdep_assert_held(&client->lock);
	client->last_slab = NULL;
	bufpool_blk_set_state(blk, BUFPOOL_BLK_TRANSIT);
	WRITE_ONCE(blk->owner, NULL);
}

/* Make a client the owner of a block, which is the caller's. */
static inline void bufpool_client_own(struct bufpool_client *client, struct bufpool_blk *blk)
{
	lockdep_assert_held(&client->lock);
	bufpool_blk_set_state(blk, BUFPOOL_BLK_RENTED);
	WRITE_ONCE(blk->owner, client);
	list_add_tail(&blk->node, &client->blks);
}

/**
 * bufpool_client_rents - whether a block is rented by this client
 * @client: whose lock is held, for as long as the answer is relied upon
 * @blk: any, under RCU
 */
static inline bool bufpool_client_rents(struct bufpool_client *client,
					struct bufpool_blk *blk)
{
	lockdep_assert_held(&client->lock);
	return READ_ONCE(blk->owner) == client &&
	       blk->state == BUFPOOL_BLK_RENTED;
}

struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode);
void bufpool_client_destroy(struct bufpool_client *client);
void bufpool_client_put(struct bufpool_client *client);
void bufpool_client_put_memory(struct bufpool_client *client);
void bufpool_client_cancel(struct bufpool_client *client, bool cancelled);
void bufpool_client_count_refused(struct bufpool_client *client,
				  enum bufpool_refusal why);
int bufpool_client_set_ceiling(struct bufpool_client *client, u64 ceiling);
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats);

#endif /* _BUFPOOL_CLIENT_H */
