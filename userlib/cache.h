/* SPDX-License-Identifier: MIT */
/*
 * What threads keep for their next rents
 *
 * Each thread that uses a pool has a *cache* there: a magazine of blocks for each
 * class. Renting takes a block out of it and returning puts one back, without a
 * call, a lock or an atomic read-modify-write. Who may do what, when:
 *
 *   - A thread has *entered* a magazine while it is in one of the fast paths with it:
 *     vacant is ENTERED then, so that its signal handlers find it taken. Those may do
 *     whatever they find vacant, but no call that needs more while any is taken.
 *   - A block's state (rentals.h) names the cache that rented it. Of a cache that is
 *     *alone* the thread ends such a rental by a plain store, entered.
 *   - All other returns change the state by compare-and-exchange. Before a thread ends
 *     a rental of another's cache, it has that one *shared*: it changes where all its
 *     magazines see who waits, which the plain store depends on, has every CPU pass a barrier
 *     (barrier.h) and waits until it sees each of them vacant. Whoever enters after that
 *     sees the change.
 *     So a plain store and an exchange never meet, and each block is returned once.
 *   - A thread makes its cache alone again when it has returned many blocks, and
 *     others none, for a while. A thread that has just claimed one of its rentals then
 *     sees that @sharings has changed, takes that back, and has it shared again:
 *     @sharings and the state are written on one side and read on the other, with a
 *     full barrier in between on both.
 *
 * Caches outlive their threads, and are used again for others: so the number in
 * a state stays good for as long as the pool is open.
 *
 * The magazines' stacks are seen by thieves (<linux/bufpool.h>). They come in *sets* of
 * one for each class; where several programs use one client, each claims those it uses.
 *
 * Locks, outermost first: the registry of thread.c, caches->lock, depot->lock. A thread
 * that has entered a magazine takes none.
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
 * In memory that a child of fork() finds erased. What the fast paths need is at the
 * beginning.
 */
struct bufpool_cache {
	struct bufpool_magazine magazines[BUFPOOL_CLASSES_MAX];
	/* by backing: as the pool has it; 0 while its thread does not use that */
	size_t max_kept[BUFPOOL_BACKINGS];
	/* and of the class for blocks of 1 << order bytes, up to max_kept */
	struct bufpool_magazine *for_order[BUFPOOL_BACKINGS][BUFPOOL_ORDERS];
	struct bufpool_magazine *recent; /* of slabs: what was rented from last */
	struct bufpool *home;		/* atomic; NULL: the pool is closed */
	unsigned int nr;
	unsigned int nr_used;		/* magazines that its thread may enter, the first */
	unsigned int set;		/* of stacks */
	unsigned int returned;		/* by its thread, while shared */
	bool attended;			/* a thread has this cache */
	struct bufpool_cache *next;	/* of the same thread; its own */
	struct bufpool_cache *unused;	/* next without a thread */
	struct bufpool_stack empty;	/* of magazines that are not open */

	/* what other threads look at */
	unsigned int sharings __attribute__((aligned(64))); /* atomic; odd: shared */
	bool helped;			/* others have returned blocks; atomic */
};

/* Neither is a pool, nor NULL, which a caller may give for one. */
#define BUFPOOL_ENTERED	((const struct bufpool *)1)
#define BUFPOOL_CLOSED	((const struct bufpool *)2)

/* For each class, so many halves of a magazine */
#define BUFPOOL_CACHE_HALVES	2

/* As many returns of its own does a thread make before its cache is alone again. */
#define BUFPOOL_RETURNS_ALONE	1024

/* Set 0 is nobody's, and one is the depot's. */
#define BUFPOOL_CACHES_MAX	(BUFPOOL_SETS_MAX - 2)

struct bufpool_caches {
	pthread_mutex_t lock;
	unsigned int nr;
	unsigned int sets;		/* as many have been claimed, or looked at */
	struct bufpool_cache *unused;	/* those without a thread */
	struct bufpool_cache **all;	/* atomic; by number, from 1 on; or NULL */

	/* constant: what each cache is of */
	struct bufpool *home;
	const struct bufpool_rentals *rentals;
	struct bufpool_provider *provider;
};

/*
 * Enter a magazine of the thread, one of those that it uses; leave() is due where it is this
 * pool's and the thread has not entered it already (which is when a signal handler asks).
 */
static inline bool bufpool_cache_enter(struct bufpool_magazine *magazine,
				       const struct bufpool *pool)
{
	if (unlikely(bufpool_peek(&magazine->vacant) != pool))
		return false;
	bufpool_poke(&magazine->vacant, BUFPOOL_ENTERED);
	return true;
}

