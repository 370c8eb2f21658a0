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

/* Sets errno to -@error. */
void *bufpool_call_fail(int error);

#endif /* BUFPOOL_CALL_H */
