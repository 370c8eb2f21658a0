/* SPDX-License-Identifier: MIT */
/*
 * Which errors each call is documented to have.
 */
#ifndef FUZZ_ERRNOS_H
#define FUZZ_ERRNOS_H

#include <stdbool.h>

/* Calls that are no ioctls of a client. */
#define ERRNOS_OPEN	(-1UL)
#define ERRNOS_MMAP	(-2UL)
#define ERRNOS_MAPPED	(-3UL)	/* munmap(), mprotect(), mremap() */

bool errnos_has(unsigned long call, int number, bool faulted);

#endif /* FUZZ_ERRNOS_H */
