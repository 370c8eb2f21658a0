// SPDX-License-Identifier: MIT
#include <errno.h>

#include "kept.h"
#include "thread.h"

struct bufpool_cache bufpool_cache_none;

__thread struct bufpool_cache *bufpool_cache_mine
	__attribute__((tls_model("initial-exec"))) = &bufpool_cache_none;

/* The thread is in a call, and may hold locks; atomic: its signal handlers look. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

/* Which thread has which cache, and which pool that is of */
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static bool has_key;

/* A barrier to the compiler: the whole call is on one side. */
static void set_inside(bool value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&inside, value, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int bufpool_thread_enter(void)
{
	if (__atomic_load_n(&inside, __ATOMIC_RELAXED) ||
	    bufpool_cache_is_entered(bufpool_cache_mine))
		return -EDEADLK;
	set_inside(true);
	return 0;
}

void bufpool_thread_leave(void)
{
	set_inside(false);
}

/* In a child of fork() all are erased. */
static struct bufpool_cache *next_of(const struct bufpool_cache *cache)
{
	return cache->next ? cache->next : &bufpool_cache_none;
}

/* Free the thread's caches of pools that have been closed. */
static void reap_closed(void)
{
	struct bufpool_cache **at = &bufpool_cache_mine, *cache;

	while ((cache = *at) != &bufpool_cache_none) {
		if (bufpool_cache_home(cache)) {
			at = &cache->next;
			continue;
		}
		*at = next_of(cache);
		bufpool_cache_free(cache);
	}
}

/* Blocks on their way to other threads must not stay here. */
static void empty_outboxes(struct bufpool *pool, struct bufpool_cache *cache)
{
	bool done = false;

	if (bufpool_cache_enter(cache, pool)) {
		done = bufpool_kept_deliver(pool, cache);
		bufpool_cache_leave(cache, pool);
	}
	if (done)
		return;
	bufpool_caches_stop(&pool->caches);
	bufpool_kept_sweep(pool, 0);
	bufpool_caches_start(&pool->caches);
}

/* The registry is held, so the pool is not closed meanwhile. */
static void detach_cache(struct bufpool *pool, struct bufpool_cache *cache)
{
	struct bufpool_caches *caches = &pool->caches;

	empty_outboxes(pool, cache);
	pthread_mutex_lock(&caches->lock);
	bufpool_cache_unattend(cache);
	bufpool_kept_abandon(pool, cache);
	bufpool_cache_detach(caches, cache);
	pthread_mutex_unlock(&caches->lock);
}

static void detach_all(void)
{
	struct bufpool_cache *cache;

	pthread_mutex_lock(&registry);
	reap_closed();
	while ((cache = bufpool_cache_mine) != &bufpool_cache_none) {
		/* First, so that no signal handler finds a cache in pieces. */
		bufpool_cache_mine = cache->next;
		detach_cache(bufpool_cache_home(cache), cache);
	}
	pthread_mutex_unlock(&registry);
}

static void end_thread(void *unused)
{
	(void)unused;
	bufpool_thread_enter();
	detach_all();
	bufpool_thread_leave();
}

static void lock_registry(void)
{
	pthread_mutex_lock(&registry);
}

static void unlock_registry(void)
{
	pthread_mutex_unlock(&registry);
}

static void prepare_registry(void)
{
	/* A child that finds the registry locked could never open a pool. */
	has_key = !pthread_atfork(lock_registry, unlock_registry,
				  unlock_registry) &&
		  !pthread_key_create(&at_thread_end, end_thread);
}

bool bufpool_threads_prepare(void)
{
	pthread_once(&once, prepare_registry);
	return has_key;
}

void bufpool_threads_part(struct bufpool *pool)
{
	pthread_mutex_lock(&registry);
	bufpool_caches_destroy(&pool->caches);
	reap_closed();
	pthread_mutex_unlock(&registry);
}

static struct bufpool_cache *find_cache(struct bufpool *pool)
{
	struct bufpool_cache **at = &bufpool_cache_mine, *cache;

	for (; (cache = *at) != &bufpool_cache_none; at = &cache->next) {
		if (bufpool_cache_home(cache) != pool)
			continue;
		/* The fast paths look at the first only. */
		*at = cache->next;
		cache->next = bufpool_cache_mine;
		bufpool_cache_mine = cache;
		return cache;
	}
	return NULL;
}

struct bufpool_cache *bufpool_thread_cache(struct bufpool *pool)
{
	struct bufpool_cache *cache;

	if (!pool->caches.all)
		return NULL;
	reap_closed();
	cache = find_cache(pool);
	if (cache)
		return cache;
	/* Without the destructor its blocks would be lost with the thread. */
	if (pthread_setspecific(at_thread_end, &registry))
		return NULL;
	cache = bufpool_cache_attach(&pool->caches);
	if (cache) {
		cache->next = bufpool_cache_mine;
		bufpool_cache_mine = cache;
	}
	return cache;
}
