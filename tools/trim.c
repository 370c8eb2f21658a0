// SPDX-License-Identifier: MIT
/* Give back what is not in use: one client's warm blocks, or all of the pool's. */
#include <getopt.h>
#include <limits.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "paths.h"
#include "value.h"

#define TRIM_PATH	CLASS_PATH "/trim"

static __u64 pinned(int fd)
{
	struct bufpool_stats stats;

	device_stats(fd, &stats);
	return stats.pinned;
}

/* Others go on meanwhile, so this may be less than was given back. */
static __u64 trim_pool(void)
{
	int fd = device_open();
	__u64 before = pinned(fd), after;

	if (attribute_write(TRIM_PATH, 1))
		fail(STATUS_FAILED, "the module does not know how to");
	after = pinned(fd);
	return before > after ? before - after : 0;
}

void trim_run(int argc, char **argv)
{
	static const struct column column = { "trimmed", NULL, KIND_BYTES, 0 };
	__u64 min_size = 0, trimmed;
	int option, fd = -1;

	while ((option = cli_option(argc, argv, "f:s:")) != -1) {
		if (option == 'f')
			fd = value_number("a descriptor", optarg, 0, INT_MAX);
		else
			min_size = value_bytes("the size", optarg);
	}
	cli_arguments(argc, 0);
	if (fd < 0 && min_size)
		fail_usage("-s needs -f");
	trimmed = fd < 0 ? trim_pool() : device_trim(fd, min_size);
	out_record(&column, 1, &trimmed);
}
