// SPDX-License-Identifier: MIT
#include "call.h"

/* As the kernel has it: the first version ended here. */
#define STATS_LEAST	offsetof(struct bufpool_stats, refused_again)

int bufpool_stats(struct bufpool *pool, struct bufpool_stats *stats)
{
	struct bufpool_stats all;
	int ret = bufpool_call_begin(pool, NULL);

	if (ret)
		return ret;
	ret = pool->provider.ops->stats(&pool->provider, &all);
	if (!ret)
		ret = bufpool_call_reply(stats, &all, sizeof(all), STATS_LEAST);
	return bufpool_call_end(ret);
}
