// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define KNOBS		"/sys/kernel/debug/"

static void write_knob(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "# %s is not to be changed\n", path);
	close(fd);
}

/* Have all kinds of allocations fail; those that may wait, too. */
void faults_prepare(void)
{
	if (access(FAIL_NTH, W_OK))
		return;
	write_knob(KNOBS "failslab/ignore-gfp-wait", "N");
	write_knob(KNOBS "failslab/cache-filter", "N");
	write_knob(KNOBS "fail_page_alloc/ignore-gfp-wait", "N");
	write_knob(KNOBS "fail_page_alloc/ignore-gfp-highmem", "N");
	write_knob(KNOBS "fail_page_alloc/min-order", "0");
}

/* This thread's, or a negative number where the kernel has no such thing. */
int faults_open(void)
{
	return open(FAIL_NTH, O_RDWR | O_CLOEXEC);
}

/* From the next system call on, let the one numbered @number fail. */
void faults_begin(int nth, unsigned int number)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", number);

	if (pwrite(nth, text, len, 0) != len)
		fprintf(stderr, "# fail-nth takes no number\n");
}

/* The call that ends it may be hit itself. */
void faults_end(int nth)
{
	unsigned int tries = 8;

	while (tries-- && pwrite(nth, "0", 1, 0) != 1)
		;
}
