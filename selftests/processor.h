/* SPDX-License-Identifier: MIT */
/*
 * Which processor a task runs on, and what else may run there.
 */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include "bufpool_test.h"

#include <sched.h>

/* Keep a task, or with 0 this one, to a processor. Return: whether that worked */
static inline bool pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(pid, sizeof(set), &set);
}

static inline bool schedule_as(pid_t pid, int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return !sched_setscheduler(pid, policy, &param);
}

/* Let nothing else run on a processor as long as this task does. */
static inline bool be_alone_on(int cpu)
{
	return pin(0, cpu) && schedule_as(0, SCHED_FIFO, 50);
}

/* What a kernel from 6.12 on keeps of each processor for others; a twentieth by default. */
static inline void set_fair_servers(const char *runtime_ns)
{
	int nr_cpus = sysconf(_SC_NPROCESSORS_CONF), cpu;
	char path[64];

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/sched/fair_server/cpu%d/runtime",
			 cpu);
		write_text(path, runtime_ns);
	}
}

/*
 * By default a real-time task leaves others of its processor a twentieth of it. Return: whether
 * it is as was wanted.
 */
static inline bool set_real_time_leaves_some(bool some)
{
	set_fair_servers(some ? "50000000" : "0");
	return !write_text("/proc/sys/kernel/sched_rt_runtime_us", some ? "950000" : "-1");
}

#endif /* PROCESSOR_H */
