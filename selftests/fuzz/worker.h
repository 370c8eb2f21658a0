/* SPDX-License-Identifier: MIT */
/*
 * A process that does operations in some threads.
 */
#ifndef FUZZ_WORKER_H
#define FUZZ_WORKER_H

#include "world.h"

/**
 * struct worker - what a process is told
 * @nr: its number
 * @common: what it shares with the others
 * @legacy: and the descriptors
 */
struct worker {
	unsigned int nr;
	struct common *common;
	struct legacy *legacy;
};

__u64 lottery_of(const struct common *common, unsigned int role, unsigned int life);
int work(void *worker);

#endif /* FUZZ_WORKER_H */
