// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>

#include "pool.h"

int bufpool_pool_check(const struct bufpool *pool)
{
	if (!pool)
		return -EINVAL;
	if (bufpool_forkmark_erased(&pool->mark))
		return -ECHILD;
	return 0;
}

struct bufpool_rental *bufpool_pool_find(const struct bufpool *pool,
					 const void *block,
					 struct bufpool_place *place, int *error)
{
	*error = bufpool_window_find(&pool->window, block, place);
	return *error ? NULL : bufpool_rentals_find(&pool->rentals, place, error);
}

int bufpool_pool_accept(struct bufpool *pool, __u64 handle, __u64 offset, __u32 state,
			struct bufpool_place *place)
{
	int ret = bufpool_window_find_offset(&pool->window, offset, place);

	if (!ret)
		ret = bufpool_rentals_add(&pool->rentals, place, handle, state);
	if (ret)
		bufpool_provider_give(&pool->provider, &handle, 1);
	return ret;
}

int bufpool_check_many(const void *blocks, unsigned int count)
{
	return blocks && count && count <= INT_MAX ? 0 : -EINVAL;
}
