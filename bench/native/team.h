/* SPDX-License-Identifier: MIT */
/* Threads that do the same work at the same time, each on its processor. */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include "workload.h"

struct team_result {
	double wall_ns;		/* that a pair takes a thread, on average */
	double cpu_ns;		/* of all processors together, for a pair */
};

/* For @seconds, after warming up. */
struct team_result team_measure(const struct workload *workload,
				unsigned int threads, double seconds);

/* One thread does @count pairs and nothing else, for who counts instructions. */
void team_count(const struct workload *workload, size_t count);

#endif
