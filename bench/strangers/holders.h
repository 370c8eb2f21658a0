/* SPDX-License-Identifier: MIT */
/*
 * Processes of another user that rent and return blocks in a loop and get little CPU
 * time: a lock of the module that one of them holds, it holds for long.
 */
#ifndef BENCH_HOLDERS_H
#define BENCH_HOLDERS_H

#include <stddef.h>

/* Why they get little CPU time. */
enum holders_kind {
	HOLDERS_NONE,
	HOLDERS_THROTTLED,	/* cpu.max: together a tenth of a CPU */
	HOLDERS_IDLE,		/* SCHED_IDLE */
};

/* Start them; each rents blocks of that size. Ends the program where it cannot. */
void holders_start(enum holders_kind kind, size_t size);
void holders_stop(void);

#endif /* BENCH_HOLDERS_H */
