// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "cancel.h"
#include "kept.h"

struct bufpool_cache bufpool_cache_none;

/* What the cache of a closed pool sees, which is shut, and so not calm */
static const struct bufpool_status closed __attribute__((aligned(8)));

__thread struct bufpool_cache *bufpool_cache_mine
	__attribute__((tls_model("initial-exec"))) = &bufpool_cache_none;

/* Who has which cache, and which pool it is for */
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static bool has_key;

static int membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0);
}

static void free_cache(struct bufpool_cache *cache)
{
	munmap(cache, sizeof(*cache));
}

static struct bufpool *home(const struct bufpool_cache *cache)
{
	return __atomic_load_n(&cache->home, __ATOMIC_ACQUIRE);
}

/* In a child of fork() all are erased. */
static struct bufpool_cache *next_of(const struct bufpool_cache *cache)
{
	return cache->next ? cache->next : &bufpool_cache_none;
}

/* Let go of the thread's caches in pools that have been closed meanwhile. */
static void reap(void)
{
	struct bufpool_cache **at = &bufpool_cache_mine, *cache;

	while ((cache = *at) != &bufpool_cache_none) {
		if (home(cache)) {
			at = &cache->next;
			continue;
		}
		*at = next_of(cache);
		free_cache(cache);
	}
}

/* What is on its way to others must not stay here. */
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
	bufpool_caches_start(pool);
}

/* The registry is held, so the pool is not closed meanwhile. */
static void detach(struct bufpool *pool, struct bufpool_cache *cache)
{
	struct bufpool_caches *caches = &pool->caches;

	empty_outboxes(pool, cache);
	pthread_mutex_lock(&caches->lock);
	pthread_mutex_lock(&cache->inbox.lock);
	cache->inbox.attended = false;
	pthread_mutex_unlock(&cache->inbox.lock);
	bufpool_kept_abandon(pool, cache);
	cache->unused = caches->unused;
	caches->unused = cache;
	pthread_mutex_unlock(&caches->lock);
}

static void detach_all(void)
{
	struct bufpool_cache *cache;

	pthread_mutex_lock(&registry);
	reap();
	while ((cache = bufpool_cache_mine) != &bufpool_cache_none) {
		/* First: no signal handler finds a cache that is not whole. */
		bufpool_cache_mine = cache->next;
		detach(home(cache), cache);
	}
	pthread_mutex_unlock(&registry);
}

static void end_thread(void *unused)
{
	(void)unused;
	bufpool_call_enter();
	detach_all();
	bufpool_call_end(0);
}

static void lock_registry(void)
{
	pthread_mutex_lock(&registry);
}

static void unlock_registry(void)
{
	pthread_mutex_unlock(&registry);
}

static void prepare(void)
{
	/* A child that finds the registry locked could never open a pool. */
	has_key = !pthread_atfork(lock_registry, unlock_registry,
				  unlock_registry) &&
		  !pthread_key_create(&at_thread_end, end_thread);
}