static inline void bufpool_cache_leave(struct bufpool_magazine *magazine,
				       const struct bufpool *pool)
{
	__atomic_store_n(&magazine->vacant, pool, __ATOMIC_RELEASE);
}

static inline bool bufpool_cache_is_entered(const struct bufpool_magazine *magazine)
{
	return __atomic_load_n(&magazine->vacant, __ATOMIC_ACQUIRE) == BUFPOOL_ENTERED;
}

/* Whether any magazine is. Each slow call asks: no other value has this bit. */
static inline bool bufpool_cache_is_any_entered(struct bufpool_cache *cache)
{
	struct bufpool_magazine *magazine = cache->magazines;
	struct bufpool_magazine *end = magazine + cache->nr_used;
	uintptr_t bits = 0;

	for (; magazine < end; magazine++)
		bits |= (uintptr_t)bufpool_peek(&magazine->vacant);
	return bits & (uintptr_t)BUFPOOL_ENTERED;
}

/*
 * Renters wait for the class, or the cache is shared: its thread may not keep what it
 * returns so.
 */
static inline bool bufpool_cache_is_bound(const struct bufpool_magazine *magazine)
{
	const __u32 *waiting = __atomic_load_n(&magazine->waiting, __ATOMIC_RELAXED);

	return __atomic_load_n(waiting, __ATOMIC_RELAXED);
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

/* In a child of fork() */
static inline bool bufpool_cache_is_erased(const struct bufpool_cache *cache)
{
	return !cache->nr_used;
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

/*
 * A cache for the caller's thread, or NULL; @closed, if one is to be made, which the
 * thread has of a pool that has been closed, or NULL; @has_more: it has others, so that one
 * is to be made rather than to be had of a thread that has ended
 */
struct bufpool_cache *bufpool_cache_attach(struct bufpool_caches *caches,
					   struct bufpool_cache *closed, bool has_more);

/* Its thread ends, and another one may get it. */
void bufpool_cache_detach(struct bufpool_caches *caches,
			  struct bufpool_cache *cache);

/* Called by its thread, at its end, once the pool is closed. */
void bufpool_cache_free(struct bufpool_cache *cache);

/* Its thread uses classes of pages, too, from now on; called by it. */
void bufpool_cache_use_pages(struct bufpool_cache *cache, const struct bufpool_classes *classes);

/* A set of stacks that nobody else uses. Return: its number, or 0 */
unsigned int bufpool_caches_claim_set(struct bufpool_caches *caches);

/* Nothing uses the set any more, if it is one, nor these magazines of it. */
void bufpool_caches_leave_set(const struct bufpool_caches *caches, unsigned int set,
			      const struct bufpool_magazine *magazines);

/* The stack of a class in a set, which may be used from now on; or NULL */
struct bufpool_stack *bufpool_caches_stack(struct bufpool_caches *caches,
					   unsigned int set, unsigned int class);

/* Have all these caches shared: @count numbers. */
void bufpool_caches_share(struct bufpool_caches *caches,
			  const unsigned int *numbers, unsigned int count);

/*
 * Each thread leaves the magazine that it has entered; not the caller's, which has entered
 * none. After a barrier, those that enter one from now on see what was before it.
 */
void bufpool_caches_await(struct bufpool_caches *caches);

/*
 * End a rental whose state was @state: by the thread that has the cache with number
 * @self, or by one without a cache, which has 0. Return: whether it was this caller
 * who did; the state is CLAIMED then.
 */
bool bufpool_caches_claim(struct bufpool_caches *caches, unsigned int self,
			  struct bufpool_rental *rental, __u32 state);

/*
 * The same without waiting, for a thread that has a cache and may have entered it.
 * Return: false where it was another, or where claim() has to find out
 */
bool bufpool_caches_claim_entered(const struct bufpool_caches *caches,
				  unsigned int self, struct bufpool_rental *rental,
				  __u32 state);

/*
 * Let a rental, if its state is still @state, be one that no cache has: the block will not be
 * kept. @self as for claim()
 */
void bufpool_caches_disown(struct bufpool_caches *caches, unsigned int self,
			   struct bufpool_rental *rental, __u32 state);

/* A thread has returned a block of its own cache, though that is shared. */
void bufpool_cache_count_own(struct bufpool_caches *caches,
			     struct bufpool_cache *cache);

#endif /* BUFPOOL_CACHE_H */
