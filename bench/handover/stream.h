/* SPDX-License-Identifier: MIT */
/* Bytes that a descriptor takes, or gives, as many at a time as it likes. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <sys/types.h>
#include <unistd.h>

#include "measure.h"

static inline void stream_write(int fd, const char *at, size_t size)
{
	ssize_t n;

	for (; size; at += n, size -= n) {
		n = write(fd, at, size);
		MUST(n > 0);
	}
}

static inline void stream_read(int fd, char *at, size_t size)
{
	ssize_t n;

	for (; size; at += n, size -= n) {
		n = read(fd, at, size);
		MUST(n > 0);
	}
}

#endif /* BENCH_STREAM_H */
