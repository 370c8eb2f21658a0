// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"
#include "kept.h"

static unsigned int number_of(const struct bufpool_cache *cache)
{
	return cache ? cache->nr : 0;
}

/* Blocks that go to the provider in one call */
struct batch {
	unsigned int count;
	__u64 handles[BUFPOOL_MANY_MAX];
	struct bufpool_rental *rentals[BUFPOOL_MANY_MAX];
	__u32 states[BUFPOOL_MANY_MAX];
};

/* Look up to @count blocks up; 0, or what is wrong with the first that is refused */
static int find_batch(struct bufpool *pool, void *const *blocks, unsigned int count,
		      struct batch *batch)
{
	struct bufpool_rental *rental;
	struct bufpool_place place;
	int ret = 0;

	for (batch->count = 0; batch->count < count; batch->count++) {
		rental = bufpool_pool_find(pool, blocks[batch->count], &place, &ret);
		if (!rental)
			break;
		batch->rentals[batch->count] = rental;
		batch->states[batch->count] = bufpool_rental_state(rental);
		batch->handles[batch->count] =
			bufpool_rentals_handle(&pool->rentals, &place);
	}
	return ret;
}

/* Have the caches shared that the blocks were rented by: all at once. */
static void share_batch(struct bufpool *pool, unsigned int self,
			const struct batch *batch)
{
	unsigned int numbers[BUFPOOL_MANY_MAX], count = 0, i, owner;

	for (i = 0; i < batch->count; i++) {
		owner = bufpool_state_cache(batch->states[i]);
		if (owner && owner != self)
			numbers[count++] = owner;
	}
	if (count > 1)
		bufpool_caches_share(&pool->caches, numbers, count);
}

/* Claim them; from the first that somebody else is just returning on, none. */
static void claim_batch(struct bufpool *pool, unsigned int self, struct batch *batch)
{
	unsigned int i = 0;

	while (i < batch->count &&
	       bufpool_state_kind(batch->states[i]) == BUFPOOL_HELD &&
	       bufpool_caches_claim(&pool->caches, self, batch->rentals[i],
				    batch->states[i]))
		i++;
	batch->count = i;
}

/* Return: how many the provider took, or -errno; the others are held again */
static int return_batch(struct bufpool *pool, struct batch *batch,
			unsigned int flags)
{
	struct bufpool_provider *provider = &pool->provider;
	unsigned int done, i;
	int ret;

	/* Before the provider has them, which may rent them to another thread. */
	for (i = 0; i < batch->count; i++)
		bufpool_rental_set(batch->rentals[i],
				   bufpool_state(BUFPOOL_RETURNED, 0));
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
	unsigned int self = number_of(cache);
	struct batch batch;
	int ret;

	ret = find_batch(pool, blocks, bufpool_batch_size(count), &batch);
	share_batch(pool, self, &batch);
	if (batch.count) {
		claim_batch(pool, self, &batch);
		ret = -ESTALE;
	}
	return batch.count ? return_batch(pool, &batch, flags) : ret;
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

/* Keep a block of whatever size in the thread's own cache. Return: whether it could */
static bool return_own(struct bufpool *pool, struct bufpool_cache *cache, void *block)
{
	uintptr_t class = bufpool_window_class_at(&pool->window, block);
	struct bufpool_magazine *magazine;
	bool done;

	if (class >= pool->classes.count)
		return false;
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
