/* SPDX-License-Identifier: MIT */
/*
 * The tests' own module, which says in which page frame something is, and whether there is
 * anything in one: a program that includes this loads it when it starts, and unloads it at the
 * end.
 */
#ifndef PROBE_H
#define PROBE_H

#include "kmod.h"

#include "probe/bufpool_probe.h"

#define PROBE_DEVICE	"/dev/bufpool_probe"

static inline void unload_probe(void)
{
	module_remove("bufpool_probe");
}

/* Before the tests, so that what they load goes again when all are done. */
static inline void __attribute__((constructor)) provide_probe(void)
{
	if (!access(PROBE_DEVICE, F_OK) || getenv(HOLD_ENV))
		return;
	if (!module_insert_own("bufpool_probe"))
		atexit(unload_probe);
}

/* The page frame behind an address, or 0. */
static inline __u64 pfn_of(int probe, const void *at)
{
	__u64 value = (uintptr_t)at;

	return ioctl(probe, BUFPOOL_PROBE_PFN, &value) ? 0 : value;
}

/* Whether a page frame has nothing but zeroes in it. */
static inline bool pfn_is_zero(int probe, __u64 pfn)
{
	return !ioctl(probe, BUFPOOL_PROBE_ZERO, &pfn) && pfn == 1;
}

#endif /* PROBE_H */
