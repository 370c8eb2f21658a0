/* SPDX-License-Identifier: MIT */
/*
 * What must not be cut short where a thread is cancelled
 *
 * Nothing that the library calls with a lock held, or in the middle of a change, may
 * be a cancellation point: a thread that is cancelled there leaves both behind.
 */
#ifndef BUFPOOL_CANCEL_H
#define BUFPOOL_CANCEL_H

#include <pthread.h>

/* What to give to restore(); may be nested. */
static inline int bufpool_cancel_disable(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void bufpool_cancel_restore(int state)
{
	pthread_setcancelstate(state, NULL);
}

#endif /* BUFPOOL_CANCEL_H */
