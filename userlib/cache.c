// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "barrier.h"
#include "cache.h"

void bufpool_cache_free(struct bufpool_cache *cache)
{
	munmap(cache, sizeof(*cache));
}

int bufpool_caches_init(struct bufpool_caches *caches, bool usable)
{
	pthread_mutex_init(&caches->lock, NULL);
	if (!usable || !bufpool_barriers_prepare())
		return 0;
	caches->all = calloc(BUFPOOL_CACHES_MAX + 1, sizeof(*caches->all));
	return caches->all ? 0 : -ENOMEM;
}

/* The child may have been made at any time, also while one was being made. */
void bufpool_caches_forget(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;
	unsigned int nr;

	for (nr = 1; caches->all && nr <= BUFPOOL_CACHES_MAX; nr++) {
		cache = caches->all[nr];
		if (!cache)
			break;
		bufpool_cache_free(cache);
	}
	free(caches->all);
}

/*
 * Its thread frees the cache later. Until then another pool may get the address of
 * this one: the thread must not take the cache for one of that pool.
 */
static void orphan_cache(struct bufpool_cache *cache)
{
	unsigned int class;

	for (class = 0; class < BUFPOOL_CLASSES_MAX; class++)
		__atomic_store_n(&cache->magazines[class].vacant, BUFPOOL_CLOSED,
				 __ATOMIC_RELAXED);
	__atomic_store_n(&cache->home, NULL, __ATOMIC_RELEASE);
}

/* Sets ----------------------------------------------------------------------- */

/* The first stack of a set says whose it is. */
static __u32 *owner_of(const struct bufpool_provider *provider, unsigned int set)
{
	return &bufpool_provider_stack(provider, set * provider->nr_classes)->owner;
}

