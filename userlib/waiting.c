// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"
#include "kept.h"

int bufpool_cancel(struct bufpool *pool, int on)
{
	int saved = errno, ret = bufpool_pool_check(pool);
	bool is_free;

	if (ret)
		return ret;
	/* In a handler that interrupted a call it has to do without what that holds. */
	is_free = !bufpool_thread_enter();
	ret = pool->provider.ops->cancel(&pool->provider, on, is_free);
	if (is_free)
		bufpool_thread_leave();
	errno = saved;
	return ret;
}

static int make_poller(struct bufpool *pool, size_t min_size, unsigned int flags)
{
	unsigned int class;
	int ret;

	if (flags & ~BUFPOOL_POLLER_IO)
		return -EINVAL;
	ret = bufpool_classes_find(&pool->classes, flags & BUFPOOL_POLLER_IO ?
				   BUFPOOL_BACKING_PAGES : BUFPOOL_BACKING_SLAB,
				   min_size, &class);
	if (ret)
		return ret;
	ret = pool->provider.ops->poller(&pool->provider, &pool->classes.of[class], flags);
	if (ret >= 0)
		bufpool_kept_settle(pool);
	return ret;
}

int bufpool_poller_for(struct bufpool *pool, size_t min_size, unsigned int flags)
{
	int ret = bufpool_call_begin(pool, NULL);

	return ret ? ret : bufpool_call_end(make_poller(pool, min_size, flags));
}

int bufpool_poller(struct bufpool *pool, size_t min_size)
{
	return bufpool_poller_for(pool, min_size, 0);
}
