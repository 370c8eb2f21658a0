/* SPDX-License-Identifier: MIT */
/*
 * Random numbers that the printed seed brings back, and how often to use them.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

/*
 * How often to do what shows something only now and then. A kernel that looks for
 * mistakes in every step takes many times as long for each, and sees in a few
 * what others may not see in many. Who wants to know soon says BUFPOOL_BRIEF.
 */
static inline unsigned int often(unsigned int times)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) &&
	       access("/sys/kernel/debug/kcsan", F_OK) &&
	       !getenv("BUFPOOL_BRIEF") ? times : times / 8;
}

/* Random numbers that the printed seed brings back ------------------------ */

static inline __u64 next_random(__u64 *state)
{
	__u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* BUFPOOL_SEED, or one that differs from run to run; never 0. */
static inline __u64 random_seed(void)
{
	const char *given = getenv("BUFPOOL_SEED");
	__u64 seed;

	seed = given ? strtoull(given, NULL, 0) : now_ms() << 20 ^ getpid();
	seed |= 1;
	fprintf(stderr, "# BUFPOOL_SEED=%llu\n", seed);
	return seed;
}

#endif /* RANDOM_H */
