/* SPDX-License-Identifier: MIT */
/*
 * A hook in the depot of libbufpool: a program that includes this is linked with
 * --wrap=bufpool_depot_get and --wrap=bufpool_depot_put.
 */
#ifndef LIBRARY_MOVING_H
#define LIBRARY_MOVING_H

#include <depot.h>

/* What is done while blocks are in no stack, on their way out of the depot, or into it */
static void (*while_moving)(void);

unsigned int __real_bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
				      __u32 *units, unsigned int count);
unsigned int __wrap_bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
				      __u32 *units, unsigned int count);
unsigned int __real_bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
				      const __u32 *units, unsigned int count);
unsigned int __wrap_bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
				      const __u32 *units, unsigned int count);

static void be_moving(void)
{
	void (*what)(void) = while_moving;

	while_moving = NULL;
	if (what)
		what();
}

unsigned int __wrap_bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
				      __u32 *units, unsigned int count)
{
	unsigned int ret = __real_bufpool_depot_get(depot, class, units, count);

	be_moving();
	return ret;
}

unsigned int __wrap_bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
				      const __u32 *units, unsigned int count)
{
	be_moving();
	return __real_bufpool_depot_put(depot, class, units, count);
}

#endif /* LIBRARY_MOVING_H */
