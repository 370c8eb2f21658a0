/* SPDX-License-Identifier: MIT */
/* Memory for the messages of a load, side by side. */
#ifndef BENCH_BUFFERS_H
#define BENCH_BUFFERS_H

#include <sys/mman.h>

#include "measure.h"
#include "transport.h"

/* A process's own, or one that its children share: MAP_PRIVATE, MAP_SHARED. */
static inline char *buffers_map(const struct load *load, int sharing)
{
	void *at = mmap(NULL, load->size * load->count, PROT_READ | PROT_WRITE,
			sharing | MAP_ANONYMOUS, -1, 0);

	MUST(at != MAP_FAILED);
	return at;
}

static inline void buffers_unmap(char *at, const struct load *load)
{
	munmap(at, load->size * load->count);
}

#endif /* BENCH_BUFFERS_H */
