/* SPDX-License-Identifier: MIT */
/* Memory by the page. */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stddef.h>

#define PAGE	4096

/* Write a word into every page. */
static inline void pages_touch(char *at, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += PAGE)
		__atomic_store_n((long *)(at + i), i, __ATOMIC_RELAXED);
}

#endif /* BENCH_PAGES_H */
