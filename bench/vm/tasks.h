/* SPDX-License-Identifier: MIT */
/* Tasks of another process, each asleep in a call. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#define TASKS_MAX	10001

/* What a task does again and again; @nr tells it from others. */
typedef void task_fn(unsigned int nr);

/* Start that many, and return when each has come to its call and sleeps. */
void tasks_start(unsigned int count, task_fn *call);

/* Kill them all. */
void tasks_end(void);

/* Sleep until every other task does, and the kernel has done what it put off. */
void tasks_settle(void);

#endif /* BENCH_TASKS_H */
