// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"

/* The thread is in a call, and may have locks. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

int bufpool_call_begin(struct bufpool *pool, struct bufpool_cache **cache)
{
	int ret = bufpool_pool_check(pool);

	if (ret)
		return ret;
	if (inside || bufpool_cache_is_entered(bufpool_cache_mine))
		return -EDEADLK;
	inside = true;
	*cache = bufpool_cache_get(pool);
	return 0;
}

int bufpool_call_end(int ret)
{
	inside = false;
	return ret;
}

void *bufpool_call_fail(int error)
{
	errno = -error;
	return NULL;
}
