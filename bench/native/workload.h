/* SPDX-License-Identifier: MIT */
/* What is done with blocks, again and again. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>

/* Pairs come in multiples of this. */
#define WORKLOAD_BURST 64

/* The exit status where the peer has no such thing, as a skip in kselftest. */
#define WORKLOAD_ABSENT 4

struct workload {
	const char *name;
	/* @count blocks are got, and, but by a producer, put. */
	void (*run)(size_t count);
	/* The other end of a producer, until it gets NULL. */
	void (*consume)(void);
	/* Lets the consumer end. */
	void (*finish)(void);
	bool all_sizes;
};

/* NULL where this program has none of that name. */
const struct workload *workload_find(const char *name);

/*
 * For blocks of @size bytes or, of all sizes, up to that; with a word written to
 * every page of each where @touch.
 */
void workload_open(const struct workload *workload, size_t size, bool touch);

void workload_thread_begin(void);
void workload_thread_end(void);

#endif
