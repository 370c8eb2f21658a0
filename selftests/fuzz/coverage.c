// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kcov.h>

#include "coverage.h"

#define PLACES	0x10000UL

/* As root, for a thread that may be somebody else. */
void coverage_open(struct coverage *coverage)
{
	coverage->places = NULL;
	coverage->fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
}

/* From here on the calling thread's. */
void coverage_enable(struct coverage *coverage)
{
	void *at;

	if (coverage->fd < 0 || ioctl(coverage->fd, KCOV_INIT_TRACE, PLACES))
		return;
	at = mmap(NULL, PLACES * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED,
		  coverage->fd, 0);
	if (at != MAP_FAILED && !ioctl(coverage->fd, KCOV_ENABLE, KCOV_TRACE_PC))
		coverage->places = at;
}

void coverage_begin(struct coverage *coverage)
{
	if (coverage->places)
		__atomic_store_n(coverage->places, 0, __ATOMIC_RELAXED);
}

/* From one place to the next; a hash that tells most of them apart. */
static unsigned int edge(unsigned long from, unsigned long to)
{
	unsigned long mixed = (from ^ to << 1) * 0x9e3779b97f4a7c15UL;

	return mixed >> 46;
}

/* Return: how many edges no input had reached before. */
unsigned int coverage_end(struct coverage *coverage, struct common *common)
{
	unsigned long nr, i, before = 0;
	unsigned int fresh = 0;
	__u8 *seen;

	if (!coverage->places)
		return 0;
	nr = __atomic_load_n(coverage->places, __ATOMIC_RELAXED);
	for (i = 1; i <= nr && i < PLACES; i++) {
		seen = &common->seen[edge(before, coverage->places[i]) % EDGES];
		before = coverage->places[i];
		if (!*seen && !__atomic_exchange_n(seen, 1, __ATOMIC_RELAXED))
			fresh++;
	}
	__atomic_add_fetch(&common->edges, fresh, __ATOMIC_RELAXED);
	return fresh;
}
