/* SPDX-License-Identifier: MIT */
/*
 * Barriers that a program's threads are to pass, counted: it is linked with --wrap=syscall.
 */
#ifndef BARRIERS_H
#define BARRIERS_H

#include <errno.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <sys/syscall.h>

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);

static unsigned int barriers;	/* that were passed */
static int refused;		/* with this error the next one is not */

/* Instead of the C library's, for the library */
long __wrap_syscall(long nr, ...)
{
	long arguments[6];
	va_list list;
	int i;

	va_start(list, nr);
	for (i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (nr == __NR_membarrier && arguments[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
		errno = __atomic_exchange_n(&refused, 0, __ATOMIC_RELAXED);
		if (errno)
			return -1;
		__atomic_add_fetch(&barriers, 1, __ATOMIC_RELAXED);
	}
	return __real_syscall(nr, arguments[0], arguments[1], arguments[2], arguments[3],
			      arguments[4], arguments[5]);
}

static inline unsigned int barriers_since(unsigned int before)
{
	return __atomic_load_n(&barriers, __ATOMIC_RELAXED) - before;
}

#endif /* BARRIERS_H */
