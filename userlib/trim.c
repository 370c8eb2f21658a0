// SPDX-License-Identifier: MIT
#include "call.h"
#include "kept.h"

int bufpool_trim(struct bufpool *pool, size_t min_size, __u64 *trimmed)
{
	__u64 kept = 0, warm;
	int ret;

	ret = bufpool_call_begin(pool, NULL);
	if (ret)
		return ret;
	if (pool->caches.all) {
		bufpool_caches_stop(&pool->caches);
		kept = bufpool_kept_sweep(pool, min_size);
		bufpool_caches_start(&pool->caches);
	}
	/* What was kept is warm now, or has gone to other clients. */
	ret = pool->provider.ops->trim(&pool->provider, min_size, &warm);
	if (!ret && trimmed)
		*trimmed = warm > kept ? warm : kept;
	return bufpool_call_end(ret);
}
