// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "call.h"
#include "kept.h"

/* Whether a rent with this result may succeed when more is free. */
static bool is_shortage(int ret)
{
	return ret == -EAGAIN || ret == -EDQUOT || ret == -ENOMEM;
}

/* Whether blocks for such a request are kept, and of which class they are. */
static bool is_kept(const struct bufpool *pool, size_t min_size,
		    unsigned int flags, unsigned int *class)
{
	if (min_size - 1 >= pool->classes.max_pooled ||
	    flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK))
		return false;
	*class = bufpool_classes_for(&pool->classes, min_size);
	return pool->classes.of[*class].is_pooled;
}

static void *zero_block(const struct bufpool *pool, void *block, unsigned int class,
			unsigned int flags)
{
	if (flags & BUFPOOL_RENT_ZERO)
		memset(block, 0, bufpool_window_block_size(&pool->window, class));
	return block;
}

/*
 * Rent up to @count kept blocks. Return: how many, or -EAGAIN while the caches are
 * stopped
 */
static int rent_kept(struct bufpool *pool, struct bufpool_cache *cache,
		     unsigned int class, unsigned int flags, void **blocks,
		     unsigned int count)
{
	struct bufpool_magazine *magazine;
	unsigned int done = 0;
	void *block;

	if (!cache || !bufpool_cache_enter(cache, pool))
		return -EAGAIN;
	magazine = &cache->magazines[class];
	cache->recent = magazine;
	while (done < count) {
		if (bufpool_kept_pop(cache, magazine, &block)) {
			blocks[done++] = zero_block(pool, block, class, flags);
			continue;
		}
		bufpool_kept_refill(pool, cache, class);
		if (!bufpool_magazine_count(magazine))
			break;
	}
	bufpool_cache_leave(cache, pool);
	return done;
}

/* The state of what a thread rents */
static __u32 held_state(const struct bufpool_cache *cache)
{
	return cache ? cache->held : bufpool_state(BUFPOOL_HELD, 0);
}

/*
 * Accept, into @blocks, those of @count blocks from the provider that there is
 * address space and memory for, and give the others back. Return: how many, or
 * -ENOMEM
 */
static int accept_blocks(struct bufpool *pool, const struct bufpool_block *got,
			 int count, __u32 state, void **blocks)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_place place;
	int i, kept = 0;

	for (i = 0; i < count; i++) {
		if (bufpool_window_find_offset(&pool->window, got[i].offset, &place) ||
		    bufpool_rentals_add(&pool->rentals, &place, got[i].handle,
					state)) {
			bufpool_provider_give(provider, &got[i].handle, 1);
			continue;
		}
		blocks[kept++] = bufpool_window_address(&pool->window, &place);
	}
	return kept ? kept : -ENOMEM;
}

static int rent_direct(struct bufpool *pool, __u32 state, size_t min_size,
		       unsigned int flags, __s64 timeout_ns, void **blocks,
		       unsigned int count)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got[BUFPOOL_MANY_MAX];
	int ret;

	ret = provider->ops->rent_many(provider, min_size, flags, timeout_ns,
				       got, count);
	return ret < 0 ? ret : accept_blocks(pool, got, ret, state, blocks);
}

/* Blocks to ask for, of which one is needed */
static unsigned int want_blocks(const struct bufpool_cache *cache,
				const struct bufpool_magazine *magazine,
				unsigned int flags)
{
	/* Zeroes cost too much to be asked for in advance. */
	if (flags & BUFPOOL_RENT_ZERO || bufpool_cache_is_short(cache))
		return 1;
	return magazine->want;
}

/*
 * Rent one block from the provider, and keep more for later: twice as many as the
 * last time. 0, or -errno; -EAGAIN while the caches are stopped, too.
 */
static int rent_and_keep(struct bufpool *pool, struct bufpool_cache *cache,
			 unsigned int class, unsigned int flags, void **block)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];
	void *blocks[BUFPOOL_HALF_MAX];
	struct bufpool_place place;
	int ret;

	if (!bufpool_cache_enter(cache, pool))
		return -EAGAIN;
	ret = rent_direct(pool, bufpool_state(BUFPOOL_FRESH, 0),
			  bufpool_window_block_size(&pool->window, class),
			  flags | BUFPOOL_RENT_NONBLOCK, 0, blocks,
			  want_blocks(cache, magazine, flags));
	if (ret > 0) {
		*block = blocks[0];
		place = bufpool_window_place(&pool->window, *block);
		bufpool_rental_set(bufpool_rentals_at(&pool->rentals, &place),
				   cache->held);
		bufpool_kept_add_all(pool, cache, blocks + 1, ret - 1);
		if (magazine->want < magazine->half)
			magazine->want *= 2;
	}
	bufpool_cache_leave(cache, pool);
	return ret < 0 ? ret : 0;
}

