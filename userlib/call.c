// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"

/* The thread is in a call, and may have locks; atomic: its signal handlers ask. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

/* Nothing of the call is done before or after that, inline or not. */
static void set_inside(bool value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&inside, value, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int bufpool_call_enter(void)
{
	if (__atomic_load_n(&inside, __ATOMIC_RELAXED) ||
	    bufpool_cache_is_entered(bufpool_cache_mine))
		return -EDEADLK;
	set_inside(true);
	return 0;
}

int bufpool_call_begin(struct bufpool *pool, struct bufpool_cache **cache)
{
	int ret = bufpool_pool_check(pool);

	if (!ret)
		ret = bufpool_call_enter();
	if (!ret && cache)
		*cache = bufpool_cache_get(pool);
	return ret;
}

int bufpool_call_end(int ret)
{
	set_inside(false);
	return ret;
}

void *bufpool_call_fail(int error)
{
	errno = -error;
	return NULL;
}
