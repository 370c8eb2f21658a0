/* SPDX-License-Identifier: MIT */
/*
 * What a process keeps for all its threads: what one has too many of, another
 * may lack. Blocks in here are FREE or FRESH, see rentals.h.
 */
#ifndef BUFPOOL_DEPOT_H
#define BUFPOOL_DEPOT_H

#include <pthread.h>

#include "magazine.h"

/* For each class, so many halves of a magazine */
#define BUFPOOL_DEPOT_HALVES	4

struct bufpool_shelf {
	unsigned int count;		/* read without the lock, too */
	unsigned int room;
	void *blocks[BUFPOOL_DEPOT_HALVES * BUFPOOL_HALF_MAX];
};

struct bufpool_depot {
	pthread_mutex_t lock;
	struct bufpool_shelf *shelves;	/* by class */
};

/* 0 or -errno */
int bufpool_depot_init(struct bufpool_depot *depot,
		       const struct bufpool_classes *classes);

/* In a child of fork(), too. */
void bufpool_depot_destroy(struct bufpool_depot *depot);

/* Both: how many of @count */
unsigned int bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
			       void *const *blocks, unsigned int count);
unsigned int bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
			       void **blocks, unsigned int count);

#endif /* BUFPOOL_DEPOT_H */
