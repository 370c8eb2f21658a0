/* SPDX-License-Identifier: MIT */
/*
 * What threads keep for their next rents
 *
 * Each thread that uses a pool has a *cache* there: a magazine of blocks for each
 * class. Renting takes a block out of it and returning puts one back, without a
 * call, a lock or an atomic read-modify-write:
 *
 *   - A block's state (rentals.h) names the cache that rented it. Only the thread
 *     of that cache may end the rental by a plain store.
 *   - A thread that returns what another one rented makes it SENT instead, by
 *     compare-and-exchange, and sends it to that cache's inbox, in batches. Only
 *     the thread of that cache takes it from there, and only while it still is
 *     SENT. So a block that two threads return at the very same instant is
 *     kept once, though both may be told that they have returned it.
 *   - Its thread uses a cache while it has *entered* it, other threads while all
 *     caches of the pool are *stopped*. To enter, a thread takes away
 *     cache->vacant and then looks whether the cache is open. To stop, a thread
 *     shuts all caches, has every CPU pass a memory barrier (membarrier(2)) and
 *     waits until all caches are vacant. The barrier stands for the one that
 *     entering lacks: a thread that still sees its cache open is seen to have
 *     entered. Where the program has since forbidden itself that call, a time stands
 *     for the barrier, once, and the caches stay shut. (Open is a cache whose
 *     max_kept is not 0. One that is shut also has magazines for no size, and in
 *     @calm what no status ever is. So each of the fast paths sees it in what it
 *     looks at anyway.)
 *
 * Caches outlive their threads, and are used again for others: so the number in
 * a state stays good for as long as the pool is open.
 *
 * Locks, outermost first: the registry of thread.c, caches->lock, and then one of
 * inbox->lock and depot->lock. A thread that has entered its cache takes only the
 * last two.
 */
#ifndef BUFPOOL_CACHE_H
#define BUFPOOL_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "magazine.h"
#include "provider.h"
#include "rentals.h"

struct bufpool;

/*
 * For what is on the fast paths only: there each branch that is taken costs as much
 * as several instructions.
 */
#define likely(condition)	__builtin_expect(!!(condition), 1)
#define unlikely(condition)	__builtin_expect(!!(condition), 0)

/* Blocks of one other cache, on their way there */
#define BUFPOOL_OUTBOX_MAX	32
#define BUFPOOL_NR_OUTBOXES	4

struct bufpool_outbox {
	unsigned int to;
	unsigned int count;
	void *blocks[BUFPOOL_OUTBOX_MAX];
};

/* What other threads have returned, since its thread has looked */
#define BUFPOOL_INBOX_DELIVERIES	16
#define BUFPOOL_INBOX_MAX	(BUFPOOL_INBOX_DELIVERIES * BUFPOOL_OUTBOX_MAX)

struct bufpool_inbox {
	pthread_mutex_t lock;
	bool attended;			/* a thread has this cache */
	unsigned int deliveries;
	unsigned int count;		/* read without the lock, too */
	void *blocks[BUFPOOL_INBOX_MAX];
};

/* No status; see bufpool_status_read() */
#define BUFPOOL_SHUT		(~0ULL)

/*
 * In memory that a child of fork() finds erased, and so shut. What the fast paths
 * need is at the beginning.
 */
struct bufpool_cache {
	uintptr_t vacant;		/* its pool's key, or 0: entered; atomic */
	size_t max_kept;		/* as the pool has it; 0 when shut; atomic */
	struct bufpool_magazine *recent; /* what was rented from last */
	struct bufpool *home;		/* atomic; NULL: the pool is closed */
	__u32 held;			/* state of what is rented here */
	unsigned int nr;
	const struct bufpool_status *status;
	__u64 calm;			/* the status that asks for nothing; atomic */
	__u64 answered;			/* what calm is when open; caches->lock */
	struct bufpool_magazine magazines[BUFPOOL_CLASSES_MAX];

	/* of the class for blocks of 1 << order bytes, up to max_pooled */
	struct bufpool_magazine *for_order[BUFPOOL_ORDERS];
	struct bufpool_cache *next;	/* of the same thread; its own */
	struct bufpool_cache *unused;	/* next without a thread */
	struct bufpool_outbox outboxes[BUFPOOL_NR_OUTBOXES];
	struct bufpool_inbox inbox __attribute__((aligned(64)));
	void *blocks[BUFPOOL_CLASSES_MAX][2 * BUFPOOL_HALF_MAX]
		__attribute__((aligned(64)));
};

