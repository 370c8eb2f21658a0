/* SPDX-License-Identifier: MIT */
/*
 * The module's parameters, which a test changes and puts back.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/types.h>

#include "kselftest_harness.h"

#define POOL_PARAMETERS	"/sys/module/bufpool/parameters/"
#define POOL_LIMIT	POOL_PARAMETERS "limit"

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Those that may change while the pool is in use. */
static const char *const parameters[] = {
	"limit", "quota", "share", "max_clients", "max_waiters", "floor", "warm_blocks",
	"warm_bytes", "trim_ms",
};

static inline __u64 parameter_read(const char *name)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), POOL_PARAMETERS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtoull(text, NULL, 0);
}

static inline int parameter_write_text(const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), POOL_PARAMETERS "%s", name);
	return write_text(path, text);
}

static inline int parameter_write(const char *name, __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return parameter_write_text(name, text);
}

static inline __u64 limit_read(void)
{
	return parameter_read("limit");
}

static inline int limit_write(__u64 bytes)
{
	return parameter_write("limit", bytes);
}

static __u64 parameters_at_start[ARRAY_SIZE(parameters)];

static inline void parameters_save(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parameters); i++)
		parameters_at_start[i] = parameter_read(parameters[i]);
}

static inline void parameters_restore(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parameters); i++) {
		if (parameter_read(parameters[i]) != parameters_at_start[i])
			parameter_write(parameters[i], parameters_at_start[i]);
	}
}

static inline void limit_restore(void)
{
	if (limit_read() != parameters_at_start[0])
		limit_write(parameters_at_start[0]);
}

#endif /* PARAMETERS_H */
