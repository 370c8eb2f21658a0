/* SPDX-License-Identifier: MIT */
/* malloc() and free(), of the library that the program is linked with. */
#ifndef BENCH_PEER_MALLOC_H
#define BENCH_PEER_MALLOC_H

#include <dlfcn.h>
#include <err.h>
#include <stddef.h>
#include <stdlib.h>

struct peer_size {
	size_t bytes;
};

/* Whose malloc() it is depends on the order of libraries: better look. */
static inline void peer_open(size_t smallest, size_t largest)
{
	void *library = dlopen(PEER_LIBRARY, RTLD_NOW | RTLD_NOLOAD);

	(void)smallest;
	(void)largest;
	if (!library || dlsym(library, "malloc") != (void *)malloc)
		errx(1, "malloc() is not that of " PEER_LIBRARY);
}

static inline void peer_thread_begin(void)
{
}

static inline void peer_thread_end(void)
{
}

static inline struct peer_size peer_size_of(size_t bytes)
{
	return (struct peer_size){ bytes };
}

static inline void *peer_get(struct peer_size size)
{
	return malloc(size.bytes);
}

static inline void peer_put(void *block, struct peer_size size)
{
	(void)size;
	free(block);
}

#endif
