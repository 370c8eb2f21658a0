// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "call.h"
#include "kept.h"

/* Whether blocks for such a request are kept, and of which class they are. */
static bool is_kept(const struct bufpool *pool, size_t min_size,
		    unsigned int flags, unsigned int *class)
{
	unsigned int backing = bufpool_backing_for(flags);

	if (min_size - 1 >= pool->classes.sizes[backing].max_pooled ||
	    flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO))
		return false;
	*class = bufpool_classes_for(&pool->classes, backing, min_size);
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
	if (bufpool_class_is_slab(&pool->classes, class))
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

/*
 * Accept, into @blocks, up to @wanted of those from the provider that there is address
 * space and memory for, and keep the others. Return: how many, or -ENOMEM
 */
static int accept_blocks(struct bufpool *pool, struct bufpool_cache *cache, size_t min_size,
			 const struct bufpool_block *got, int count, void **blocks,
			 int wanted)
{
	__u32 held = bufpool_state(BUFPOOL_HELD, cache ? cache->nr : 0);
	struct bufpool_place place;
	int i, accepted = 0;

	for (i = 0; i < count && accepted < wanted; i++) {
		if (bufpool_pool_accept(pool, got[i].handle, got[i].offset, held, &place))
			continue;
		bufpool_watch_rent(&pool->watch, &place, min_size);
		blocks[accepted++] = bufpool_window_address(&pool->window, &place);
	}
	__atomic_fetch_add(&pool->misses, accepted, __ATOMIC_RELAXED);
	/* The next is to be rented first. */
	while (count-- > i)
		if (!bufpool_pool_accept(pool, got[count].handle, got[count].offset,
					 bufpool_state(BUFPOOL_FRESH, 0), &place))
			bufpool_kept_add(pool, cache, &place);
	return accepted ? accepted : -ENOMEM;
}

static int rent_strictly(struct bufpool *pool, size_t min_size, unsigned int flags,
			 __s64 timeout_ns, struct bufpool_block *got, unsigned int count)
{
	unsigned int class;
	int ret = bufpool_classes_find(&pool->classes, bufpool_backing_for(flags), min_size,
				       &class);

	return ret ? ret : bufpool_quarantine_rent(&pool->quarantine, &pool->provider,
						   pool->classes.of[class].nr, min_size, flags,
						   timeout_ns, got, count);
}

/* Rent up to @count blocks from the provider, and up to @more to keep, as it has them. */
static int rent_direct(struct bufpool *pool, struct bufpool_cache *cache,
		       size_t min_size, unsigned int flags, __s64 timeout_ns,
		       void **blocks, unsigned int count, unsigned int more)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got[BUFPOOL_MANY_MAX];
	int ret;

	/* the kernel may have such blocks, and the pool no address for them */
	if (flags & BUFPOOL_RENT_IO && !pool->classes.sizes[BUFPOOL_BACKING_PAGES].largest)
		return -EINVAL;
	ret = pool->is_strict ?
	      rent_strictly(pool, min_size, flags, timeout_ns, got, count) :
	      provider->ops->rent_many(provider, min_size, flags, timeout_ns, got,
				       count + more);
	return ret < 0 ? ret : accept_blocks(pool, cache, min_size, got, ret, blocks, count);
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

	if (cache && is_kept(pool, min_size, flags, &class)) {
		if (rent_kept(pool, cache, class, flags, block, 1))
			return 0;
		more = want_more(pool, cache, class, flags);
	}
	ret = rent_direct(pool, cache, min_size, flags, timeout_ns, block, 1, more);
	return ret < 0 ? ret : 0;
}

/* To the provider 0 is for ever, and a flag says not to wait. */
static int rent_within(struct bufpool *pool, struct bufpool_cache *cache,
		       size_t min_size, unsigned int flags, int64_t timeout_ns,
		       void **block)
{
	int ret;

	if (timeout_ns < BUFPOOL_FOREVER)
		return -EINVAL;
	if (timeout_ns)
		return rent_one(pool, cache, min_size, flags,
				timeout_ns == BUFPOOL_FOREVER ? 0 : timeout_ns, block);
	ret = rent_one(pool, cache, min_size, flags | BUFPOOL_RENT_NONBLOCK, 0, block);
	return ret == -EAGAIN && !(flags & BUFPOOL_RENT_NONBLOCK) ? -ETIMEDOUT : ret;
}

static __attribute__((noinline)) void *
rent_slowly(struct bufpool *pool, size_t min_size, unsigned int flags,
	    int64_t timeout_ns)
{
	struct bufpool_cache *cache;
	void *block;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return bufpool_call_fail(ret);
	ret = rent_within(pool, cache, min_size, flags, timeout_ns, &block);
	ret = bufpool_call_end(ret);
	return ret ? bufpool_call_fail(ret) : block;
}

/*
 * The fast path, for all that rents one block. What is kept needs no waiting: @flags, which
 * may have NONBLOCK, and @timeout_ns are for where nothing is.
 */

