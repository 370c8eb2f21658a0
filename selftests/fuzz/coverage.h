/* SPDX-License-Identifier: MIT */
/*
 * What an input reaches in the module, where that was built with KCOV_INSTRUMENT.
 */
#ifndef FUZZ_COVERAGE_H
#define FUZZ_COVERAGE_H

#include "world.h"

/**
 * struct coverage - of one thread
 * @fd: of kcov, or NO_FD
 * @places: how many the thread has passed, and then each
 */
struct coverage {
	int fd;
	unsigned long *places;
};

void coverage_open(struct coverage *coverage);
void coverage_enable(struct coverage *coverage);
void coverage_begin(struct coverage *coverage);
unsigned int coverage_end(struct coverage *coverage, struct common *common);

#endif /* FUZZ_COVERAGE_H */
