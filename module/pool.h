/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_POOL_H
#define _BUFPOOL_POOL_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/list_lru.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/workqueue.h>
#include "account.h"
#include "budget.h"
#include "class.h"
#include "compat.h"
#include "counters.h"
#include "quarantine.h"
#include "status.h"

struct bufpool_waiter;

/* What a poller may wait for: a block of the class with that number; to be asked for some. */
#define BUFPOOL_POLL_PRI	BUFPOOL_MAX_CLASSES
#define BUFPOOL_POLL_KINDS	(BUFPOOL_MAX_CLASSES + 1)

/*
 * The least slab_size, which is eight pages. Below this the allocator puts several
 * slabs into one folio of its own, which it can give back only when all of them are
 * free.
 */
#define BUFPOOL_SLAB_SIZE_MIN	(PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER)

/**
 * struct bufpool_config - what a pool is made with
 * @slab_size: bytes that classes of small blocks grow by; a power of two, at least
 *	BUFPOOL_SLAB_SIZE_MIN
 * @max_pooled: bytes in the largest block that is kept; a power of two, or
 *	ULONG_MAX for the largest that can be rented
 * @memcg: charge slabs to memory cgroups
 * @limit: bytes that the pool may hold
 * @quota: bytes in slabs that one account may have; 0 is half of @limit
 * @share: bytes that others are to give up for one waiter at most; 0 is half of @limit
 * @max_clients: how many clients one account may have, and what else counts as these
 * @max_waiters: how many rents of one account may wait
 * @floor: bytes that the pool keeps when they are not needed
 * @warm_blocks: blocks of a class that a client keeps warm at most
 * @warm_bytes: bytes of a class that a client keeps warm at most
 * @trim_ms: period of giving memory back, milliseconds
 *
 * All but the first three may change while the pool is in use; they are read
 * without a lock.
 */
struct bufpool_config {
	unsigned long slab_size;
	unsigned long max_pooled;
	bool memcg;
	unsigned long limit;
	unsigned long quota;
	unsigned long share;
	unsigned long max_clients;
	unsigned long max_waiters;
	unsigned long floor;
	unsigned long warm_blocks;
	unsigned long warm_bytes;
	unsigned long trim_ms;
};

/**
 * struct bufpool_pool - classes and what they may hold together
 * @name: prefix of the names of its caches; constant, as all up to @counters
 * @config: see struct bufpool_config
 * @max_rent: bytes in the largest block
 * @max_rent_io: bytes in the largest block of pages
 * @first_io: the first class of those
 * @nr_classes: how many
 * @nr_used: no class from that number on has had a slab; no lock
 * @counters: see struct bufpool_counters
 * @pinned: bytes in slabs, charged before they are made; at most the limit of
 *	that moment
 * @uncharges: how often @pinned has become less
 * @status: what programs see of it
 * @nr_kept: stacks of all clients, see kept.c
 * @waiting: bit n: there are waiters in class n; a hint
 * @tickets: see wait.c
 * @grants: how many slabs have been given to holdings, which others could have had
 * @drain_lock: guards what follows, up to @switch_wait
 * @drains_for: the waiter that slabs are being drained for, or NULL; whether it is itself that
 *	one a waiter sees without the lock
 * @drain_at: when to have more slabs drained, in jiffies
 * @drain_wait: how long to wait then, in jiffies
 * @drain_fullest: slabs with the most blocks out are drained, as those with the fewest did
 *	not come back
 * @drain_seen: bytes in slabs that were drained at the last look
 * @switch_at: when to have others drained, in jiffies, where none of these comes back
 * @switch_wait: how long they have to, in jiffies
 * @poll_lock: guards @armed
 * @armed: pollers that were told of nothing, by kind, see poll.h
 * @armed_kinds: which of these lists are not empty; written under @poll_lock
 * @wake_pollers: tells them
 * @clients_lock: guards writes of @clients and @nr_clients
 * @clients: open clients; read under RCU
 * @nr_clients: how many
 * @channels_lock: guards writes of @channels and @nr_channels, and @channels_made
 * @channels: struct bufpool_chan; read under RCU
 * @nr_channels: how many
 * @channels_made: how many there have been
 * @in_channels: bytes in blocks that are in them
 * @charges: slabs are charged to memory cgroups; constant
 * @accounts: struct bufpool_account by user id; its own lock
 * @branches: theirs, by account and cgroup; that lock
 * @branch_cache: cache of struct bufpool_branch
 * @charged: those whose slabs are charged, by cgroup; its own lock
 * @quotas: of single users, by user id; its own lock
 * @reserve_lock: guards what classes set aside
 * @holders: branches with slabs in use, the one that was looked at longest ago first; the
 *	lock of @accounts
 * @nr_listed: how many
 * @nr_holders: how many accounts they are of
 * @shrinker: see reclaim.c, as for the rest up to @aged
 * @memcg_shrinker: gives up what is charged to a memory cgroup
 * @wq: for the works that follow
 * @tell_waiters: that they are first, see waitq.c
 * @trim: periodic
 * @scrub: zeroes free blocks
 * @flush: see bufpool_supply_flush_class()
 * @quarantine: blocks that something outside still reaches
 * @scrub_lock: guards @scrubbed, and that block's memory, and writes of @scrub_puts
 * @scrubbed: the block that is being zeroed, see scrub.c, or NULL
 * @scrub_puts: how many blocks have gone back from there
 * @pressed: when the last generation of warm blocks began, in jiffies; no lock
 * @aged: which class is aged first next time, of those in use; no lock
 * @pressure_at: when memory was short last, in jiffies; no lock
 * @classes: the classes
 */
