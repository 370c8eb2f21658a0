// SPDX-License-Identifier: MIT
/*
 * What it costs to write a megabyte to a disk that takes no time: past the page cache from a
 * rented block, or from memory of the program's own, and through the page cache.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bufpool.h"
#include "cases.h"
#include "measure.h"
#include "pages.h"

#define DISK	"/dev/nullb0"
#define LARGE	(1024 * 1024)

static struct bufpool *pool;
static char *own;
static int disk;

static void write_all(const char *buffer)
{
	MUST(pwrite(disk, buffer, LARGE, 0) == LARGE);
}

/* Rent and return are part of it. */
static uint64_t write_rented(void)
{
	uint64_t begin = now();
	char *block = bufpool_rent(pool, LARGE, BUFPOOL_RENT_IO);

	MUST(block);
	write_all(block);
	MUST(!bufpool_return(pool, block, 0));
	return now() - begin;
}

/* Memory that the program has had all the time. */
static uint64_t write_own(void)
{
	return COST(write_all(own));
}

static uint64_t write_cached(void)
{
	uint64_t begin = now();

	write_all(own);
	MUST(!fdatasync(disk));
	return now() - begin;
}

static void open_disk(int flags)
{
	disk = open(DISK, O_RDWR | O_CLOEXEC | flags);
	MUST(disk >= 0);
}

void direct_measure(void)
{
	char *block;

	pool = bufpool_open(NULL, 0);
	MUST(pool);
	MUST(!posix_memalign((void **)&own, LARGE, LARGE));
	pages_touch(own, LARGE);
	block = bufpool_rent(pool, LARGE, BUFPOOL_RENT_IO);
	MUST(block);
	pages_touch(block, LARGE);
	MUST(!bufpool_return(pool, block, 0));

	open_disk(O_DIRECT);
	measure("direct.rented.1m", write_rented, OFTEN, 1);
	measure("direct.memalign.1m", write_own, OFTEN, 1);
	close(disk);
	open_disk(0);
	measure("cached.memalign.1m", write_cached, SOME, 1);
	close(disk);
	free(own);
	MUST(!bufpool_close(pool));
}