#define BUFPOOL_CACHES_MAX	4096

struct bufpool_caches {
	pthread_mutex_t lock;
	unsigned int stopped;		/* atomic for reading; by so many */
	unsigned int nr;
	struct bufpool_cache *unused;	/* those without a thread */
	struct bufpool_cache **all;	/* atomic; by number, from 1 on; or NULL */

	/* constant: what each cache is of */
	struct bufpool *home;
	const struct bufpool_rentals *rentals;
	const struct bufpool_provider *provider;
};

/* Not 0, which is what erased memory has */
static inline uintptr_t bufpool_cache_key(const struct bufpool *pool)
{
	return (uintptr_t)pool + 1;
}

/*
 * Begin to enter the thread's own cache; leave() is due where it is this pool's
 * and the thread has not entered it already (which is when a signal handler asks).
 * It has entered when it sees the cache open then, and before that must look at
 * nothing that others change while caches are stopped.
 */
static inline bool bufpool_cache_begin(struct bufpool_cache *cache,
				       const struct bufpool *pool)
{
	if (unlikely(cache->vacant != bufpool_cache_key(pool)))
		return false;
	__atomic_store_n(&cache->vacant, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

static inline void bufpool_cache_leave(struct bufpool_cache *cache,
				       const struct bufpool *pool)
{
	__atomic_store_n(&cache->vacant, bufpool_cache_key(pool),
			 __ATOMIC_RELEASE);
}

/* Whether the thread has entered; leave() is due then. */
static inline bool bufpool_cache_enter(struct bufpool_cache *cache,
				       const struct bufpool *pool)
{
	if (!bufpool_cache_begin(cache, pool))
		return false;
	if (__atomic_load_n(&cache->max_kept, __ATOMIC_ACQUIRE))
		return true;
	bufpool_cache_leave(cache, pool);
	return false;
}

/* Whether the thread is in the middle of something with its cache. */
static inline bool bufpool_cache_is_entered(const struct bufpool_cache *cache)
{
	return __atomic_load_n(&cache->home, __ATOMIC_RELAXED) && !cache->vacant;
}

/* Others need what is kept here and have not got it; or the cache is shut. */
static inline bool bufpool_cache_is_short(const struct bufpool_cache *cache)
{
	return bufpool_status_read(cache->status) !=
	       __atomic_load_n(&cache->calm, __ATOMIC_ACQUIRE);
}

static inline struct bufpool_cache *
bufpool_cache_at(const struct bufpool_caches *caches, unsigned int nr)
{
	return __atomic_load_n(&caches->all[nr], __ATOMIC_ACQUIRE);
}

static inline struct bufpool *
bufpool_cache_home(const struct bufpool_cache *cache)
{
	return __atomic_load_n(&cache->home, __ATOMIC_ACQUIRE);
}

/*
 * With home, rentals and provider set, and all else zero. 0 or -errno. A pool
 * without caches (@usable is false) works as well.
 */
int bufpool_caches_init(struct bufpool_caches *caches, bool usable);

/*
 * No thread uses the pool any more. A cache that still has a thread is freed by that
 * thread. In a child of fork() call forget instead.
 */
void bufpool_caches_destroy(struct bufpool_caches *caches);
void bufpool_caches_forget(struct bufpool_caches *caches);

/* A cache for the caller's thread, or NULL */
struct bufpool_cache *bufpool_cache_attach(struct bufpool_caches *caches);

/* Its thread ends: nothing comes into its inbox any more. */
void bufpool_cache_unattend(struct bufpool_cache *cache);

/* It is empty, and another thread may get it. caches->lock is held. */
void bufpool_cache_detach(struct bufpool_caches *caches,
			  struct bufpool_cache *cache);

/* Called by its thread, once the pool is closed. */
void bufpool_cache_free(struct bufpool_cache *cache);

/*
 * Keep every thread out of its cache, until as many starts; may be nested. Not
 * to be called by a thread that has entered its own.
 */
void bufpool_caches_stop(struct bufpool_caches *caches);
void bufpool_caches_start(struct bufpool_caches *caches);

/*
 * The caches are stopped, and what others have asked for up to now goes to them
 * before the caches start: open caches do not look at it again.
 */
void bufpool_caches_answer(struct bufpool_caches *caches);

#endif /* BUFPOOL_CACHE_H */
