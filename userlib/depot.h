/* SPDX-License-Identifier: MIT */
/*
 * What a process keeps for all its threads: what one has too many of, another
 * may lack. Blocks in here are FREE or FRESH, see rentals.h.
 */
#ifndef BUFPOOL_DEPOT_H
#define BUFPOOL_DEPOT_H

#include <pthread.h>

#include "cache.h"

/* For each class, so many halves of a magazine */
#define BUFPOOL_DEPOT_HALVES	4

struct bufpool_depot {
	pthread_mutex_t lock;		/* who has it owns the magazines */
	struct bufpool_caches *caches;	/* constant, as is @set */
	unsigned int set;		/* of stacks; 0: it keeps nothing */
	struct bufpool_magazine magazines[BUFPOOL_CLASSES_MAX];
	struct bufpool_stack empty;	/* of those that are not open */
};

/* With @caches set, and all else zero */
void bufpool_depot_init(struct bufpool_depot *depot);

/* No thread uses it any more; not in a child of fork(). */
void bufpool_depot_destroy(struct bufpool_depot *depot);

/* Put up to @count blocks in, from the last on. Return: how many */
unsigned int bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
			       const __u32 *units, unsigned int count);

/* Take up to @count blocks out, the one that was put in last first. Return: how many */
unsigned int bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
			       __u32 *units, unsigned int count);

#endif /* BUFPOOL_DEPOT_H */
