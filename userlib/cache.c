// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "cancel.h"

/* The status of a closed pool: its caches are shut, so this is not calm to them. */
static const struct bufpool_status closed __attribute__((aligned(8)));

static int membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0);
}

void bufpool_cache_free(struct bufpool_cache *cache)
{
	munmap(cache, sizeof(*cache));
}

int bufpool_caches_init(struct bufpool_caches *caches, bool usable)
{
	pthread_mutex_init(&caches->lock, NULL);
	if (!usable || membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		return 0;
	caches->all = calloc(BUFPOOL_CACHES_MAX + 1, sizeof(*caches->all));
	return caches->all ? 0 : -ENOMEM;
}

static void shut_cache(struct bufpool_cache *cache)
{
	unsigned int class;

	__atomic_store_n(&cache->max_kept, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&cache->calm, BUFPOOL_SHUT, __ATOMIC_RELAXED);
	for (class = 0; class < BUFPOOL_CLASSES_MAX; class++)
		bufpool_magazine_shut(&cache->magazines[class]);
}

static void shut_all(struct bufpool_caches *caches)
{
	unsigned int nr;

	for (nr = 1; nr <= caches->nr; nr++)
		shut_cache(caches->all[nr]);
}

void bufpool_caches_forget(struct bufpool_caches *caches)
{
	free(caches->all);
}

/*
 * Its thread frees the cache later. Until then another pool may get the address of
 * this one: the thread takes the cache for one of that pool then, but a shut one.
 */
static void orphan_cache(struct bufpool_cache *cache)
{
	cache->status = &closed;
	__atomic_store_n(&cache->home, NULL, __ATOMIC_RELEASE);
}

void bufpool_caches_destroy(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;
	unsigned int nr;

	shut_all(caches);
	for (nr = 1; nr <= caches->nr; nr++) {
		cache = caches->all[nr];
		if (cache->inbox.attended)
			orphan_cache(cache);
		else
			bufpool_cache_free(cache);
	}
	bufpool_caches_forget(caches);
}

static const struct bufpool_classes *classes_of(const struct bufpool_caches *caches)
{
	return caches->rentals->window->classes;
}

static void make_magazines(const struct bufpool_caches *caches,
			   struct bufpool_cache *cache)
{
	const struct bufpool_classes *classes = classes_of(caches);
	unsigned int class, order;

	for (class = 0; class < classes->count; class++)
		bufpool_magazine_init(&cache->magazines[class], caches->rentals,
				      class, cache->blocks[class]);
	for (order = 0; order < BUFPOOL_ORDERS; order++) {
		class = classes->for_order[order];
		if (class < classes->count)
			cache->for_order[order] = &cache->magazines[class];
	}
	cache->recent = cache->magazines;
}

/* Memory for a cache; caches->lock is held. */
static struct bufpool_cache *make_cache(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;

	if (caches->nr == BUFPOOL_CACHES_MAX)
		return NULL;
	cache = mmap(NULL, sizeof(*cache), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cache == MAP_FAILED)
		return NULL;
	if (madvise(cache, sizeof(*cache), MADV_WIPEONFORK)) {
		bufpool_cache_free(cache);
		return NULL;
	}
	cache->nr = caches->nr + 1;
	cache->held = bufpool_state(BUFPOOL_HELD, cache->nr);
	cache->calm = BUFPOOL_SHUT;
	cache->vacant = bufpool_cache_key(caches->home);
	cache->status = caches->provider->status;
	cache->home = caches->home;
	pthread_mutex_init(&cache->inbox.lock, NULL);
	make_magazines(caches, cache);
	__atomic_store_n(&caches->all[cache->nr], cache, __ATOMIC_RELEASE);
	caches->nr++;
	return cache;
}

static void open_to(const struct bufpool_caches *caches,
		    struct bufpool_cache *cache)
{
	const struct bufpool_classes *classes = classes_of(caches);
	unsigned int class;

	for (class = 0; class < classes->count; class++)
		bufpool_magazine_open(&cache->magazines[class]);
	__atomic_store_n(&cache->max_kept, classes->max_pooled,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&cache->calm, cache->answered, __ATOMIC_RELEASE);
}

/* The status as it would be now without waiters */
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

static void set_attended(struct bufpool_cache *cache, bool attended)
{
	pthread_mutex_lock(&cache->inbox.lock);
	cache->inbox.attended = attended;
	pthread_mutex_unlock(&cache->inbox.lock);
}

struct bufpool_cache *bufpool_cache_attach(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;

	pthread_mutex_lock(&caches->lock);
	cache = caches->unused;
	if (cache)
		caches->unused = cache->unused;
	else
		cache = make_cache(caches);
	if (cache) {
		set_attended(cache, true);
		cache->answered = status_answered(cache->status);
		if (!caches->stopped)
			open_to(caches, cache);
	}
	pthread_mutex_unlock(&caches->lock);
	return cache;
}

void bufpool_cache_unattend(struct bufpool_cache *cache)
{
	set_attended(cache, false);
}

void bufpool_cache_detach(struct bufpool_caches *caches,
			  struct bufpool_cache *cache)
{
	cache->unused = caches->unused;
	caches->unused = cache;
}

/* So that a thread of lower priority can go on, for which sched_yield() is no help */
#define MOMENT_NS	20000

/* Many times as long as a store can stay in the store buffer of a CPU */
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
 * Have every CPU pass a barrier. Return: false where the program has since forbidden
 * itself membarrier(2); a time stands for the barrier then, once.
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
		/* Without barriers the caches stay shut until the pool is closed. */
		if (!pass_barriers())
			caches->stopped++;
		wait_until_left(caches);
	}
	pthread_mutex_unlock(&caches->lock);
}

void bufpool_caches_start(struct bufpool_caches *caches)
{
	unsigned int nr;

	pthread_mutex_lock(&caches->lock);
	if (!--caches->stopped)
		for (nr = 1; nr <= caches->nr; nr++)
			open_to(caches, caches->all[nr]);
	pthread_mutex_unlock(&caches->lock);
}
