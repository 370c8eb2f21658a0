// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "depot.h"

int bufpool_depot_init(struct bufpool_depot *depot,
		       const struct bufpool_classes *classes)
{
	unsigned int class;

	depot->shelves = calloc(classes->count, sizeof(*depot->shelves));
	if (!depot->shelves)
		return -ENOMEM;
	for (class = 0; class < classes->count; class++)
		depot->shelves[class].room = BUFPOOL_DEPOT_HALVES *
			bufpool_magazine_half(&classes->of[class]);
	pthread_mutex_init(&depot->lock, NULL);
	return 0;
}

void bufpool_depot_destroy(struct bufpool_depot *depot)
{
	free(depot->shelves);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

unsigned int bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
			       void *const *blocks, unsigned int count)
{
	struct bufpool_shelf *shelf = &depot->shelves[class];

	pthread_mutex_lock(&depot->lock);
	count = least(count, shelf->room - shelf->count);
	memcpy(&shelf->blocks[shelf->count], blocks, count * sizeof(*blocks));
	__atomic_store_n(&shelf->count, shelf->count + count, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&depot->lock);
	return count;
}

unsigned int bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
			       void **blocks, unsigned int count)
{
	struct bufpool_shelf *shelf = &depot->shelves[class];

	/* What is put in just now is not missed: there is more behind. */
	if (!__atomic_load_n(&shelf->count, __ATOMIC_RELAXED))
		return 0;
	pthread_mutex_lock(&depot->lock);
	count = least(count, shelf->count);
	__atomic_store_n(&shelf->count, shelf->count - count, __ATOMIC_RELAXED);
	memcpy(blocks, &shelf->blocks[shelf->count], count * sizeof(*blocks));
	pthread_mutex_unlock(&depot->lock);
	return count;
}
