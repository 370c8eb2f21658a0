// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"

int bufpool_stats(struct bufpool *pool, struct bufpool_stats *stats)
{
	int ret = bufpool_call_begin(pool, NULL);

	if (ret)
		return ret;
	ret = -EINVAL;
	if (stats)
		ret = pool->provider.ops->stats(&pool->provider, stats);
	return bufpool_call_end(ret);
}
