// SPDX-License-Identifier: MIT
#include <errno.h>
#include <time.h>

#include "call.h"
#include "kept.h"

/* From a search of the threads that found nothing to the next one, at least */
#define SWEEP_PERIOD_NS	10000000

/*
 * End a rental for good: 0, or -ESTALE where another thread is just doing so. The
 * thread that rented the block may be returning it this very instant, see cache.h.
 */
static int claim_block(struct bufpool *pool, struct bufpool_cache *cache,
		       struct bufpool_rental *rental, __u32 *state)
{
	unsigned int owner;
	bool stop, done;

	*state = bufpool_rental_state(rental);
	owner = bufpool_state_cache(*state);
	stop = owner && (!cache || owner != cache->nr);
	if (stop)
		bufpool_caches_stop(&pool->caches);
	done = bufpool_state_kind(*state) == BUFPOOL_HELD &&
	       bufpool_rental_change(rental, *state,
				     bufpool_state(BUFPOOL_RETURNED, 0));
	if (stop)
		bufpool_caches_start(&pool->caches);
	return done ? 0 : -ESTALE;
}

/* Blocks that have been claimed, on their way to the provider */
struct batch {
	unsigned int count;
	__u64 handles[BUFPOOL_MANY_MAX];
	struct bufpool_rental *rentals[BUFPOOL_MANY_MAX];
	__u32 states[BUFPOOL_MANY_MAX];
};

/* Return: how many the provider took, or -errno; the others are held again */
static int return_batch(struct bufpool *pool, struct batch *batch,
			unsigned int flags)
{
	struct bufpool_provider *provider = &pool->provider;
	unsigned int done;
	int ret;

	ret = provider->ops->return_many(provider, batch->handles, batch->count,
					 flags);
	if (ret >= 0)
		done = ret;
	else
		/* A rental that is over in the kernel stays over here. */
		done = ret == -ENOENT || ret == -ESTALE;
	for (; done < batch->count; done++)
		bufpool_rental_set(batch->rentals[done], batch->states[done]);
	return ret;
}

/* Return: how many went to the provider, up to BUFPOOL_MANY_MAX, or -errno */
static int return_direct(struct bufpool *pool, struct bufpool_cache *cache,
			 void *const *blocks, unsigned int count,
			 unsigned int flags)
{
	struct bufpool_rental *rental;
	struct bufpool_place place;
	struct batch batch;
	int ret = 0;

	count = bufpool_batch_size(count);
	for (batch.count = 0; batch.count < count; batch.count++) {
		rental = bufpool_pool_find(pool, blocks[batch.count], &place, &ret);
		if (rental)
			ret = claim_block(pool, cache, rental,
					  &batch.states[batch.count]);
		if (ret)
			break;
		batch.rentals[batch.count] = rental;
		batch.handles[batch.count] =
			bufpool_rentals_handle(&pool->rentals, &place);
	}
	return batch.count ? return_batch(pool, &batch, flags) : ret;
}

/*
 * Keep a block that is held, in the thread's own cache or on its way to the one that
 * rented it. 0, -ESTALE, -EAGAIN (it is not to be kept) or -EXFULL (a sweep has to
 * come first). Entered.
 */
static int keep_block(struct bufpool *pool, struct bufpool_cache *cache,
		      struct bufpool_rental *rental, void *block)
{
	__u32 state = bufpool_rental_state(rental);
	unsigned int owner = bufpool_state_cache(state);
	bool own = owner == cache->nr;
	__u32 next = own ? bufpool_state(BUFPOOL_FREE, 0) :
			   bufpool_state(BUFPOOL_SENT, owner);

	if (bufpool_state_kind(state) != BUFPOOL_HELD)
		return -ESTALE;
	/* Adopted, or rented by a thread that has no cache */
	if (!owner)
		return -EAGAIN;
	/* That thread may not look for long. */
	if (!own && bufpool_cache_is_short(cache))
		return -EAGAIN;
	if (!own && !bufpool_kept_can_send(pool, cache, owner))
		return -EXFULL;
	if (!bufpool_rental_change(rental, state, next))
		return -ESTALE;
	if (own)
		bufpool_kept_add(pool, cache, block);
	else
		bufpool_kept_send(pool, cache, owner, block);
	return 0;
}

/* Return: the bytes that were kept anywhere */
static size_t sweep_threads(struct bufpool *pool)
{
	size_t ret;

	bufpool_caches_stop(&pool->caches);
	bufpool_caches_answer(&pool->caches);
	ret = bufpool_kept_sweep(pool, 0);
	bufpool_caches_start(&pool->caches);
	return ret;
}