unsigned int bufpool_caches_claim_set(struct bufpool_caches *caches)
{
	struct bufpool_provider *provider = caches->provider;
	unsigned int set = caches->sets + 1;
	__u32 none;

	for (; (set + 1) * provider->nr_classes <= provider->nr_stacks; set++) {
		if (provider->ops->open_stack(provider, set * provider->nr_classes))
			return 0;
		caches->sets = set;
		none = 0;
		if (__atomic_compare_exchange_n(owner_of(provider, set), &none,
						getpid(), false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return set;
	}
	return 0;
}

static void empty_magazines(const struct bufpool_caches *caches,
			    const struct bufpool_magazine *magazines)
{
	unsigned int class;
	__u32 unit;

	for (class = 0; class < caches->rentals->window->classes->count; class++)
		while (bufpool_stack_pop(magazines[class].stack, &unit))
			;
}

static bool are_empty(const struct bufpool_caches *caches,
		      const struct bufpool_magazine *magazines)
{
	unsigned int class = 0;

	while (class < caches->rentals->window->classes->count &&
	       !bufpool_stack_count(magazines[class].stack))
		class++;
	return class == caches->rentals->window->classes->count;
}

/*
 * A thief that was just taking blocks, or letting them go, is through after this. Of what
 * is not shared with others there is none, as no thread uses it.
 */
static void pass_thief(const struct bufpool_caches *caches)
{
	struct bufpool_stats stats;

	if (caches->provider->shared)
		caches->provider->ops->stats(caches->provider, &stats);
}

static void leave_set(const struct bufpool_caches *caches, unsigned int set)
{
	__atomic_store_n(owner_of(caches->provider, set), 0, __ATOMIC_RELEASE);
}

void bufpool_caches_leave_set(const struct bufpool_caches *caches, unsigned int set,
			      const struct bufpool_magazine *magazines)
{
	if (!set)
		return;
	do {
		empty_magazines(caches, magazines);
		pass_thief(caches);
	} while (!are_empty(caches, magazines));
	leave_set(caches, set);
}

/* The same for all caches */
static void leave_sets(const struct bufpool_caches *caches)
{
	bool are_all_empty;
	unsigned int nr;

	if (!caches->nr)
		return;
	do {
		are_all_empty = true;
		for (nr = 1; nr <= caches->nr; nr++)
			empty_magazines(caches, caches->all[nr]->magazines);
		pass_thief(caches);
		for (nr = 1; nr <= caches->nr; nr++)
			are_all_empty &= are_empty(caches, caches->all[nr]->magazines);
	} while (!are_all_empty);
	for (nr = 1; nr <= caches->nr; nr++)
		leave_set(caches, caches->all[nr]->set);
}

struct bufpool_stack *bufpool_caches_stack(struct bufpool_caches *caches,
					   unsigned int set, unsigned int class)
{
	struct bufpool_provider *provider = caches->provider;
	unsigned int of = bufpool_window_class(caches->rentals->window, class)->nr;
	unsigned int nr = set * provider->nr_classes + of;

	/* The first one is open since the set was claimed. */
	if (!set || (of && provider->ops->open_stack(provider, nr)))
		return NULL;
	return bufpool_provider_stack(provider, nr);
}

/* Making --------------------------------------------------------------------- */

/* Where the magazines of a class see who waits, of a cache that is alone */
static const __u32 *waiting_for(const struct bufpool_caches *caches, unsigned int class)
{
	return bufpool_provider_waiting(caches->provider,
					bufpool_window_class(caches->rentals->window,
							     class)->nr);
}

static void make_magazine(const struct bufpool_caches *caches,
			  struct bufpool_cache *cache, unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];

	bufpool_magazine_init(magazine, caches->rentals, class, BUFPOOL_CACHE_HALVES,
			      &cache->empty);
	magazine->vacant = caches->home;
	magazine->waiting = waiting_for(caches, class);
	magazine->cache = cache;
	magazine->held = bufpool_state(BUFPOOL_HELD, cache->nr);
}

/* How those of one backing are found by the size of their blocks */
static void fill_orders(struct bufpool_cache *cache, const struct bufpool_classes *classes,
			unsigned int backing)
{
	const struct bufpool_sizes *sizes = &classes->sizes[backing];
	unsigned int class, order;

	for (order = 0; order < BUFPOOL_ORDERS; order++) {
		class = sizes->for_order[order];
		if (class < classes->count)
			cache->for_order[backing][order] = &cache->magazines[class];
	}
}

static void make_magazines(const struct bufpool_caches *caches,
			   struct bufpool_cache *cache)
{
	const struct bufpool_classes *classes = caches->rentals->window->classes;
	unsigned int class;

	cache->nr_used = classes->nr_slab;
	cache->max_kept[BUFPOOL_BACKING_SLAB] = classes->sizes[BUFPOOL_BACKING_SLAB].max_pooled;
	for (class = 0; class < classes->count; class++)
		make_magazine(caches, cache, class);
	fill_orders(cache, classes, BUFPOOL_BACKING_SLAB);
	fill_orders(cache, classes, BUFPOOL_BACKING_PAGES);
	cache->recent = cache->magazines;
}

void bufpool_cache_use_pages(struct bufpool_cache *cache, const struct bufpool_classes *classes)
{
	cache->nr_used = classes->count;
	cache->max_kept[BUFPOOL_BACKING_PAGES] =
		classes->sizes[BUFPOOL_BACKING_PAGES].max_pooled;
}

/* Memory for a cache, all zero, or NULL */
static struct bufpool_cache *alloc_cache(void)
{
	struct bufpool_cache *cache = mmap(NULL, sizeof(*cache), PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (cache == MAP_FAILED)
		return NULL;
	if (!madvise(cache, sizeof(*cache), MADV_WIPEONFORK))
		return cache;
	bufpool_cache_free(cache);
	return NULL;
}

/* A new cache, in the memory of a closed one, if there is one; caches->lock is held. */
static struct bufpool_cache *make_cache(struct bufpool_caches *caches,
					struct bufpool_cache *closed)
{
	struct bufpool_cache *cache;
	unsigned int set;

	if (caches->nr == BUFPOOL_CACHES_MAX)
		return NULL;
	set = bufpool_caches_claim_set(caches);
	if (!set)
		return NULL;
	cache = closed ? closed : alloc_cache();
	if (!cache) {
		leave_set(caches, set);
		return NULL;
	}
	if (closed)
		memset(cache, 0, sizeof(*cache));
	cache->set = set;
	cache->nr = caches->nr + 1;
	cache->home = caches->home;
	make_magazines(caches, cache);
	__atomic_store_n(&caches->all[cache->nr], cache, __ATOMIC_RELEASE);
	caches->nr++;
	return cache;
}

void bufpool_caches_destroy(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache;
	unsigned int nr;

	leave_sets(caches);
	for (nr = 1; nr <= caches->nr; nr++) {
		cache = caches->all[nr];
		if (cache->attended)
			orphan_cache(cache);
		else
			bufpool_cache_free(cache);
	}
	free(caches->all);
}

/* What a thread had that has ended, or NULL; caches->lock is held. */
static struct bufpool_cache *take_unused(struct bufpool_caches *caches)
{
	struct bufpool_cache *cache = caches->unused;

	if (cache)
		caches->unused = cache->unused;
	return cache;
}

struct bufpool_cache *bufpool_cache_attach(struct bufpool_caches *caches,
					   struct bufpool_cache *closed, bool has_more)
{
	struct bufpool_cache *cache = NULL;

	pthread_mutex_lock(&caches->lock);
	if (has_more)
		cache = make_cache(caches, closed);
	if (!cache)
		cache = take_unused(caches);
	if (!cache)
		cache = make_cache(caches, closed);
	if (cache)
		cache->attended = true;
	pthread_mutex_unlock(&caches->lock);
	return cache;
}

void bufpool_cache_detach(struct bufpool_caches *caches,
			  struct bufpool_cache *cache)
{
	pthread_mutex_lock(&caches->lock);
	cache->attended = false;
	cache->unused = caches->unused;
	caches->unused = cache;
	pthread_mutex_unlock(&caches->lock);
}

/* Sharing -------------------------------------------------------------------- */

/* So that a thread of lower priority can go on, for which sched_yield() is no help */
#define MOMENT_NS	20000

/* What the magazines of a cache that is shared see */
static const __u32 bound = 1;

static bool is_shared(const struct bufpool_cache *cache)
{
	return __atomic_load_n(&cache->sharings, __ATOMIC_SEQ_CST) & 1;
}

static void add_sharing(struct bufpool_cache *cache)
{
	__atomic_store_n(&cache->sharings, cache->sharings + 1, __ATOMIC_SEQ_CST);
}

static void set_bound(const struct bufpool_caches *caches, struct bufpool_cache *cache,
		      bool is_bound)
{
	unsigned int class;

	for (class = 0; class < caches->rentals->window->classes->count; class++)
		__atomic_store_n(&cache->magazines[class].waiting,
				 is_bound ? &bound : waiting_for(caches, class),
				 __ATOMIC_RELAXED);
}

/* Its thread sees no more that it is alone; in a moment. */
static bool begin_sharing(const struct bufpool_caches *caches,
			  struct bufpool_cache *cache)
{
	if (is_shared(cache))
		return false;
	set_bound(caches, cache, true);
	return true;
}

/* Whatever its thread had entered it leaves; what it enters next does not count. */
static void await_thread(const struct bufpool_caches *caches, struct bufpool_cache *cache)
{
	unsigned int class;

	for (class = 0; class < caches->rentals->window->classes->count; class++)
		while (bufpool_cache_is_entered(&cache->magazines[class]))
			bufpool_doze(MOMENT_NS);
}

/* After a barrier: its thread may be in the middle of a return. */
static void end_sharing(const struct bufpool_caches *caches, struct bufpool_cache *cache)
{
	if (is_shared(cache))
		return;
	await_thread(caches, cache);
	add_sharing(cache);
}

/* caches->lock is held. */
static void share_locked(struct bufpool_caches *caches, const unsigned int *numbers,
			 unsigned int count)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < count; i++)
		any |= begin_sharing(caches, caches->all[numbers[i]]);
	if (!any)
		return;
	bufpool_barriers_pass();
	for (i = 0; i < count; i++)
		end_sharing(caches, caches->all[numbers[i]]);
}

