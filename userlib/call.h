/* SPDX-License-Identifier: MIT */
/*
 * A call of the library that may need more than the thread's own cache
 */
#ifndef BUFPOOL_CALL_H
#define BUFPOOL_CALL_H

#include "pool.h"

/*
 * 0, and calls of the thread's signal handlers are refused then; or -EDEADLK in such
 * a handler. What has locks that a call may take is in between, too.
 */
int bufpool_call_enter(void);

/*
 * As enter, or -EINVAL, -ECHILD, as bufpool_pool_check(). *@cache is the thread's,
 * or NULL; @cache is NULL where none is needed.
 */
int bufpool_call_begin(struct bufpool *pool, struct bufpool_cache **cache);

/* After an enter or begin that went well; @ret again */
int bufpool_call_end(int ret);

/* Sets errno to -@error. */
void *bufpool_call_fail(int error);

#endif /* BUFPOOL_CALL_H */