int bufpool_caches_init(struct bufpool_caches *caches, bool usable)
{
	pthread_once(&once, prepare);
	pthread_mutex_init(&caches->lock, NULL);
	if (!usable || !has_key ||
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		return 0;
	caches->all = calloc(BUFPOOL_CACHES_MAX + 1, sizeof(*caches->all));
	return caches->all ? 0 : -ENOMEM;
}

static void shut(struct bufpool_cache *cache)
{
	unsigned int class;

	__atomic_store_n(&cache->max_kept, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&cache->calm, BUFPOOL_SHUT, __ATOMIC_RELAXED);
	for (class = 0; class < BUFPOOL_CLASSES_MAX; class++)
		__atomic_store_n(&cache->magazines[class].sizes, 0,
				 __ATOMIC_RELAXED);
}

static void shut_all(struct bufpool_caches *caches)
{
	unsigned int nr;

	for (nr = 1; nr <= caches->nr; nr++)
		shut(caches->all[nr]);
}

void bufpool_caches_forget(struct bufpool_caches *caches)
{
	free(caches->all);
}

/*
 * Its thread frees it when it comes to it. Until then the next pool may have this
 * one's address: then the thread takes it for that one's cache, but a shut one.
 */
static void orphan(struct bufpool_cache *cache)
{
	cache->status = &closed;
	__atomic_store_n(&cache->home, NULL, __ATOMIC_RELEASE);
}

void bufpool_caches_destroy(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;
	unsigned int nr;

	pthread_mutex_lock(&registry);
	shut_all(caches);
	for (nr = 1; nr <= caches->nr; nr++) {
		cache = caches->all[nr];
		if (cache->inbox.attended)
			orphan(cache);
		else
			free_cache(cache);
	}
	reap();
	pthread_mutex_unlock(&registry);
	bufpool_caches_forget(caches);
}

static void make_magazine(const struct bufpool *pool,
			  struct bufpool_cache *cache, unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];
	const struct bufpool_class *of = &pool->classes.of[class];
	struct bufpool_place first = { .class = class };

	magazine->half = bufpool_half(of);
	magazine->smallest = class ? of[-1].block_size + 1 : 1;
	magazine->bottom = cache->blocks[class];
	bufpool_magazine_clear(magazine);
	magazine->limit = magazine->bottom + 2 * magazine->half;
	magazine->first = (uintptr_t)bufpool_window_address(&pool->window, &first);
	magazine->rentals = pool->rentals.spans[class].rentals;
	magazine->shift = of->shift;
}

static void make_magazines(const struct bufpool *pool, struct bufpool_cache *cache)
{
	unsigned int class, order;

	for (class = 0; class < pool->classes.count; class++)
		make_magazine(pool, cache, class);
	for (order = 0; order < BUFPOOL_ORDERS; order++) {
		class = pool->classes.for_order[order];
		if (class < pool->classes.count)
			cache->for_order[order] = &cache->magazines[class];
	}
	cache->recent = cache->magazines;
}

/* Memory for a cache; caches->lock is held. */
static struct bufpool_cache *make(struct bufpool *pool)
{
	struct bufpool_caches *caches = &pool->caches;
	struct bufpool_cache *cache;

	if (caches->nr == BUFPOOL_CACHES_MAX)
		return NULL;
	cache = mmap(NULL, sizeof(*cache), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cache == MAP_FAILED)
		return NULL;
	if (madvise(cache, sizeof(*cache), MADV_WIPEONFORK)) {
		free_cache(cache);
		return NULL;
	}
	cache->nr = caches->nr + 1;
	cache->held = bufpool_state(BUFPOOL_HELD, cache->nr);
	cache->calm = BUFPOOL_SHUT;
	cache->vacant = bufpool_cache_key(pool);
	cache->status = pool->provider.status;
	cache->home = pool;
	pthread_mutex_init(&cache->inbox.lock, NULL);
	make_magazines(pool, cache);
	__atomic_store_n(&caches->all[cache->nr], cache, __ATOMIC_RELEASE);
	caches->nr++;
	return cache;
}

static void open_to(const struct bufpool *pool, struct bufpool_cache *cache)
{
	const struct bufpool_classes *classes = &pool->classes;
	struct bufpool_magazine *magazine = cache->magazines;
	unsigned int class;

	for (class = 0; class < classes->count; class++, magazine++) {
		if (classes->of[class].is_pooled)
			__atomic_store_n(&magazine->sizes,
					 classes->of[class].block_size -
					 magazine->smallest + 1,
					 __ATOMIC_RELEASE);
	}
	__atomic_store_n(&cache->max_kept, classes->max_pooled, __ATOMIC_RELEASE);
	__atomic_store_n(&cache->calm, cache->answered, __ATOMIC_RELEASE);
}

/* The status as it is now, but for those who wait. */
static __u64 status_answered(const struct bufpool_status *status)
{
	struct bufpool_status now = {
		.pressure = __atomic_load_n(&status->pressure, __ATOMIC_RELAXED),
	};
	__u64 ret;

	memcpy(&ret, &now, sizeof(ret));
	return ret;
}