/* Take what is kept from a magazine. Entered, and leaves. */
static inline void *rent_own(struct bufpool *pool, size_t size, unsigned int flags,
			     int64_t timeout_ns, struct bufpool_magazine *magazine)
{
	void *block;
	bool done = bufpool_kept_pop(magazine, &block);

	bufpool_cache_leave(magazine, pool);
	return likely(done) ? block : rent_slowly(pool, size, flags, timeout_ns);
}

/* Not of the size that was rented last. Entered, and leaves. */
static __attribute__((noinline)) void *
rent_other(struct bufpool *pool, size_t size, unsigned int flags, int64_t timeout_ns,
	   struct bufpool_magazine *magazine)
{
	struct bufpool_cache *cache = magazine->cache;

	bufpool_cache_leave(magazine, pool);
	if (size - 1 >= cache->max_kept[BUFPOOL_BACKING_SLAB])
		return rent_slowly(pool, size, flags, timeout_ns);
	magazine = cache->for_order[BUFPOOL_BACKING_SLAB][bufpool_order(size)];
	magazine->size = size;
	bufpool_mine = magazine;
	if (!bufpool_cache_enter(magazine, pool))
		return rent_slowly(pool, size, flags, timeout_ns);
	return rent_own(pool, size, flags, timeout_ns, magazine);
}

static inline __attribute__((always_inline)) void *
rent_fast(struct bufpool *pool, size_t size, unsigned int flags, int64_t timeout_ns)
{
	struct bufpool_magazine *magazine = bufpool_mine;

	if (!bufpool_cache_enter(magazine, pool))
		return rent_slowly(pool, size, flags, timeout_ns);
	if (unlikely(size != magazine->size))
		return rent_other(pool, size, flags, timeout_ns, magazine);
	return rent_own(pool, size, flags, timeout_ns, magazine);
}

/*
 * With flags that the fast path does not know. Blocks of pages come as quickly as others of
 * another size than the last; which magazine that was is a matter of slabs only, or a rent
 * of so many bytes would be taken for one of the other kind.
 */
static __attribute__((noinline)) void *
rent_flagged(struct bufpool *pool, size_t size, unsigned int flags, int64_t timeout_ns)
{
	struct bufpool_cache *cache = bufpool_mine->cache;
	struct bufpool_magazine *magazine;

	if ((flags & ~BUFPOOL_RENT_NONBLOCK) != BUFPOOL_RENT_IO ||
	    timeout_ns < BUFPOOL_FOREVER || !cache ||
	    size - 1 >= cache->max_kept[BUFPOOL_BACKING_PAGES])
		return rent_slowly(pool, size, flags, timeout_ns);
	magazine = cache->for_order[BUFPOOL_BACKING_PAGES][bufpool_order(size)];
	if (!bufpool_cache_enter(magazine, pool))
		return rent_slowly(pool, size, flags, timeout_ns);
	return rent_own(pool, size, flags, timeout_ns, magazine);
}

inline void *bufpool_rent_plain(struct bufpool *pool, size_t min_size)
{
	return rent_fast(pool, min_size, 0, BUFPOOL_FOREVER);
}

void *bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags)
{
	if (unlikely(flags & ~BUFPOOL_RENT_NONBLOCK))
		return rent_flagged(pool, min_size, flags, BUFPOOL_FOREVER);
	return rent_fast(pool, min_size, flags, BUFPOOL_FOREVER);
}

void *bufpool_rent_timed(struct bufpool *pool, size_t min_size,
			 unsigned int flags, int64_t timeout_ns)
{
	if (unlikely(flags & ~BUFPOOL_RENT_NONBLOCK || timeout_ns < BUFPOOL_FOREVER))
		return rent_flagged(pool, min_size, flags, timeout_ns);
	return rent_fast(pool, min_size, flags, timeout_ns);
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
		if (pool->is_strict && batch > BUFPOOL_QUARANTINE_MANY_MAX)
			batch = BUFPOOL_QUARANTINE_MANY_MAX;
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

static int rent_some(struct bufpool *pool, size_t min_size, unsigned int flags,
		     void **blocks, unsigned int count)
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

/* Waiting for a part, with another part in hand, would be for two such calls to deadlock. */
static int rent_all(struct bufpool *pool, size_t min_size, unsigned int flags,
		    void **blocks, unsigned int count)
{
	unsigned int done = 0;
	int ret;

	do {
		ret = rent_some(pool, min_size, flags | BUFPOOL_RENT_NONBLOCK,
				blocks + done, count - done);
		if (ret > 0)
			done += ret;
	} while (ret > 0 && done < count);
	if (ret > 0)
		return done;
	if (done)
		bufpool_return_many(pool, blocks, done, 0);
	return ret;
}

int bufpool_rent_many(struct bufpool *pool, size_t min_size,
		      unsigned int flags, void **blocks, unsigned int count)
{
	if (flags & BUFPOOL_RENT_ALL)
		return rent_all(pool, min_size, flags & ~BUFPOOL_RENT_ALL, blocks, count);
	return rent_some(pool, min_size, flags, blocks, count);
}
