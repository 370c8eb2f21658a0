/* SPDX-License-Identifier: MIT */
/* Memory by the page. */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define PAGE	4096

/* Write a word into every page. */
static inline void pages_touch(char *at, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += PAGE)
		__atomic_store_n((long *)(at + i), i, __ATOMIC_RELAXED);
}

/* Read these words, and say whether they are there. */
static inline bool pages_are_touched(const char *at, size_t size)
{
	size_t i, wrong = 0;

	for (i = 0; i < size; i += PAGE)
		wrong |= i ^ __atomic_load_n((const long *)(at + i), __ATOMIC_RELAXED);
	return !wrong;
}

#endif /* BENCH_PAGES_H */