/* Rent one block without waiting. 0 or -errno */
static int try_rent(struct bufpool *pool, struct bufpool_cache *cache,
		    size_t min_size, unsigned int flags, void **block)
{
	unsigned int class;
	int ret = 0;

	if (cache && is_kept(pool, min_size, flags, &class)) {
		ret = rent_kept(pool, cache, class, flags, block, 1);
		if (!ret)
			ret = rent_and_keep(pool, cache, class, flags, block) ?: 1;
		if (ret != -EAGAIN)
			return ret < 0 ? ret : 0;
	}
	ret = rent_direct(pool, held_state(cache), min_size,
			  flags | BUFPOOL_RENT_NONBLOCK, 0, block, 1);
	return ret < 0 ? ret : 0;
}

/*
 * Rent one block in a pool where none is free: this process may keep what is
 * missing. While one of its threads waits, the others keep nothing.
 */
static int rent_scarce(struct bufpool *pool, struct bufpool_cache *cache,
		       size_t min_size, unsigned int flags, __s64 timeout_ns,
		       void **block)
{
	int ret = -EAGAIN;

	if (pool->caches.all) {
		bufpool_caches_stop(&pool->caches);
		if (bufpool_kept_sweep(pool, 0))
			ret = rent_direct(pool, held_state(cache), min_size,
					  flags | BUFPOOL_RENT_NONBLOCK, 0,
					  block, 1);
	}
	if (is_shortage(ret))
		ret = rent_direct(pool, held_state(cache), min_size, flags,
				  timeout_ns, block, 1);
	if (pool->caches.all)
		bufpool_caches_start(&pool->caches);
	return ret < 0 ? ret : 0;
}

static int rent_one(struct bufpool *pool, struct bufpool_cache *cache,
		    size_t min_size, unsigned int flags, __s64 timeout_ns,
		    void **block)
{
	int ret;

	if (timeout_ns < 0)
		return -EINVAL;
	ret = try_rent(pool, cache, min_size, flags, block);
	if (!is_shortage(ret))
		return ret;
	return rent_scarce(pool, cache, min_size, flags, timeout_ns, block);
}

static __attribute__((noinline)) void *
rent_slowly(struct bufpool *pool, size_t min_size, unsigned int flags,
	    __s64 timeout_ns)
{
	struct bufpool_cache *cache;
	void *block;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return bufpool_call_fail(ret);
	ret = rent_one(pool, cache, min_size, flags, timeout_ns, &block);
	ret = bufpool_call_end(ret);
	return ret ? bufpool_call_fail(ret) : block;
}

inline void *bufpool_rent(struct bufpool *pool, size_t min_size,
			  unsigned int flags)
{
	struct bufpool_cache *cache = bufpool_cache_mine;
	void *block;
	bool done;

	if (!flags && bufpool_cache_begin(cache, pool)) {
		done = bufpool_kept_rent(cache, min_size, &block);
		bufpool_cache_leave(cache, pool);
		if (done)
			return block;
	}
	return rent_slowly(pool, min_size, flags, 0);
}

void *bufpool_rent_timed(struct bufpool *pool, size_t min_size,
			 unsigned int flags, int64_t timeout_ns)
{
	return rent_slowly(pool, min_size, flags, timeout_ns);
}

/* Rent as many as there are, without waiting. Return: how many, or -errno */
static int try_rent_many(struct bufpool *pool, struct bufpool_cache *cache,
			 size_t min_size, unsigned int flags, void **blocks,
			 unsigned int count)
{
	unsigned int done = 0, batch, class;
	int ret = 0;

	if (is_kept(pool, min_size, flags, &class)) {
		ret = rent_kept(pool, cache, class, flags, blocks, count);
		done = ret > 0 ? ret : 0;
	}
	while (done < count) {
		batch = bufpool_batch_size(count - done);
		ret = rent_direct(pool, held_state(cache), min_size,
				  flags | BUFPOOL_RENT_NONBLOCK, 0,
				  blocks + done, batch);
		if (ret > 0)
			done += ret;
		if (ret < (int)batch)
			break;
	}
	return done ? (int)done : ret;
}

static int rent_many(struct bufpool *pool, struct bufpool_cache *cache,
		     size_t min_size, unsigned int flags, void **blocks,
		     unsigned int count)
{
	int ret;

	ret = try_rent_many(pool, cache, min_size, flags, blocks, count);
	if (!is_shortage(ret))
		return ret;
	/* Only the first block is worth waiting for. */
	ret = rent_scarce(pool, cache, min_size, flags, 0, blocks);
	if (ret || count == 1)
		return ret ? ret : 1;
	ret = try_rent_many(pool, cache, min_size, flags, blocks + 1, count - 1);
	return ret < 0 ? 1 : 1 + ret;
}

int bufpool_rent_many(struct bufpool *pool, size_t min_size,
		      unsigned int flags, void **blocks, unsigned int count)
{
	struct bufpool_cache *cache;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return ret;
	ret = bufpool_check_many(blocks, count);
	if (ret)
		return bufpool_call_end(ret);
	return bufpool_call_end(rent_many(pool, cache, min_size, flags, blocks, count));
}

