// SPDX-License-Identifier: MIT
#include "kept.h"

__attribute__((noinline)) bool
bufpool_kept_push_claimed(const struct bufpool_caches *caches,
			  struct bufpool_magazine *magazine, void *block)
{
	size_t unit = bufpool_magazine_unit(magazine, block);
	__u32 next = magazine->stack->top + 1, state;
	struct bufpool_cache *cache = magazine->cache;
	struct bufpool_rental *rental;

	if (!bufpool_kept_fits(magazine, unit, next))
		return false;
	rental = &magazine->rentals[unit];
	state = bufpool_rental_state(rental);
	if (bufpool_state_kind(state) != BUFPOOL_HELD)
		return false;
	/* In time a call is to look whether the cache can be the thread's alone again. */
	if (state == magazine->held && ++cache->returned >= BUFPOOL_RETURNS_ALONE)
		return false;
	if (!bufpool_caches_claim_entered(caches, cache->nr, rental, state))
		return false;
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_FREE, 0));
	bufpool_stack_push(magazine->stack, next, unit);
	return true;
}

/* Give blocks of one class that are FREE or FRESH, and in no stack, to the provider. */
static void give(struct bufpool *pool, unsigned int class, const __u32 *units,
		 unsigned int count)
{
	__u64 handles[BUFPOOL_HALF_MAX];
	struct bufpool_rental *rental;
	enum bufpool_kind kind;
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct bufpool_place place =
			bufpool_window_at_unit(&pool->window, class, units[i]);

		rental = bufpool_rentals_at(&pool->rentals, &place);
		/* Before the provider has it, which may rent it to another thread. */
		handles[i] = bufpool_rentals_handle(&pool->rentals, &place);
		kind = bufpool_state_kind(bufpool_rental_state(rental));
		kind = kind == BUFPOOL_FRESH ? BUFPOOL_NEVER : BUFPOOL_RETURNED;
		bufpool_rental_set(rental, bufpool_state(kind, 0));
	}
	bufpool_provider_give(&pool->provider, handles, count);
}

/* Pop up to half of what a magazine has room for. Return: how many */
static unsigned int pop_half(struct bufpool_magazine *magazine, __u32 *units)
{
	unsigned int count = 0;

	while (count < magazine->half &&
	       bufpool_stack_pop(magazine->stack, &units[count]))
		count++;
	return count;
}

/* Move half of a magazine to the depot, or to the provider. */
static void spill_half(struct bufpool *pool, struct bufpool_magazine *magazine,
		       unsigned int class)
{
	__u32 units[BUFPOOL_HALF_MAX];
	unsigned int count = pop_half(magazine, units);
	unsigned int done = bufpool_depot_put(&pool->depot, class, units, count);

	give(pool, class, units, count - done);
}

struct bufpool_magazine *bufpool_kept_open(struct bufpool *pool,
					   struct bufpool_cache *cache,
					   unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];
	struct bufpool_stack *stack;

	if (!magazine->half)
		return NULL;
	if (magazine->stack != &cache->empty)
		return magazine;
	/* A class of pages has no addresses before its first block. */
	if (!bufpool_rentals_first(&pool->rentals, class))
		return NULL;
	stack = bufpool_caches_stack(&pool->caches, cache->set, class);
	if (!stack)
		return NULL;
	bufpool_magazine_open(magazine, &pool->rentals, class, stack);
	if (!bufpool_class_is_slab(&pool->classes, class))
		bufpool_cache_use_pages(cache, &pool->classes);
	return magazine;
}

static void push(struct bufpool *pool, struct bufpool_magazine *magazine,
		 unsigned int class, __u32 unit)
{
	while (!bufpool_magazine_push(magazine, unit))
		spill_half(pool, magazine, class);
}

/* After a push. The other side of the barrier is in stop_keeping(), on every processor. */
static bool is_wanted(const struct bufpool *pool, unsigned int class)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return bufpool_provider_is_short(&pool->provider, pool->classes.of[class].nr);
}

