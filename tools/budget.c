// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "budget.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "users.h"
#include "value.h"

/* The value of the parameter where there is no quota */
#define NO_QUOTA	((__u64)INT64_MAX)

/* And where it is half of the limit; of a user, where it is that of all */
#define DEFAULT_QUOTA	0

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

/**
 * struct arguments - what is on the command line
 * @text: the value to set, or NULL
 * @user: it is for user @uid only
 * @uid: of the user
 */
struct arguments {
	const char *text;
	bool user;
	__u64 uid;
};

static void parse(struct arguments *arguments, int argc, char **argv)
{
	*arguments = (struct arguments){ };
	while (cli_option(argc, argv, "u:") != -1) {
		if (!user_find(optarg, &arguments->uid))
			fail_usage("there is no user '%s'", optarg);
		arguments->user = true;
	}
	cli_arguments(argc, 1);
	arguments->text = argv[optind];
}

static __u64 parse_quota(const char *text, __u64 none)
{
	if (!strcmp(text, "none"))
		return none;
	if (!strcmp(text, "default"))
		return DEFAULT_QUOTA;
	return value_bytes("the quota", text);
}

/* Where 0 was meant as nothing at all, it would be as much as the others have. */
static __u64 parse_user_quota(const char *text)
{
	__u64 bytes = parse_quota(text, NO_LIMIT);

	if (bytes == DEFAULT_QUOTA && strcmp(text, "default"))
		fail_usage("not a quota of 0: give a page at least, or 'default'");
	return bytes;
}

static void set_user_quota(const struct arguments *arguments)
{
	__u64 bytes = parse_user_quota(arguments->text), wanted = bytes;

	if (device_quota(device_open(), BUFPOOL_QUOTA_SET, arguments->uid, &bytes))
		fail(STATUS_FAILED,
		     "the module does not accept %llu bytes for this user: give a page at least",
		     wanted);
}

static void show_user_quota(const struct arguments *arguments)
{
	__u64 bytes = 0;

	if (device_quota(device_open(), 0, arguments->uid, &bytes))
		fail(STATUS_FAILED, "the module knows no user %llu", arguments->uid);
	show("quota", bytes == DEFAULT_QUOTA ? quota_read() : bytes);
}

static void run_user_quota(const struct arguments *arguments)
{
	if (arguments->text)
		set_user_quota(arguments);
	else
		show_user_quota(arguments);
}

void limit_run(int argc, char **argv)
{
	struct arguments arguments;

	parse(&arguments, argc, argv);
	if (arguments.user)
		run_user_quota(&arguments);
	else if (arguments.text)
		set("limit", value_bytes("the limit", arguments.text));
	else
		show("limit", parameter_read("limit"));
}

__u64 quota_read(void)
{
	__u64 bytes = parameter_read("quota");

	if (bytes == DEFAULT_QUOTA)
		return parameter_read("limit") / 2;
	return bytes == NO_QUOTA ? NO_LIMIT : bytes;
}

void quota_run(int argc, char **argv)
{
	struct arguments arguments;

	parse(&arguments, argc, argv);
	if (arguments.user)
		run_user_quota(&arguments);
	else if (arguments.text)
		set("quota", parse_quota(arguments.text, NO_QUOTA));
	else
		show("quota", quota_read());
}
