/* SPDX-License-Identifier: MIT */
/*
 * The tests' own device that writes late. A program that includes this loads its module when
 * it starts, and unloads it at the end.
 */
#ifndef LATE_H
#define LATE_H

#include "kmod.h"

#include "probe/bufpool_late.h"

#define LATE_DEVICE	"/dev/bufpool_late"

static inline void unload_late(void)
{
	module_remove("bufpool_late");
}

static inline void __attribute__((constructor)) provide_late(void)
{
	if (!access(LATE_DEVICE, F_OK) || getenv(HOLD_ENV))
		return;
	if (!module_insert_own("bufpool_late"))
		atexit(unload_late);
}

/* A descriptor, or -errno */
static inline int late_open(void)
{
	int fd = open(LATE_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Have a word of a page written, in a while. */
static inline int late_write(int late, const void *at, __u64 stamp, unsigned int delay_ms)
{
	struct bufpool_late_write write = {
		.at = (uintptr_t)at,
		.stamp = stamp,
		.delay_ms = delay_ms,
	};

	return ioctl(late, BUFPOOL_LATE_WRITE, &write) ? -errno : 0;
}

/* The same of a dma-buf: its first word, and its last. */
static inline int late_write_dmabuf(int late, int dmabuf, __u64 stamp, unsigned int delay_ms)
{
	struct bufpool_late_write write = {
		.stamp = stamp,
		.delay_ms = delay_ms,
		.dmabuf = dmabuf,
	};

	return ioctl(late, BUFPOOL_LATE_WRITE, &write) ? -errno : 0;
}

#endif /* LATE_H */
