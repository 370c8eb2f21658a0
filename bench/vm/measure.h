/* SPDX-License-Identifier: MIT */
/*
 * Counting instructions: in a VM whose clock is its instruction counter, the
 * time stamp counter says how many have been executed.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdnoreturn.h>

static inline uint64_t now(void)
{
	uint64_t count = __builtin_ia32_rdtsc();

	__asm__ volatile("" : : : "memory");
	return count;
}

/* What an expression costs, in instructions. */
#define COST(expression)			\
	({					\
		uint64_t begin = now();		\
		(void)(expression);		\
		now() - begin;			\
	})

/* Does one thing, and says what that part of it costs that counts. */
typedef uint64_t cost_fn(void);

/* How often cheap things are done, and such as go through a megabyte. */
#define OFTEN	101
#define SOME	11

/* The median of so many costs, each for @per units; printed under a name. */
void measure(const char *name, cost_fn *cost, unsigned int times,
	     unsigned int per);

/* What all that is measured in what follows is called, after an @. */
void measure_at(const char *axis, unsigned int level);

/* Something that was not counted but read. */
void report(const char *name, double value);

/* End the program: what follows would mean nothing. */
noreturn void die(const char *what);

/* End it unless this holds, which is no part of what is measured. */
#define MUST(condition)						\
	do {							\
		if (!(condition))				\
			die(#condition);			\
	} while (0)

#endif /* BENCH_MEASURE_H */
