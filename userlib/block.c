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
	return bufpool_window_block_size(&pool->window, place.class);
}

int bufpool_handle(struct bufpool *pool, const void *block, __u64 *handle)
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

int bufpool_offset(struct bufpool *pool, const void *block, __u64 *offset)
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
	*block = bufpool_window_address(&pool->window, &place);
	return bufpool_rentals_adopt(&pool->rentals, &place, handle,
				     bufpool_kept_has(pool, &place));
}

void *bufpool_adopt(struct bufpool *pool, __u64 handle, __u64 offset)
{
	void *block = NULL;
	int ret;

	ret = bufpool_call_begin(pool, NULL);
	if (ret)
		return bufpool_call_fail(ret);
	ret = bufpool_call_end(adopt(pool, handle, offset, &block));
	return ret ? bufpool_call_fail(ret) : block;
}
