/* SPDX-License-Identifier: MIT */
/*
 * The tests' own module, which says in which page frame something is: a program
 * that includes this loads it when it starts, and unloads it at the end.
 */
#ifndef PROBE_H
#define PROBE_H

#include "kmod.h"

#include "probe/bufpool_probe.h"

#define PROBE_DEVICE	"/dev/bufpool_probe"

/* Where the test's own module is: beside the pool's, or right here. */
static inline int load_probe(void)
{
	const char *pool = getenv("BUFPOOL_KO");
	char path[PATH_MAX] = "./bufpool_probe.ko";
	const char *slash = pool ? strrchr(pool, '/') : NULL;

	if (slash)
		snprintf(path, sizeof(path), "%.*s/bufpool_probe.ko",
			 (int)(slash - pool), pool);
	return module_insert(path, "");
}

static inline void unload_probe(void)
{
	module_remove("bufpool_probe");
}

/* Before the tests, so that what they load goes again when all are done. */
static inline void __attribute__((constructor)) provide_probe(void)
{
	if (!access(PROBE_DEVICE, F_OK) || getenv(HOLD_ENV))
		return;
	if (!load_probe())
		atexit(unload_probe);
}

/* The page frame behind an address, or 0. */
static inline __u64 pfn_of(int probe, const void *at)
{
	__u64 value = (uintptr_t)at;

	return ioctl(probe, BUFPOOL_PROBE_PFN, &value) ? 0 : value;
}

#endif /* PROBE_H */