void bufpool_caches_share(struct bufpool_caches *caches,
			  const unsigned int *numbers, unsigned int count)
{
	pthread_mutex_lock(&caches->lock);
	share_locked(caches, numbers, count);
	pthread_mutex_unlock(&caches->lock);
}

void bufpool_caches_await(struct bufpool_caches *caches)
{
	unsigned int nr;

	pthread_mutex_lock(&caches->lock);
	for (nr = 1; nr <= caches->nr; nr++)
		await_thread(caches, caches->all[nr]);
	pthread_mutex_unlock(&caches->lock);
}

static void set_helped(struct bufpool_cache *cache)
{
	if (!__atomic_load_n(&cache->helped, __ATOMIC_RELAXED))
		__atomic_store_n(&cache->helped, true, __ATOMIC_RELAXED);
}

bool bufpool_caches_claim_entered(const struct bufpool_caches *caches,
				  unsigned int self, struct bufpool_rental *rental,
				  __u32 state)
{
	unsigned int owner = bufpool_state_cache(state), sharings;
	__u32 claimed = bufpool_state(BUFPOOL_CLAIMED, self);
	struct bufpool_cache *cache;

	if (!owner)
		return false;
	if (owner == self)
		return bufpool_rental_change(rental, state, claimed);
	cache = bufpool_cache_at(caches, owner);
	sharings = __atomic_load_n(&cache->sharings, __ATOMIC_SEQ_CST);
	if (!(sharings & 1))
		return false;
	set_helped(cache);
	if (!bufpool_rental_change(rental, state, claimed))
		return false;
	if (__atomic_load_n(&cache->sharings, __ATOMIC_SEQ_CST) == sharings)
		return true;
	/* Its thread may just end the rental by a plain store: then this fails. */
	bufpool_rental_change(rental, claimed, state);
	return false;
}

