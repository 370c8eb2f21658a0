// SPDX-License-Identifier: MIT
/* What libbufpool costs. */
#include <bufpool.h>

#include "cases.h"
#include "measure.h"

#define BLOCK	4096

/* Enough that what the library does now and then is counted in. */
#define PAIRS	256

static struct bufpool *pool;

static uint64_t pairs(void)
{
	uint64_t begin = now();
	unsigned int i;
	void *block;

	for (i = 0; i < PAIRS; i++) {
		block = bufpool_rent(pool, BLOCK, 0);
		MUST(block && !bufpool_return(pool, block, 0));
	}
	return now() - begin;
}

static uint64_t bursts(void)
{
	uint64_t begin = now();
	void *blocks[64];
	unsigned int i;

	for (i = 0; i < 64; i++) {
		blocks[i] = bufpool_rent(pool, BLOCK, 0);
		MUST(blocks[i]);
	}
	for (i = 0; i < 64; i++)
		MUST(!bufpool_return(pool, blocks[i], 0));
	return now() - begin;
}

void library_measure(void)
{
	pool = bufpool_open(NULL, 0);
	MUST(pool);
	measure("library.pair", pairs, SOME, PAIRS);
	measure("library.burst", bursts, SOME, 64);
	MUST(!bufpool_close(pool));
}
