// SPDX-License-Identifier: MIT
#include <errno.h>

#include "batch.h"
#include "call.h"
#include "kept.h"

/* Return: how many the provider took, or -errno; the others are held again */
static int return_batch(struct bufpool *pool, struct bufpool_batch *batch,
			unsigned int flags)
{
	struct bufpool_provider *provider = &pool->provider;
	unsigned int i;
	int ret;

	bufpool_batch_end(pool, batch);
	for (i = 0; i < batch->count && pool->is_strict; i++)
		bufpool_quarantine_add(&pool->quarantine, batch->handles[i]);
	ret = provider->ops->return_many(provider, batch->handles, batch->count,
					 flags);
	bufpool_batch_settle(pool, batch, ret);
	return ret;
}

/* Return: how many went to the provider, up to BUFPOOL_MANY_MAX, or -errno */
static int return_direct(struct bufpool *pool, struct bufpool_cache *cache,
			 void *const *blocks, unsigned int count,
			 unsigned int flags)
{
	struct bufpool_batch batch;
	int ret = 0;

	batch.count = 0;
	count = bufpool_batch_size(count);
	while (!ret && batch.count < count)
		ret = bufpool_batch_add(pool, &batch, blocks[batch.count]);
	if (batch.count)
		ret = bufpool_batch_claim(pool, cache, &batch);
	return ret ? ret : return_batch(pool, &batch, flags);
}

/* Renters wait for blocks of a class. */
static bool is_wanted(const struct bufpool *pool, unsigned int class)
{
	return bufpool_provider_is_short(&pool->provider, pool->classes.of[class].nr);
}

/* 0, -errno, or -EAGAIN: the block is not to be kept */
static int return_kept(struct bufpool *pool, struct bufpool_cache *cache,
		       void *block)
{
	struct bufpool_rental *rental;
	struct bufpool_place place;
	unsigned int owner;
	__u32 state;
	int ret;

	rental = bufpool_pool_find(pool, block, &place, &ret);
	if (!rental)
		return ret;
	if (is_wanted(pool, place.class))
		return -EAGAIN;
	state = bufpool_rental_state(rental);
	owner = bufpool_state_cache(state);
	/* Adopted, or rented by a thread that has no cache */
	if (bufpool_state_kind(state) == BUFPOOL_HELD && !owner)
		return -EAGAIN;
	if (!bufpool_kept_open(pool, cache, place.class))
		return -EAGAIN;
	if (bufpool_state_kind(state) != BUFPOOL_HELD ||
	    !bufpool_caches_claim(&pool->caches, cache->nr, rental, state))
		return -ESTALE;
	bufpool_rental_set(rental, bufpool_state(BUFPOOL_FREE, 0));
	bufpool_kept_add(pool, cache, &place);
	if (owner == cache->nr)
		bufpool_cache_count_own(&pool->caches, cache);
	return 0;
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
	return ret;
}

/*
 * Keep a block of whatever size in the thread's own cache. Return: whether it could. (Where
 * one of pages lies where slabs could grow it is taken for one of theirs, and they do not
 * know it.)
 */
static bool return_own(struct bufpool *pool, struct bufpool_cache *cache, void *block)
{
	uintptr_t class = bufpool_window_slab_at(&pool->window, block);
	struct bufpool_magazine *magazine;
	bool done;

	if (unlikely(class >= pool->classes.nr_slab)) {
		class = bufpool_window_pages_at(&pool->window, block, pool->classes.count);
		if (class >= cache->nr_used)
			return false;
	}
	magazine = &cache->magazines[class];
	if (!bufpool_cache_enter(magazine, pool))
		return false;
	done = bufpool_kept_return(magazine, block);
	if (unlikely(!done) && !is_wanted(pool, class))
		done = bufpool_kept_push_claimed(&pool->caches, magazine, block);
	bufpool_cache_leave(magazine, pool);
	return done;
}

/* The same of several, of the size that was rented last. Return: how many it could */
static unsigned int return_recent(struct bufpool *pool, struct bufpool_magazine *magazine,
				  void *const *blocks, unsigned int count)
{
	unsigned int done = 0;

	if (!bufpool_cache_enter(magazine, pool))
		return 0;
	while (done < count && bufpool_kept_return(magazine, blocks[done]))
		done++;
	bufpool_cache_leave(magazine, pool);
	return done;
}

/* Return: how many were kept in the own cache, up to the first that cannot be */
static unsigned int return_all_own(struct bufpool *pool, struct bufpool_cache *cache,
				   void *const *blocks, unsigned int count)
{
	unsigned int done = 0;

	do
		done += return_recent(pool, cache->recent, blocks + done, count - done);
	while (done < count && return_own(pool, cache, blocks[done]) && ++done < count);
	return done;
}

static __attribute__((noinline)) int
return_slowly(struct bufpool *pool, void *block, unsigned int flags)
{
	struct bufpool_cache *cache;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return ret;
	ret = bufpool_call_end(give_back(pool, cache, &block, 1, flags));
	return ret < 0 ? ret : 0;
}

/* Not of the size that was rented last, or not to be kept at all */
static __attribute__((noinline)) int return_other(struct bufpool *pool, void *block)
{
	struct bufpool_cache *cache = bufpool_mine->cache;

	return cache && return_own(pool, cache, block) ? 0 : return_slowly(pool, block, 0);
}

inline int bufpool_return_plain(struct bufpool *pool, void *block)
{
	struct bufpool_magazine *magazine = bufpool_mine;
	bool done;

	if (bufpool_cache_enter(magazine, pool)) {
		done = bufpool_kept_return(magazine, block);
		bufpool_cache_leave(magazine, pool);
		if (likely(done))
			return 0;
	}
	return return_other(pool, block);
}

int bufpool_return(struct bufpool *pool, void *block, unsigned int flags)
{
	return flags ? return_slowly(pool, block, flags) :
		       bufpool_return_plain(pool, block);
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
		if (!flags && cache)
			done += return_all_own(pool, cache, blocks + done, count - done);
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
