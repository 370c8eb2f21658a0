// SPDX-License-Identifier: MIT
#include <errno.h>

#include "kept.h"
#include "thread.h"

/* Of no pool. (In one that is erased vacant is NULL.) */
static struct bufpool_cache none = {
	.magazines[0].vacant = (struct bufpool *)&none,
	.recent = none.magazines,
};

__thread struct bufpool_magazine *bufpool_mine
	__attribute__((tls_model("initial-exec"))) = none.magazines;

/* All caches of the thread, the latest used first */
static __thread struct bufpool_cache *first
	__attribute__((tls_model("initial-exec"))) = &none;

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

/* In a child of fork() all are erased. */
static struct bufpool_cache *next_of(const struct bufpool_cache *cache)
{
	return cache->next ? cache->next : &none;
}

/*
 * Whether the thread has entered any magazine. That may be another than the one it used
 * last: its signal handlers used one since.
 */
static bool is_in_fast_path(void)
{
	struct bufpool_cache *cache;

	for (cache = first; cache != &none; cache = next_of(cache))
		if (bufpool_cache_is_any_entered(cache))
			return true;
	return false;
}

int bufpool_thread_enter(void)
{
	if (__atomic_load_n(&inside, __ATOMIC_RELAXED))
		return -EDEADLK;
	set_inside(true);
	if (is_in_fast_path()) {
		set_inside(false);
		return -EDEADLK;
	}
	if (bufpool_mine->cache)
		bufpool_mine->cache->recent = bufpool_mine;
	bufpool_mine = none.magazines;
	return 0;
}

void bufpool_thread_leave(void)
{
	/* In a child of fork() all are erased. */
	bufpool_mine = first->recent ? first->recent : none.magazines;
	set_inside(false);
}

/*
 * Take a cache of a pool that has been closed out of the thread's, or NULL. It is not
 * to be freed, as long as there is a thread that a signal handler may have interrupted
 * when it was about to enter it; but what has it used again is as good.
 */
static struct bufpool_cache *take_closed(void)
{
	struct bufpool_cache **at = &first, *cache;

	for (; (cache = *at) != &none; at = &cache->next) {
		if (bufpool_cache_home(cache))
			continue;
		*at = next_of(cache);
		return cache;
	}
	return NULL;
}

static void free_closed(void)
{
	struct bufpool_cache *cache;

	while ((cache = take_closed()))
		bufpool_cache_free(cache);
}

static void detach_all(void)
{
	struct bufpool_cache *cache;
	struct bufpool *pool;

	pthread_mutex_lock(&registry);
	free_closed();
	while ((cache = first) != &none) {
		first = cache->next;
		/* The registry is held, so the pool is not closed meanwhile. */
		pool = bufpool_cache_home(cache);
		bufpool_kept_abandon(pool, cache);
		bufpool_cache_detach(&pool->caches, cache);
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

/* In a child, whose caches are erased */
static void forget_caches(void)
{
	first = &none;
	bufpool_mine = none.magazines;
	unlock_registry();
}

static void prepare_registry(void)
{
	/* A child that finds the registry locked could never open a pool. */
	has_key = !pthread_atfork(lock_registry, unlock_registry,
				  forget_caches) &&
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
	/* A thread that ends puts what it keeps into the depot. */
	bufpool_depot_destroy(&pool->depot);
	bufpool_caches_destroy(&pool->caches);
	pthread_mutex_unlock(&registry);
}

static void add_cache(struct bufpool_cache *cache)
{
	cache->next = first;
	first = cache;
}

static struct bufpool_cache *find_cache(struct bufpool *pool)
{
	struct bufpool_cache **at = &first, *cache;

	for (; (cache = *at) != &none; at = &cache->next) {
		if (bufpool_cache_home(cache) != pool)
			continue;
		/* The fast paths look at the first only. */
		*at = cache->next;
		add_cache(cache);
		return cache;
	}
	return NULL;
}

struct bufpool_cache *bufpool_thread_cache(struct bufpool *pool)
{
	struct bufpool_cache *cache, *closed;

	if (!pool->caches.all)
		return NULL;
	cache = find_cache(pool);
	if (cache)
		return cache;
	/* Without the destructor its blocks would be lost with the thread. */
	if (pthread_setspecific(at_thread_end, &registry))
		return NULL;
	closed = take_closed();
	cache = bufpool_cache_attach(&pool->caches, closed);
	if (closed && cache != closed)
		add_cache(closed);
	if (cache)
		add_cache(cache);
	return cache;
}
