/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_CLIENT_H
#define _BUFPOOL_CLIENT_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include "pool.h"

/**
 * struct bufpool_warm - the warm blocks of one class that a client has
 * @blks: the latest used first; client->lock
 * @nr: how many; client->lock
 */
struct bufpool_warm {
	struct list_head blks;
	unsigned int nr;
};

/**
 * struct bufpool_client - one open file description
 * @pool: where it rents; constant
 * @user: whose quota counts; constant
 * @exempt: from the quota; constant
 * @pid: who opened it, as seen by init; constant
 * @comm: the name of that; constant
 * @ref: the file holds one, and who takes a warm block away
 * @node: in pool->clients; pool->clients_lock
 * @mapping: every mapping of this file and no other, so that revoking looks
 *	at this client only
 * @nr_mappings: how many of them map blocks
 * @map_sem: see map.c
 * @cookie: what this client's generations are counted from; constant
 * @lock: guards all that follows
 * @held: the blocks it rents
 * @last_slab: the slab of a block that it rented lately; NULL once it has lost any
 *	block since, so the slab cannot be gone while this names it
 * @warm: its warm blocks, by class
 * @nr_warm: how many in all
 * @warm_bytes: bytes in them
 * @warm_rents: rentals of warm blocks
 * @nr_held: how many it rents
 * @held_bytes: bytes in them
 * @charged: bytes it holds or is about to
 * @ceiling: bytes it may hold
 * @issued: handles it has been given
 * @rents: blocks it has rented
 * @returns: blocks it has returned
 */
struct bufpool_client {
	struct bufpool_pool *pool;
	struct bufpool_user *user;
	bool exempt;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct kref ref;
	struct list_head node;
	struct address_space mapping;
	atomic_t nr_mappings;
	struct rw_semaphore map_sem;
	u32 cookie;
	spinlock_t lock ____cacheline_aligned;
	struct list_head held;
	struct bufpool_slab *last_slab;
	struct bufpool_warm warm[BUFPOOL_MAX_CLASSES];
	u64 nr_warm;
	u64 warm_bytes;
	u64 warm_rents;
	u64 nr_held;
	u64 held_bytes;
	u64 charged;
	u64 ceiling;
	u64 issued;
	u64 rents;
	u64 returns;
};

/* Bytes that a client's user may hold. */
static inline unsigned long
bufpool_user_quota(const struct bufpool_client *client)
{
	if (client->exempt)
		return LONG_MAX;
	return READ_ONCE(client->pool->config.quota);
}

/* A block is the client's no more: in transit; client->lock is held. */
static inline void bufpool_client_disown(struct bufpool_client *client,
				       struct bufpool_blk *blk)
{
	client->last_slab = NULL;
	WRITE_ONCE(blk->owner, NULL);
}

/**
 * bufpool_client_holds - whether a block is this client's
 * @client: whose map_sem or lock is held, if the answer is to last
 * @blk: any, under RCU
 */
static inline bool bufpool_client_holds(struct bufpool_client *client,
					struct bufpool_blk *blk)
{
	/* pairs with rental_publish() */
	return smp_load_acquire(&blk->owner) == client;
}

struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode);
void bufpool_client_destroy(struct bufpool_client *client);
void bufpool_client_put(struct bufpool_client *client);
int bufpool_client_set_ceiling(struct bufpool_client *client, u64 ceiling);
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats);

#endif /* _BUFPOOL_CLIENT_H */
