// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

static char place[64];

void die(const char *what)
{
	printf("not true: %s: %s\n", what, strerror(errno));
	exit(1);
}

void report(const char *name, double value)
{
	printf("%s%s %.1f\n", name, place, value);
	fflush(stdout);
}

void measure_at(const char *axis, unsigned int level)
{
	place[0] = '\0';
	if (axis)
		snprintf(place, sizeof(place), "@%s=%u", axis, level);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t nothing(void)
{
	return COST(0);
}

/* The first time is no part of it: it makes what the others find made. */
static uint64_t median(cost_fn *cost, unsigned int times)
{
	uint64_t costs[OFTEN];
	unsigned int i;

	MUST(times <= OFTEN);
	cost();
	for (i = 0; i < times; i++)
		costs[i] = cost();
	qsort(costs, times, sizeof(costs[0]), compare);
	return costs[times / 2];
}

void measure(const char *name, cost_fn *cost, unsigned int times,
	     unsigned int per)
{
	double clock = median(nothing, OFTEN);

	report(name, (median(cost, times) - clock) / per);
}
