// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

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

int bufpool_call_reply(void *to, const void *from, size_t known, size_t least)
{
	__u32 size;

	if (!to)
		return -EINVAL;
	memcpy(&size, to, sizeof(size));
	if (size < least)
		return -EINVAL;
	if (size > BUFPOOL_CALL_STRUCT_MAX)
		return -E2BIG;
	memset(to, 0, size);
	memcpy(to, from, size < known ? size : known);
	memcpy(to, &size, sizeof(size));
	return 0;
}

void *bufpool_call_fail(int error)
{
	errno = -error;
	return NULL;
}