/* While the lock is held the cache that rented the block stays shared. */
static bool change_shared(struct bufpool_caches *caches, struct bufpool_rental *rental,
			  __u32 from, __u32 to)
{
	unsigned int owner = bufpool_state_cache(from);
	bool ret;

	pthread_mutex_lock(&caches->lock);
	share_locked(caches, &owner, 1);
	set_helped(bufpool_cache_at(caches, owner));
	ret = bufpool_rental_change(rental, from, to);
	pthread_mutex_unlock(&caches->lock);
	return ret;
}

bool bufpool_caches_claim(struct bufpool_caches *caches, unsigned int self,
			  struct bufpool_rental *rental, __u32 state)
{
	__u32 claimed = bufpool_state(BUFPOOL_CLAIMED, self);
	unsigned int owner = bufpool_state_cache(state);

	if (!owner || owner == self)
		return bufpool_rental_change(rental, state, claimed);
	/* No two without a cache are told from each other by what they claim. */
	if (self && bufpool_caches_claim_entered(caches, self, rental, state))
		return true;
	return change_shared(caches, rental, state, claimed);
}

void bufpool_caches_disown(struct bufpool_caches *caches, unsigned int self,
			   struct bufpool_rental *rental, __u32 state)
{
	__u32 disowned = bufpool_state(BUFPOOL_HELD, 0);

	if (bufpool_state_cache(state) == self)
		bufpool_rental_change(rental, state, disowned);
	else
		change_shared(caches, rental, state, disowned);
}

void bufpool_cache_count_own(struct bufpool_caches *caches,
			     struct bufpool_cache *cache)
{
	if (++cache->returned < BUFPOOL_RETURNS_ALONE)
		return;
	cache->returned = 0;
	pthread_mutex_lock(&caches->lock);
	if (is_shared(cache) && !__atomic_load_n(&cache->helped, __ATOMIC_RELAXED)) {
		add_sharing(cache);
		set_bound(caches, cache, false);
		bufpool_barriers_pass();
	}
	__atomic_store_n(&cache->helped, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&caches->lock);
}