struct bufpool_pool {
	const char *name;
	struct bufpool_config config;
	size_t max_rent;
	size_t max_rent_io;
	unsigned int first_io;
	unsigned int nr_classes;
	unsigned int nr_used;
	struct bufpool_counters __percpu *counters;
	struct bufpool_budget pinned;
	atomic_long_t uncharges;
	struct bufpool_status_page *status;
	atomic_t nr_kept;
	unsigned long waiting;
	atomic64_t tickets;
	atomic64_t grants;
	spinlock_t drain_lock;		/* for which waiter slabs are drained */
	struct bufpool_waiter *drains_for;
	unsigned long drain_at;
	unsigned long drain_wait;
	bool drain_fullest;
	size_t drain_seen;
	unsigned long switch_at;
	unsigned long switch_wait;
	spinlock_t poll_lock;		/* arming pollers */
	struct list_head armed[BUFPOOL_POLL_KINDS];
	unsigned long armed_kinds;
	struct delayed_work wake_pollers;
	spinlock_t clients_lock;	/* adding and removing clients */
	struct list_head clients;
	unsigned int nr_clients;
	spinlock_t channels_lock;	/* adding and removing channels */
	struct list_head channels;
	unsigned int nr_channels;
	u64 channels_made;
	atomic_long_t in_channels;
	bool charges;
	struct xarray accounts;
	DECLARE_HASHTABLE(branches, 8);
	struct kmem_cache *branch_cache;
	struct list_lru charged;
	struct xarray quotas;
	struct mutex reserve_lock;	/* setting memory aside */
	struct list_head holders;
	unsigned int nr_listed;
	unsigned int nr_holders;
	struct bufpool_shrinker shrinker;
	struct bufpool_shrinker memcg_shrinker;
	struct workqueue_struct *wq;
	struct delayed_work tell_waiters;
	struct delayed_work trim;
	struct delayed_work scrub;
	struct work_struct flush;
	struct bufpool_quarantine quarantine;
	spinlock_t scrub_lock;		/* zeroing a page */
	struct bufpool_blk *scrubbed;
	unsigned int scrub_puts;
	unsigned long pressed;
	unsigned int aged;
	unsigned long pressure_at;
	struct bufpool_class classes[BUFPOOL_MAX_CLASSES];
};

/*
 * How many classes count for whatever counts blocks and slabs: all but those for I/O behind the
 * last that has had a slab. Many programs have none of these.
 */
static inline unsigned int bufpool_pool_nr_used(const struct bufpool_pool *pool)
{
	return READ_ONCE(pool->nr_used);
}

/* A class is about to have a slab. */
static inline void bufpool_pool_note_used(struct bufpool_pool *pool, unsigned int nr)
{
	unsigned int used = READ_ONCE(pool->nr_used);

	while (unlikely(nr >= used) && !try_cmpxchg(&pool->nr_used, &used, nr + 1))
		;
}

