// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>

#include "pool.h"

static void *fail(int error)
{
	errno = -error;
	return NULL;
}

static int find(struct bufpool *pool, const void *block,
		struct bufpool_place *place, __u64 *handle)
{
	int ret;

	ret = bufpool_pool_check(pool);
	if (ret)
		return ret;
	ret = bufpool_window_find(&pool->window, block, place);
	if (ret)
		return ret;
	return bufpool_rentals_find(&pool->rentals, place, handle);
}

static int take(struct bufpool *pool, const void *block,
		struct bufpool_place *place, __u64 *handle)
{
	int ret = bufpool_window_find(&pool->window, block, place);

	return ret ? ret : bufpool_rentals_take(&pool->rentals, place, handle);
}

/*
 * Keep those of the @count blocks that there is address space and memory for, in
 * @blocks, and give the others back; how many are kept.
 */
static int keep(struct bufpool *pool, const struct bufpool_block *got,
		int count, void **blocks)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_place place;
	int i, kept = 0;

	for (i = 0; i < count; i++) {
		if (bufpool_window_find_offset(&pool->window, got[i].offset, &place) ||
		    bufpool_rentals_add(&pool->rentals, &place, got[i].handle)) {
			provider->ops->return_many(provider, &got[i].handle, 1, 0);
			continue;
		}
		blocks[kept++] = bufpool_window_address(&pool->window, &place);
	}
	return kept ? kept : -ENOMEM;
}

static int rent_batch(struct bufpool *pool, size_t min_size, unsigned int flags,
		      __s64 timeout_ns, void **blocks, unsigned int count)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_block got[BUFPOOL_MANY_MAX];
	int ret;

	ret = provider->ops->rent_many(provider, min_size, flags, timeout_ns,
				       got, count);
	return ret < 0 ? ret : keep(pool, got, ret, blocks);
}

void *bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags)
{
	return bufpool_rent_timed(pool, min_size, flags, 0);
}

void *bufpool_rent_timed(struct bufpool *pool, size_t min_size,
			 unsigned int flags, int64_t timeout_ns)
{
	void *block;
	int ret;

	ret = bufpool_pool_check(pool);
	if (ret)
		return fail(ret);
	ret = rent_batch(pool, min_size, flags, timeout_ns, &block, 1);
	return ret < 0 ? fail(ret) : block;
}

static unsigned int batch_size(unsigned int count)
{
	return count < BUFPOOL_MANY_MAX ? count : BUFPOOL_MANY_MAX;
}

static int check_many(const struct bufpool *pool, const void *blocks,
		      unsigned int count)
{
	int ret = bufpool_pool_check(pool);

	if (ret)
		return ret;
	return blocks && count && count <= INT_MAX ? 0 : -EINVAL;
}

int bufpool_rent_many(struct bufpool *pool, size_t min_size,
		      unsigned int flags, void **blocks, unsigned int count)
{
	unsigned int done = 0, batch;
	int ret;

	ret = check_many(pool, blocks, count);
	if (ret)
		return ret;
	do {
		batch = batch_size(count - done);
		ret = rent_batch(pool, min_size, flags, 0, blocks + done, batch);
		if (ret < 0)
			return done ? (int)done : ret;
		done += ret;
		/* Only the first block is worth waiting for. */
		flags |= BUFPOOL_RENT_NONBLOCK;
	} while (done < count && (unsigned int)ret == batch);
	return done;
}

static void put_back(struct bufpool *pool, const struct bufpool_place *places,
		     unsigned int count)
{
	while (count--)
		bufpool_rentals_put_back(&pool->rentals, places++);
}

static int return_batch(struct bufpool *pool, void *const *blocks,
			unsigned int count, unsigned int flags)
{
	struct bufpool_place places[BUFPOOL_MANY_MAX];
	struct bufpool_provider *provider = &pool->provider;
	__u64 handles[BUFPOOL_MANY_MAX];
	unsigned int taken, done;
	int ret = 0;

	for (taken = 0; taken < count; taken++) {
		ret = take(pool, blocks[taken], &places[taken], &handles[taken]);
		if (ret)
			break;
	}
	if (!taken)
		return ret;

	ret = provider->ops->return_many(provider, handles, taken, flags);
	if (ret >= 0)
		done = ret;
	else
		/* A rental that is over in the kernel stays over here. */
		done = ret == -ENOENT || ret == -ESTALE;
	put_back(pool, places + done, taken - done);
	return ret;
}

int bufpool_return(struct bufpool *pool, void *block, unsigned int flags)
{
	int ret;

	ret = bufpool_pool_check(pool);
	if (ret)
		return ret;
	ret = return_batch(pool, &block, 1, flags);
	return ret < 0 ? ret : 0;
}

int bufpool_return_many(struct bufpool *pool, void *const *blocks,
			unsigned int count, unsigned int flags)
{
	unsigned int done = 0, batch;
	int ret;

	ret = check_many(pool, blocks, count);
	if (ret)
		return ret;
	do {
		batch = batch_size(count - done);
		ret = return_batch(pool, blocks + done, batch, flags);
		if (ret < 0)
			return done ? (int)done : ret;
		done += ret;
	} while (done < count && (unsigned int)ret == batch);
	return done;
}

size_t bufpool_block_size(struct bufpool *pool, const void *block)
{
	struct bufpool_place place;
	__u64 handle;
	int ret;

	ret = find(pool, block, &place, &handle);
	if (ret) {
		fail(ret);
		return 0;
	}
	return bufpool_window_block_size(&pool->window, place.class);
}

int bufpool_handle(struct bufpool *pool, const void *block, uint64_t *handle)
{
	struct bufpool_place place;
	__u64 found;
	int ret;

	ret = find(pool, block, &place, &found);
	if (ret)
		return ret;
	if (!handle)
		return -EINVAL;
	*handle = found;
	return 0;
}

int bufpool_offset(struct bufpool *pool, const void *block, uint64_t *offset)
{
	struct bufpool_place place;
	__u64 handle;
	int ret;

	ret = find(pool, block, &place, &handle);
	if (ret)
		return ret;
	if (!offset)
		return -EINVAL;
	*offset = bufpool_window_offset(&pool->window, &place);
	return 0;
}

void *bufpool_adopt(struct bufpool *pool, uint64_t handle, uint64_t offset)
{
	struct bufpool_place place;
	int ret;

	ret = bufpool_pool_check(pool);
	if (ret)
		return fail(ret);
	ret = bufpool_window_find_offset(&pool->window, offset, &place);
	if (ret)
		return fail(ret);
	ret = bufpool_rentals_adopt(&pool->rentals, &place, handle);
	if (ret)
		return fail(ret);
	return bufpool_window_address(&pool->window, &place);
}
