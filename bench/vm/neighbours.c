// SPDX-License-Identifier: MIT
/*
 * What those pay who use small blocks, beside tasks that wait for the largest one: of the
 * pool each slab has a block that does not come back, so they wait for as long as this
 * takes, and half of the slabs are drained for them.
 */
#include "cases.h"
#include "device.h"
#include "measure.h"
#include "pages.h"
#include "tasks.h"

#define BLOCKS		4096
#define BLOCKS_PER_SLAB	32

static struct device holder, user;

static uint64_t pair(void)
{
	uint64_t begin = now();

	device_rent(&user, PAGE);
	device_return(&user, 0);
	return now() - begin;
}

static void wait_for_largest(unsigned int nr)
{
	struct device client = { .fd = holder.fd };

	(void)nr;
	device_rent_waiting(&client, device_info(&client).max_rent);
}

/* All blocks, of which all but the first of each slab go back. */
static void hold(void)
{
	static uint64_t handles[BLOCKS];
	unsigned int i, j;

	for (i = 0; i < BLOCKS; i += BUFPOOL_MANY_MAX) {
		device_rent_many(&holder, PAGE, BUFPOOL_MANY_MAX);
		for (j = 0; j < BUFPOOL_MANY_MAX; j++)
			handles[i + j] = holder.many[j].handle;
	}
	for (i = 0; i < BLOCKS; i++) {
		holder.rent.handle = handles[i];
		if (i % BLOCKS_PER_SLAB)
			device_return(&holder, BUFPOOL_RETURN_REVOKE);
	}
}

static void measure_beside(unsigned int waiters)
{
	device_give_back();
	device_open(&holder);
	device_open(&user);
	hold();
	if (waiters)
		tasks_start(waiters, wait_for_largest);
	MUST(device_stats(&holder).waiting == waiters);
	measure_at("large-waiters", waiters);
	measure("pair.warm", pair, OFTEN, 1);
	library_measure();
	MUST(device_stats(&holder).waiting == waiters);
	if (waiters)
		tasks_end();
	device_close(&user);
	device_close(&holder);
}

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

void neighbours_measure(void)
{
	static const unsigned int counts[] = { 0, 1, 100 };
	unsigned int i;

	device_set("limit", BLOCKS * (unsigned long long)PAGE);
	for (i = 0; i < COUNT(counts); i++)
		measure_beside(counts[i]);
	measure_at(NULL, 0);
	device_give_back();
	device_set("limit", 600ULL << 20);
}
