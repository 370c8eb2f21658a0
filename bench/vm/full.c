// SPDX-License-Identifier: MIT
#include "device.h"
#include "full.h"
#include "measure.h"
#include "pages.h"

#define BLOCKS_PER_SLAB	32
#define SLABS		(FULL_BLOCKS / BLOCKS_PER_SLAB)

static struct device holder, keeper;	/* of blocks, and of a slab */
static uint64_t handles[FULL_BLOCKS];
static unsigned int given;

void full_begin(void)
{
	unsigned int i, j;

	device_set("limit", (FULL_BLOCKS + BLOCKS_PER_SLAB) * (unsigned long long)PAGE);
	device_give_back();
	device_open(&holder);
	device_open(&keeper);
	full_take_slab();
	for (i = 0; i < FULL_BLOCKS; i += BUFPOOL_MANY_MAX) {
		device_rent_many(&holder, PAGE, BUFPOOL_MANY_MAX);
		for (j = 0; j < BUFPOOL_MANY_MAX; j++)
			handles[i + j] = holder.many[j].handle;
	}
	given = 0;
}

void full_end(void)
{
	device_close(&keeper);
	device_close(&holder);
	device_give_back();
}

static void choose(void)
{
	unsigned int slab = given % SLABS, block = given / SLABS;

	MUST(given++ < FULL_BLOCKS);
	holder.rent.handle = handles[slab * BLOCKS_PER_SLAB + block];
}

void full_give(void)
{
	choose();
	device_return(&holder, BUFPOOL_RETURN_REVOKE);
}

void full_give_slab(void)
{
	device_return(&keeper, BUFPOOL_RETURN_REVOKE);
}

void full_take_slab(void)
{
	device_rent(&keeper, (size_t)BLOCKS_PER_SLAB * PAGE);
}

uint64_t full_return(void)
{
	choose();
	return COST(device_return(&holder, 0));
}
