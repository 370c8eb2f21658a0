// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: each CPU has its own, readers add them up.
 */
#include "bufpool.h"

/* Add up what all CPUs have counted. */
void bufpool_counters_sum(struct bufpool_counters __percpu *counters,
			  struct bufpool_counters *sum)
{
	int cpu, i;

	*sum = (struct bufpool_counters){};
	for_each_possible_cpu(cpu) {
		const struct bufpool_counters *part = per_cpu_ptr(counters, cpu);

		for (i = 0; i < BUFPOOL_NR_EVENTS; i++)
			sum->of[i] += READ_ONCE(part->of[i]);
		for (i = 0; i < BUFPOOL_NR_REFUSALS; i++)
			sum->refused[i] += READ_ONCE(part->refused[i]);
	}
}

/* Warm blocks of a class, of all clients. */
unsigned long bufpool_counters_warm(struct bufpool_counters __percpu *counters,
				    unsigned int class)
{
	s64 blocks = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		blocks += READ_ONCE(per_cpu_ptr(counters, cpu)->warm[class]);
	/* the parts are not read at one instant */
	return max_t(s64, blocks, 0);
}
