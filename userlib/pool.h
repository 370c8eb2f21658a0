/* SPDX-License-Identifier: MIT */
/*
 * A pool: a provider, the addresses of its blocks, and which are held
 *
 * Nothing but the rentals changes between open and close.
 */
#ifndef BUFPOOL_POOL_H
#define BUFPOOL_POOL_H

/* Everything else is hidden. */
#pragma GCC visibility push(default)
#include "bufpool.h"
#pragma GCC visibility pop

#include "forkmark.h"
#include "provider.h"
#include "rentals.h"
#include "window.h"

struct bufpool {
	struct bufpool_forkmark mark;
	struct bufpool_provider provider;
	struct bufpool_window window;
	struct bufpool_rentals rentals;
};

/* 0, -EINVAL (NULL) or -ECHILD: what every public function asks first */
int bufpool_pool_check(const struct bufpool *pool);

#endif /* BUFPOOL_POOL_H */
