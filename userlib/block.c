// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"
#include "kept.h"

static int find_held(struct bufpool *pool, const void *block,
		     struct bufpool_place *place)
{
	int ret = bufpool_pool_check(pool);

	if (!ret)
		bufpool_pool_find(pool, block, place, &ret);
	return ret;
}

size_t bufpool_block_size(struct bufpool *pool, const void *block)
{
	struct bufpool_place place;
	int ret = find_held(pool, block, &place);

	if (ret) {
		bufpool_call_fail(ret);
		return 0;
	}
	bufpool_watch_open(&pool->watch, &place);
	return bufpool_window_block_size(&pool->window, place.class);
}

void *bufpool_block_of(struct bufpool *pool, const void *inside, size_t *size)
{
	struct bufpool_place place;
	int ret = bufpool_pool_check(pool);

	if (!ret)
		ret = bufpool_window_find_inside(&pool->window, inside, &place);
	if (!ret)
		bufpool_rentals_find(&pool->rentals, &place, &ret);
	if (ret)
		return bufpool_call_fail(ret);
	bufpool_watch_open(&pool->watch, &place);
	if (size)
		*size = bufpool_window_block_size(&pool->window, place.class);
	return bufpool_window_address(&pool->window, &place);
}

int bufpool_handle(struct bufpool *pool, const void *block, uint64_t *handle)
{
	struct bufpool_place place;
	int ret = find_held(pool, block, &place);

	if (ret)
		return ret;
	if (!handle)
		return -EINVAL;
	*handle = bufpool_rentals_handle(&pool->rentals, &place);
	return 0;
}

int bufpool_offset(struct bufpool *pool, const void *block, uint64_t *offset)
{
	struct bufpool_place place;
	int ret = find_held(pool, block, &place);

	if (ret)
		return ret;
	if (!offset)
		return -EINVAL;
	*offset = bufpool_window_offset(&pool->window, &place);
	return 0;
}

static int adopt(struct bufpool *pool, __u64 handle, __u64 offset, void **block)
{
	struct bufpool_place place;
	int ret;

	ret = bufpool_window_find_offset(&pool->window, offset, &place);
	if (ret)
		return ret;
	if (bufpool_window_handle(&pool->window, &place,
				  bufpool_handle_generation(handle)) != handle)
		return -EINVAL;
	ret = bufpool_rentals_adopt(&pool->rentals, &place, handle,
				    bufpool_kept_has(pool, &place));
	if (ret)
		return ret;
	*block = bufpool_window_address(&pool->window, &place);
	bufpool_watch_rent(&pool->watch, &place,
			   bufpool_window_block_size(&pool->window, place.class));
	return 0;
}

void *bufpool_adopt(struct bufpool *pool, uint64_t handle, uint64_t offset)
{
	void *block = NULL;
	int ret;

	ret = bufpool_call_begin(pool, NULL);
	if (ret)
		return bufpool_call_fail(ret);
	ret = bufpool_call_end(adopt(pool, handle, offset, &block));
	return ret ? bufpool_call_fail(ret) : block;
}
