// SPDX-License-Identifier: MIT
#include <err.h>
#include <sched.h>

#include "affinity.h"

static int cpus[CPU_SETSIZE];
static unsigned int nr_cpus;

void affinity_init(void)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		err(1, "sched_getaffinity");
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[nr_cpus++] = cpu;
}

int affinity_cpu(unsigned int index)
{
	return cpus[index % nr_cpus];
}

void affinity_pin(unsigned int index)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(affinity_cpu(index), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "sched_setaffinity");
}