/*
 * Where nobody looks into the stacks again, and somebody is told when there is a block: give
 * what has been pushed while that began.
 */
static void give_wanted(struct bufpool *pool, struct bufpool_magazine *magazine,
			unsigned int class)
{
	__u32 units[BUFPOOL_HALF_MAX];
	unsigned int count;

	if (!pool->provider.private || !is_wanted(pool, class))
		return;
	while ((count = pop_half(magazine, units)))
		give(pool, class, units, count);
}

/* Pollers of a private pool look again, at what is in stacks, too: every call has them do so. */
static void update_pollers(struct bufpool *pool)
{
	struct bufpool_stats stats;

	pool->provider.ops->stats(&pool->provider, &stats);
}

/* Blocks of a class were in no stack for a while, in which the first poller may have been made. */
static void tell_of_moved(struct bufpool *pool, unsigned int class)
{
	if (pool->provider.private && is_wanted(pool, class))
		update_pollers(pool);
}

void bufpool_kept_settle(struct bufpool *pool)
{
	if (!pool->provider.private)
		return;
	bufpool_caches_await(&pool->caches);
	update_pollers(pool);
}

void bufpool_kept_refill(struct bufpool *pool, struct bufpool_magazine *magazine,
			 unsigned int class)
{
	__u32 units[BUFPOOL_HALF_MAX];
	unsigned int count;

	count = bufpool_depot_get(&pool->depot, class, units, magazine->half);
	magazine->known = bufpool_rentals_ready(&pool->rentals, class);
	if (!count)
		return;
	/* The first that came out was used last. */
	while (count)
		push(pool, magazine, class, units[--count]);
	tell_of_moved(pool, class);
}

void bufpool_kept_add(struct bufpool *pool, struct bufpool_cache *cache,
		      const struct bufpool_place *place)
{
	struct bufpool_magazine *magazine;
	__u32 unit = bufpool_window_unit(&pool->window, place);

	magazine = bufpool_kept_open(pool, cache, place->class);
	if (!magazine) {
		give(pool, place->class, &unit, 1);
		return;
	}
	/* the block has an entry by now, and may be rented and returned here */
	magazine->known = bufpool_rentals_ready(&pool->rentals, place->class);
	push(pool, magazine, place->class, unit);
	give_wanted(pool, magazine, place->class);
}

static bool has(const struct bufpool_magazine *magazine, __u32 unit)
{
	struct bufpool_stack *stack = bufpool_magazine_stack(magazine);
	__u32 at = bufpool_stack_bottom(stack);
	unsigned int count = bufpool_stack_count(stack);

	while (count--)
		if (__atomic_load_n(bufpool_stack_at(stack, at++),
				    __ATOMIC_RELAXED) == unit)
			return true;
	return false;
}

bool bufpool_kept_has(struct bufpool *pool, const struct bufpool_place *place)
{
	struct bufpool_caches *caches = &pool->caches;
	__u32 unit = bufpool_window_unit(&pool->window, place);
	bool ret = has(&pool->depot.magazines[place->class], unit);
	unsigned int nr;

	pthread_mutex_lock(&caches->lock);
	for (nr = 1; nr <= caches->nr && !ret; nr++)
		ret = has(&caches->all[nr]->magazines[place->class], unit);
	pthread_mutex_unlock(&caches->lock);
	return ret;
}

/* As much of a magazine as there is room for. */
static void stow(struct bufpool *pool, struct bufpool_magazine *magazine,
		 unsigned int class)
{
	__u32 units[BUFPOOL_HALF_MAX];
	unsigned int count, done;

	while ((count = pop_half(magazine, units))) {
		done = bufpool_depot_put(&pool->depot, class, units, count);
		count -= done;
		while (count)
			bufpool_magazine_push(magazine, units[--count]);
		tell_of_moved(pool, class);
		if (!done)
			break;
	}
}

void bufpool_kept_abandon(struct bufpool *pool, struct bufpool_cache *cache)
{
	unsigned int class;

	for (class = 0; class < pool->classes.count; class++)
		stow(pool, &cache->magazines[class], class);
}