static __s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Of the threads that see that a search is due, one gets true. */
static bool is_mine(__s64 *last, __s64 seen, __s64 next)
{
	return __atomic_compare_exchange_n(last, &seen, next, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/*
 * Others are short of blocks: what this thread keeps goes, and then what the other
 * threads keep, as those may not look for long. While others are short no thread
 * keeps more, so after a search in vain another one is worth nothing for a while.
 * While the caches are stopped nothing is kept at all.
 */
static void answer_shortage(struct bufpool *pool, struct bufpool_cache *cache)
{
	__s64 last = __atomic_load_n(&pool->swept_ns, __ATOMIC_RELAXED);
	__s64 now = now_ns();

	if (!bufpool_cache_enter(cache, pool))
		return;
	bufpool_kept_give(pool, cache);
	bufpool_cache_leave(cache, pool);
	if (now - last >= SWEEP_PERIOD_NS &&
	    is_mine(&pool->swept_ns, last, now) && sweep_threads(pool))
		__atomic_store_n(&pool->swept_ns, last, __ATOMIC_RELAXED);
}

/* 0, -errno, or -EAGAIN: the block is not to be kept, or the caches are stopped */
static int return_kept(struct bufpool *pool, struct bufpool_cache *cache,
		       void *block)
{
	struct bufpool_rental *rental;
	struct bufpool_place place;
	int ret;

	rental = bufpool_pool_find(pool, block, &place, &ret);
	if (!rental)
		return ret;
	if (!cache->magazines[place.class].half)
		return -EAGAIN;
	do {
		if (!bufpool_cache_enter(cache, pool))
			return -EAGAIN;
		ret = keep_block(pool, cache, rental, block);
		bufpool_cache_leave(cache, pool);
		if (ret == -EXFULL)
			sweep_threads(pool);
	} while (ret == -EXFULL);
	return ret;
}

/* Return: how many of @count were returned, at least 1, or -errno */
static int give_back(struct bufpool *pool, struct bufpool_cache *cache,
		     void *const *blocks, unsigned int count, unsigned int flags)
{
	int ret = -EAGAIN;

	if (pool->is_strict)
		flags |= BUFPOOL_RETURN_REVOKE;
	if (!flags && cache)
		ret = return_kept(pool, cache, *blocks) ?: 1;
	if (ret == -EAGAIN)
		ret = return_direct(pool, cache, blocks, count, flags);
	if (ret > 0 && cache && bufpool_cache_is_short(cache))
		answer_shortage(pool, cache);
	return ret;
}

/* Keep a block of whatever size in the thread's own cache. Entered. */
static bool return_own(struct bufpool *pool, struct bufpool_cache *cache,
		       void *block)
{
	uintptr_t class = bufpool_window_class_at(&pool->window, block);

	if (bufpool_cache_is_short(cache) || class >= pool->classes.count)
		return false;
	cache->recent = &cache->magazines[class];
	return bufpool_kept_push(cache, cache->recent, block);
}

/* Return: how many were kept in the own cache, up to the first that cannot be */
static unsigned int return_plain(struct bufpool *pool, void *const *blocks,
				 unsigned int count)
{
	struct bufpool_cache *cache = bufpool_cache_mine;
	unsigned int done = 0;

	if (!bufpool_cache_enter(cache, pool))
		return 0;
	while (done < count && return_own(pool, cache, blocks[done]))
		done++;
	bufpool_cache_leave(cache, pool);
	return done;
}

static __attribute__((noinline)) int
return_slowly(struct bufpool *pool, void *block, unsigned int flags)
{
	struct bufpool_cache *cache;
	int ret;

	if (!flags && return_plain(pool, &block, 1))
		return 0;
	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return ret;
	ret = bufpool_call_end(give_back(pool, cache, &block, 1, flags));
	return ret < 0 ? ret : 0;
}

inline int bufpool_return(struct bufpool *pool, void *block, unsigned int flags)
{
	struct bufpool_cache *cache = bufpool_cache_mine;
	bool done;

	if (!flags && bufpool_cache_begin(cache, pool)) {
		done = bufpool_kept_return(cache, block);
		bufpool_cache_leave(cache, pool);
		if (done)
			return 0;
	}
	return return_slowly(pool, block, flags);
}

int bufpool_return_many(struct bufpool *pool, void *const *blocks,
			unsigned int count, unsigned int flags)
{
	struct bufpool_cache *cache;
	unsigned int done = 0;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return ret;
	ret = bufpool_check_many(blocks, count);
	while (!ret && done < count) {
		if (!flags)
			done += return_plain(pool, blocks + done, count - done);
		if (done == count)
			break;
		ret = give_back(pool, cache, blocks + done, count - done, flags);
		if (ret < 0)
			break;
		done += ret;
		ret = 0;
	}
	return bufpool_call_end(done ? (int)done : ret);
}
