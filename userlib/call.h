/* SPDX-License-Identifier: MIT */
/*
 * A call of the library that may need more than the thread's own cache
 */
#ifndef BUFPOOL_CALL_H
#define BUFPOOL_CALL_H

#include "thread.h"

/*
 * As bufpool_thread_enter(), or -EINVAL, -ECHILD, as bufpool_pool_check(). *@cache
 * is the thread's, or NULL; @cache is NULL where none is needed.
 */
int bufpool_call_begin(struct bufpool *pool, struct bufpool_cache **cache);

/* After a begin that went well; @ret again */
int bufpool_call_end(int ret);

/* No structure of a caller is larger, as the kernel has it. */
#define BUFPOOL_CALL_STRUCT_MAX	4096

/*
 * Fill in a caller's structure, which begins with its size, from one of @known bytes, up to
 * where it ends; what it has beyond is zero then. 0, -EINVAL (NULL, or less than @least
 * bytes) or -E2BIG (no structure is so large: the size was not set)
 */
int bufpool_call_reply(void *to, const void *from, size_t known, size_t least);

/* Sets errno to -@error. */
void *bufpool_call_fail(int error);

#endif /* BUFPOOL_CALL_H */
