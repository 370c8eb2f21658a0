// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"

int bufpool_call_begin(struct bufpool *pool, struct bufpool_cache **cache)
{
	int ret = bufpool_pool_check(pool);

	if (!ret)
		ret = bufpool_thread_enter();
	if (!ret && cache)
		*cache = bufpool_thread_cache(pool);
	return ret;
}

int bufpool_call_end(int ret)
{
	bufpool_thread_leave();
	return ret;
}

void *bufpool_call_fail(int error)
{
	errno = -error;
	return NULL;
}
