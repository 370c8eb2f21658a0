/* SPDX-License-Identifier: MIT */
/*
 * Barriers that a program's threads are to pass, counted: it is linked with --wrap=syscall.
 */
#ifndef BARRIERS_H
#define BARRIERS_H

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f);

static unsigned int barriers;	/* that were passed */
static int refused;		/* with this error the next one is not */

/* Instead of the C library's, for the library */
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_membarrier && a == MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
		errno = __atomic_exchange_n(&refused, 0, __ATOMIC_RELAXED);
		if (errno)
			return -1;
		__atomic_add_fetch(&barriers, 1, __ATOMIC_RELAXED);
	}
	return __real_syscall(nr, a, b, c, d, e, f);
}

static inline unsigned int barriers_since(unsigned int before)
{
	return __atomic_load_n(&barriers, __ATOMIC_RELAXED) - before;
}

#endif /* BARRIERS_H */
