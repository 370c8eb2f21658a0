// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <string.h>

#include "budget.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "value.h"

/* The value of the parameter where there is no quota */
#define NO_QUOTA	((__u64)INT64_MAX)

static void show(const char *name, __u64 bytes)
{
	const struct column column = { name, NULL, KIND_BYTES, 0 };

	out_record(&column, 1, &bytes);
}

static void set(const char *name, __u64 bytes)
{
	if (parameter_write(name, bytes))
		fail(STATUS_FAILED,
		     "the module does not accept %llu bytes: 'dmesg' says what it does",
		     bytes);
}

/* The value to set, or NULL. */
static const char *argument(int argc, char **argv)
{
	cli_option(argc, argv, "");
	cli_arguments(argc, 1);
	return argv[optind];
}

void limit_run(int argc, char **argv)
{
	const char *text = argument(argc, argv);

	if (text)
		set("limit", value_bytes("the limit", text));
	else
		show("limit", parameter_read("limit"));
}

__u64 quota_read(void)
{
	__u64 bytes = parameter_read("quota");

	return bytes == NO_QUOTA ? NO_LIMIT : bytes;
}

void quota_run(int argc, char **argv)
{
	const char *text = argument(argc, argv);

	if (!text)
		show("quota", quota_read());
	else if (!strcmp(text, "none"))
		set("quota", NO_QUOTA);
	else
		set("quota", value_bytes("the quota", text));
}
