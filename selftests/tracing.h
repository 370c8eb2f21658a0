/* SPDX-License-Identifier: MIT */
/*
 * What the kernel traces.
 */
#ifndef TRACING_H
#define TRACING_H

#include "bufpool_test.h"

#define TRACING		"/sys/kernel/tracing/"

/* Forget what a trace has so far. */
static inline bool trace_forget(const char *trace)
{
	int fd = open(trace, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

/* How many lines of a trace have this in them; or -errno. */
static inline int trace_count(const char *trace, const char *wanted)
{
	FILE *file = fopen(trace, "re");
	char line[512];
	int count = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		count += !!strstr(line, wanted);
	fclose(file);
	return count;
}

#endif /* TRACING_H */
