/* SPDX-License-Identifier: MIT */
/*
 * A thread: its caches in the pools that it uses, and whether it is in a call
 *
 * The list of a thread's caches is its own. The *registry* is held while a thread
 * ends or a pool is closed, so that neither happens in the middle of the other.
 *
 * Nothing is held while a process forks: a program's own handlers (pthread_atfork) may
 * close pools and end threads there. What the child must find in order is erased in it.
 */
#ifndef BUFPOOL_THREAD_H
#define BUFPOOL_THREAD_H

#include "pool.h"

/*
 * Reached without a call, where the loader has room for that in a library that is loaded
 * late: musl's has none.
 */
#ifdef __GLIBC__
#define BUFPOOL_TLS	__attribute__((tls_model("initial-exec")))
#else
#define BUFPOOL_TLS
#endif

/* What this thread rented from last; or a magazine of no pool, as inside of a call */
extern __thread struct bufpool_magazine *bufpool_mine BUFPOOL_TLS;

/* Whether the end of threads will be seen, without which they can have no caches. */
bool bufpool_threads_prepare(void);

/* This thread's cache in a pool, or NULL where it has none and gets none. */
struct bufpool_cache *bufpool_thread_cache(struct bufpool *pool);

/* Destroy the depot and the caches of a pool, among them what threads have of it. */
void bufpool_threads_part(struct bufpool *pool);

/*
 * 0, and calls of the thread's signal handlers are refused until leave(); or
 * -EDEADLK in such a handler. Whatever takes locks that a call may take is in
 * between. errno is afterwards what it was before.
 */
int bufpool_thread_enter(void);
void bufpool_thread_leave(void);

#endif /* BUFPOOL_THREAD_H */
