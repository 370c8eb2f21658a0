/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's allocator holds for blocks, by /proc/slabinfo.
 */
#ifndef SLABINFO_H
#define SLABINFO_H

#include "bufpool_test.h"

/* Whether the allocator adds red zones and the like to objects. */
static inline bool allocator_debugs(void)
{
	char path[64];
	FILE *file;
	int on = 0;

	snprintf(path, sizeof(path), "/sys/kernel/slab/bufpool-%lluk/red_zone",
		 PAGE / KIB);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%d", &on) != 1)
		on = 0;
	if (file)
		fclose(file);
	return on;
}

/* The memory of the caches of blocks, in bytes, by /proc/slabinfo. */
static inline __u64 held_by_caches(void)
{
	const __u64 page_size = sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/slabinfo", "re");
	unsigned long long pages, slabs;
	char line[512], name[64];
	__u64 bytes = 0;

	if (!file)
		return ~0ULL;
	while (fgets(line, sizeof(line), file)) {
		char *rest = strstr(line, "slabdata");

		if (!rest || sscanf(rest, "slabdata %*u %llu", &slabs) != 1 ||
		    sscanf(line, "%63s %*u %*u %*u %*u %llu", name, &pages) != 2)
			continue;
		if (!strncmp(name, "bufpool-", 8) && !strstr(name, "-table"))
			bytes += pages * slabs * page_size;
	}
	fclose(file);
	return bytes;
}

/* Why that cannot be compared with what is pinned, or NULL. */
static inline const char *slabinfo_missing(void)
{
	if (access("/proc/slabinfo", R_OK))
		return "this kernel has no /proc/slabinfo";
	if (allocator_debugs())
		return "the allocator of this kernel adds red zones to objects";
	return NULL;
}

#endif /* SLABINFO_H */
