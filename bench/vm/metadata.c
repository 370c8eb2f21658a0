// SPDX-License-Identifier: MIT
/* What the kernel spends on knowing a block of 4 KiB, from what SLUB says. */
#include <stdio.h>

#include "cases.h"
#include "measure.h"

#define BLOCKS_PER_SLAB	32.0

/* A node of the xarray has an entry for so many slabs. */
#define SLABS_PER_NODE	64.0

static double read_cache(const char *cache, const char *what)
{
	double value;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/%s", cache, what);
	file = fopen(path, "re");
	MUST(file && fscanf(file, "%lf", &value) == 1);
	fclose(file);
	return value;
}

/* Bytes for an object, with what the allocator cannot use. */
static double bytes_per_object(const char *cache)
{
	double bytes = 4096.0 * (1 << (int)read_cache(cache, "order"));

	return bytes / read_cache(cache, "objs_per_slab");
}

void metadata_measure(void)
{
	report("metadata.4k.bytes",
	       (bytes_per_object("bufpool-4k-table") +
		bytes_per_object("radix_tree_node") / SLABS_PER_NODE) /
	       BLOCKS_PER_SLAB);
}
