// SPDX-License-Identifier: MIT
#include "call.h"

int bufpool_trim(struct bufpool *pool, size_t min_size, uint64_t *trimmed)
{
	__u64 bytes;
	int ret;

	ret = bufpool_call_begin(pool, NULL);
	if (ret)
		return ret;
	ret = pool->provider.ops->trim(&pool->provider, min_size, &bytes);
	if (!ret && trimmed)
		*trimmed = bytes;
	return bufpool_call_end(ret);
}
