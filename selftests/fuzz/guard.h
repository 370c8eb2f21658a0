/* SPDX-License-Identifier: MIT */
/*
 * Touching memory that may not be there.
 */
#ifndef FUZZ_GUARD_H
#define FUZZ_GUARD_H

#include <stdbool.h>

void guard_prepare(void (*stray)(int sig, bool by_kernel), void (*interrupted)(int sig));
int guard(void (*body)(void *arg), void *arg);
int guard_peek(const void *at);

#endif /* FUZZ_GUARD_H */