void bufpool_caches_answer(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;
	unsigned int nr;

	pthread_mutex_lock(&caches->lock);
	for (nr = 1; nr <= caches->nr; nr++) {
		cache = caches->all[nr];
		cache->answered = status_answered(cache->status);
	}
	pthread_mutex_unlock(&caches->lock);
}

static struct bufpool_cache *attach(struct bufpool *pool)
{
	struct bufpool_caches *caches = &pool->caches;
	struct bufpool_cache *cache;

	pthread_mutex_lock(&caches->lock);
	cache = caches->unused;
	if (cache)
		caches->unused = cache->unused;
	else
		cache = make(pool);
	if (cache) {
		pthread_mutex_lock(&cache->inbox.lock);
		cache->inbox.attended = true;
		pthread_mutex_unlock(&cache->inbox.lock);
		cache->answered = status_answered(cache->status);
		if (!caches->stopped)
			open_to(pool, cache);
	}
	pthread_mutex_unlock(&caches->lock);
	return cache;
}

static struct bufpool_cache *find(struct bufpool *pool)
{
	struct bufpool_cache **at = &bufpool_cache_mine, *cache;

	for (; (cache = *at) != &bufpool_cache_none; at = &cache->next) {
		if (home(cache) != pool)
			continue;
		/* The fast paths look at the first only. */
		*at = cache->next;
		cache->next = bufpool_cache_mine;
		bufpool_cache_mine = cache;
		return cache;
	}
	return NULL;
}

struct bufpool_cache *bufpool_cache_get(struct bufpool *pool)
{
	struct bufpool_cache *cache;

	if (!pool->caches.all)
		return NULL;
	reap();
	cache = find(pool);
	if (cache)
		return cache;
	/* Without the destructor its blocks would be lost with the thread. */
	if (pthread_setspecific(at_thread_end, &registry))
		return NULL;
	cache = attach(pool);
	if (cache) {
		cache->next = bufpool_cache_mine;
		bufpool_cache_mine = cache;
	}
	return cache;
}

/*
 * For a thread to go on that may have a lower priority, for which yielding would not
 * do
 */
#define MOMENT_NS	20000

/* Many times as long as any CPU keeps to itself what it has written */
#define LONG_NS		100000000

static void doze(long ns)
{
	struct timespec left = { .tv_nsec = ns };
	int state = bufpool_cancel_disable();

	while (nanosleep(&left, &left) && errno == EINTR)
		;
	bufpool_cancel_restore(state);
}

static void wait_until_left(struct bufpool_caches *caches)
{
	unsigned int nr;

	for (nr = 1; nr <= caches->nr; nr++)
		while (!__atomic_load_n(&caches->all[nr]->vacant,
					__ATOMIC_ACQUIRE))
			doze(MOMENT_NS);
}

/*
 * Have every CPU pass a barrier. A program may have forbidden itself to ask for
 * that, meanwhile: then time has to do, which is not to be waited for again: false.
 */
static bool pass_barriers(void)
{
	while (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
		if (errno != ENOMEM) {
			doze(LONG_NS);
			return false;
		}
		doze(MOMENT_NS);
	}
	return true;
}

void bufpool_caches_stop(struct bufpool_caches *caches)
{
	pthread_mutex_lock(&caches->lock);
	if (!caches->stopped++) {
		shut_all(caches);
		/* The caches stay shut, then, for as long as the pool is open. */
		if (!pass_barriers())
			caches->stopped++;
		wait_until_left(caches);
	}
	pthread_mutex_unlock(&caches->lock);
}

void bufpool_caches_start(struct bufpool *pool)
{
	struct bufpool_caches *caches = &pool->caches;
	unsigned int nr;

	pthread_mutex_lock(&caches->lock);
	if (!--caches->stopped)
		for (nr = 1; nr <= caches->nr; nr++)
			open_to(pool, caches->all[nr]);
	pthread_mutex_unlock(&caches->lock);
}
