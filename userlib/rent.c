// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "call.h"
#include "kept.h"

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

/* Rent up to @count kept blocks. Return: how many */
static unsigned int rent_kept(struct bufpool *pool, struct bufpool_cache *cache,
			      unsigned int class, unsigned int flags,
			      void **blocks, unsigned int count)
{
	struct bufpool_magazine *magazine = bufpool_kept_open(pool, cache, class);
	bool refilled = false;
	unsigned int done = 0;

	if (!magazine)
		return 0;
	cache->recent = magazine;
	while (done < count) {
		if (bufpool_kept_pop(magazine, &blocks[done])) {
			if (flags & BUFPOOL_RENT_ZERO)
				memset(blocks[done], 0, (size_t)1 << magazine->shift);
			refilled = false;
			done++;
			continue;
		}
		if (refilled)
			break;
		bufpool_kept_refill(pool, magazine, class);
		refilled = true;
	}
	return done;
}

/* Accept a block from the provider in @state. 0, or -errno and it has been given back */
static int accept_block(struct bufpool *pool, const struct bufpool_block *got,
			__u32 state, struct bufpool_place *place)
{
	int ret = bufpool_window_find_offset(&pool->window, got->offset, place);

	if (!ret)
		ret = bufpool_rentals_add(&pool->rentals, place, got->handle, state);
	if (ret)
		bufpool_provider_give(&pool->provider, &got->handle, 1);
	return ret;
}

/*
 * Accept, into @blocks, up to @wanted of those from the provider that there is address
 * space and memory for, and keep the others. Return: how many, or -ENOMEM
 */
static int accept_blocks(struct bufpool *pool, struct bufpool_cache *cache,
			 const struct bufpool_block *got, int count, void **blocks,
			 int wanted)
{
	__u32 held = bufpool_state(BUFPOOL_HELD, cache ? cache->nr : 0);
	struct bufpool_place place;
	int i, accepted = 0;

	for (i = 0; i < count && accepted < wanted; i++)
		if (!accept_block(pool, &got[i], held, &place))
			blocks[accepted++] = bufpool_window_address(&pool->window, &place);
	/* The next is to be rented first. */
	while (count-- > i)
		if (!accept_block(pool, &got[count], bufpool_state(BUFPOOL_FRESH, 0),
				  &place))
			bufpool_kept_add(pool, cache, &place);
	return accepted ? accepted : -ENOMEM;
}

/* Rent up to @count blocks from the provider, and up to @more to keep, as it has them. */
static int rent_direct(struct bufpool *pool, struct bufpool_cache *cache,
		       size_t min_size, unsigned int flags, __s64 timeout_ns,
		       void **blocks, unsigned int count, unsigned int more)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got[BUFPOOL_MANY_MAX];
	int ret;

	ret = provider->ops->rent_many(provider, min_size, flags, timeout_ns,
				       got, count + more);
	return ret < 0 ? ret : accept_blocks(pool, cache, got, ret, blocks, count);
}

/*
 * How many blocks more to ask for, to keep: twice as many each time. Zeroes cost too
 * much to be asked for in advance.
 */
static unsigned int want_more(struct bufpool *pool, struct bufpool_cache *cache,
			      unsigned int class, unsigned int flags)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];
	unsigned int want = magazine->want;

	if (magazine->stack == &cache->empty || flags & BUFPOOL_RENT_ZERO ||
	    bufpool_provider_is_short(&pool->provider, pool->classes.of[class].nr))
		return 0;
	if (want < magazine->half)
		magazine->want *= 2;
	return want - 1;
}

static int rent_one(struct bufpool *pool, struct bufpool_cache *cache,
		    size_t min_size, unsigned int flags, __s64 timeout_ns,
		    void **block)
{
	unsigned int class, more = 0;
	int ret;

	if (timeout_ns < 0)
		return -EINVAL;
	if (cache && is_kept(pool, min_size, flags, &class)) {
		if (rent_kept(pool, cache, class, flags, block, 1))
			return 0;
		more = want_more(pool, cache, class, flags);
	}
	ret = rent_direct(pool, cache, min_size, flags, timeout_ns, block, 1, more);
	return ret < 0 ? ret : 0;
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

/* Take what is kept from a magazine. Entered, and leaves. */
static inline void *rent_own(struct bufpool *pool, size_t size,
			     struct bufpool_magazine *magazine)
{
	void *block;
	bool done = bufpool_kept_pop(magazine, &block);

	bufpool_cache_leave(magazine, pool);
	return likely(done) ? block : rent_slowly(pool, size, 0, 0);
}

/* Not of the size that was rented last. Entered, and leaves. */
static __attribute__((noinline)) void *
rent_other(struct bufpool *pool, size_t size, struct bufpool_magazine *magazine)
{
	struct bufpool_cache *cache = magazine->cache;

	bufpool_cache_leave(magazine, pool);
	if (size - 1 >= cache->max_kept)
		return rent_slowly(pool, size, 0, 0);
	magazine = cache->for_order[bufpool_order(size)];
	magazine->size = size;
	bufpool_mine = magazine;
	if (!bufpool_cache_enter(magazine, pool))
		return rent_slowly(pool, size, 0, 0);
	return rent_own(pool, size, magazine);
}

inline void *bufpool_rent_plain(struct bufpool *pool, size_t min_size)
{
	struct bufpool_magazine *magazine = bufpool_mine;

	if (!bufpool_cache_enter(magazine, pool))
		return rent_slowly(pool, min_size, 0, 0);
	if (unlikely(min_size != magazine->size))
		return rent_other(pool, min_size, magazine);
	return rent_own(pool, min_size, magazine);
}

void *bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags)
{
	return flags ? rent_slowly(pool, min_size, flags, 0) :
		       bufpool_rent_plain(pool, min_size);
}

void *bufpool_rent_timed(struct bufpool *pool, size_t min_size,
			 unsigned int flags, int64_t timeout_ns)
{
	return rent_slowly(pool, min_size, flags, timeout_ns);
}

/* Waits for the first block only. Return: how many, or -errno */
static int rent_many(struct bufpool *pool, struct bufpool_cache *cache,
		     size_t min_size, unsigned int flags, void **blocks,
		     unsigned int count)
{
	unsigned int done = 0, batch, class;
	int ret = 0;

	if (cache && is_kept(pool, min_size, flags, &class))
		done = rent_kept(pool, cache, class, flags, blocks, count);
	while (done < count) {
		batch = bufpool_batch_size(count - done);
		ret = rent_direct(pool, cache, min_size,
				  flags | (done ? BUFPOOL_RENT_NONBLOCK : 0), 0,
				  blocks + done, batch, 0);
		if (ret > 0)
			done += ret;
		if (ret < (int)batch)
			break;
	}
	return done ? (int)done : ret;
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