/* Tasks that wait, in all classes. */
static inline int bufpool_pool_waiting(const struct bufpool_pool *pool)
{
	return atomic_read(&pool->status->waiting);
}

/* Bytes in slabs that an account may have, if no other number is set for its user. */
static inline unsigned long bufpool_pool_quota(const struct bufpool_pool *pool)
{
	return READ_ONCE(pool->config.quota) ?: READ_ONCE(pool->config.limit) / 2;
}

/* Bytes that others are to give up for one waiter at most. */
static inline unsigned long bufpool_pool_share(const struct bufpool_pool *pool)
{
	return READ_ONCE(pool->config.share) ?: READ_ONCE(pool->config.limit) / 2;
}

/* Of these, tasks that a block of a class would serve as it is. */
static inline int bufpool_pool_waiting_of(const struct bufpool_pool *pool,
					  const struct bufpool_class *class)
{
	return atomic_read(&pool->status->waiting_of[class->nr]);
}

/*
 * Whether a wholly free slab of a class is for accounts that wait for blocks of other classes,
 * and hold less than another: they get the room that it takes. A hint.
 */
static inline bool bufpool_pool_is_for_others(const struct bufpool_class *class,
					      const struct bufpool_account *account)
{
	const struct bufpool_pool *pool = class->pool;
	unsigned long waiting = READ_ONCE(pool->waiting) & ~BIT(class->nr), held;
	unsigned int nr;

	if (likely(!waiting))
		return false;
	held = bufpool_budget_used(&account->pinned);
	for_each_set_bit(nr, &waiting, BUFPOOL_MAX_CLASSES)
		if (READ_ONCE(pool->classes[nr].first_held) < held)
			return true;
	return false;
}

/* How many bytes would have to be uncharged before so many can be charged. */
static inline size_t bufpool_pool_missing(const struct bufpool_pool *pool,
					  size_t bytes)
{
	unsigned long pinned = bufpool_budget_used(&pool->pinned);
	unsigned long limit = READ_ONCE(pool->config.limit);

	return pinned + bytes > limit ? pinned + bytes - limit : 0;
}

/**
 * bufpool_pool_class - which class serves a size
 * @pool: where
 * @size: bytes, at least 1
 * @io: of blocks of pages
 *
 * This is the one place that knows how classes are numbered.
 *
 * Return: the class with the smallest blocks that are large enough, or NULL.
 */
static inline struct bufpool_class *
bufpool_pool_class(struct bufpool_pool *pool, u64 size, bool io)
{
	unsigned int nr;

	if (size > (io ? pool->max_rent_io : pool->max_rent))
		return NULL;
	nr = size <= PAGE_SIZE ? 0 : ilog2(size - 1) + 1 - PAGE_SHIFT;
	nr += io ? pool->first_io : 0;
	return &pool->classes[array_index_nospec(nr, pool->nr_classes)];
}

/* The class of the same backing with the next larger blocks, or NULL. */
static inline struct bufpool_class *
bufpool_pool_larger_class(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;

	if (class->nr + 1U >= pool->nr_classes ||
	    class[1].backing != class->backing)
		return NULL;
	return class + 1;
}

/* Have dirty free blocks zeroed soon. */
static inline void bufpool_pool_scrub_later(struct bufpool_pool *pool)
{
	queue_delayed_work(pool->wq, &pool->scrub, 1);
}

/* Have the slab caches let go of what was given back, soon. */
static inline void bufpool_pool_flush_later(struct bufpool_pool *pool)
{
	queue_work(pool->wq, &pool->flush);
}

int bufpool_config_check(const struct bufpool_config *config);
struct bufpool_pool *bufpool_pool_create(const char *name,
					 const struct bufpool_config *config);
void bufpool_pool_destroy(struct bufpool_pool *pool);
int bufpool_pool_configure(struct bufpool_pool *pool,
			   const struct bufpool_config *config);
void bufpool_pool_info(struct bufpool_pool *pool, struct bufpool_info *info);
void bufpool_pool_stats(struct bufpool_pool *pool, struct bufpool_stats *stats);

#endif /* _BUFPOOL_POOL_H */
