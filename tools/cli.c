// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"
#include "paths.h"

/* Longer waits than this, about thirty years, are mistakes. */
#define MAX_SECONDS	1000000000ULL

enum {
	OPTION_JSON = 256,
	OPTION_TAB,
	OPTION_HELP,
	OPTION_VERSION,
};

const struct command *cli_command;

/* All commands, for --help; the list ends with an empty one. */
static const struct command *commands;

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "tab", no_argument, NULL, OPTION_TAB },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "batch", no_argument, NULL, 'b' },
	{ "count", required_argument, NULL, 'n' },
	{ "delay", required_argument, NULL, 'd' },
	{ "fd", required_argument, NULL, 'f' },
	{ "size", required_argument, NULL, 's' },
	{ "time", required_argument, NULL, 't' },
	{ "wait", required_argument, NULL, 'w' },
	{ }
};

static void print_prefix(void)
{
	fprintf(stderr, "bufpoolctl%s%s: ", cli_command ? " " : "",
		cli_command ? cli_command->name : "");
}

void fail(enum status status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	print_prefix();
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static void print_usage(FILE *to)
{
	const char *name = cli_command ? cli_command->name : "COMMAND";
	const char *more = cli_command ? cli_command->synopsis :
					 "[ARGUMENT...]";

	fprintf(to, "usage: bufpoolctl [--json | --tab] %s%s%s\n", name,
		*more ? " " : "", more);
}

void fail_usage(const char *format, ...)
{
	va_list args;

	print_prefix();
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	print_usage(stderr);
	fprintf(stderr, "'bufpoolctl --help' says more.\n");
	exit(STATUS_USAGE);
}

void fail_memory(void)
{
	fail(STATUS_FAILED, "out of memory");
}

static void fail_missing(const char *path)
{
	if (access(MODULE_PATH, F_OK))
		fail(STATUS_NO_DEVICE,
		     "the module is not loaded: as root, run 'modprobe bufpool'");
	if (!strcmp(path, DEVICE_PATH))
		fail(STATUS_NO_DEVICE,
		     "the module is loaded, but there is no %s: is /dev a devtmpfs?",
		     path);
	fail(STATUS_FAILED,
	     "there is no %s: the module is older than this program",
	     path);
}

static void fail_permission(const char *path)
{
	if (!strcmp(path, DEVICE_PATH))
		fail(STATUS_NO_PERMISSION,
		     "you may not open %s: become a member of the group bufpool ('usermod -aG bufpool USER' as root, then log in again), or root",
		     path);
	fail(STATUS_NO_PERMISSION, "you may not use %s: become root", path);
}

void fail_access(const char *path)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		fail_missing(path);
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		fail_permission(path);
		break;
	}
	fail(STATUS_FAILED, "%s: %s", path, strerror(errno));
}

static void print_command_help(void)
{
	print_usage(stdout);
	printf("%s\n", cli_command->help);
}

static void print_help(void)
{
	const struct command *command;

	printf("usage: bufpoolctl [--json | --tab] COMMAND [ARGUMENT...]\n\n");
	for (command = commands; command->name; command++)
		printf("  %-8s %s\n", command->name, command->help);
	printf("\n"
	       "  --json     output as JSON, one object per line\n"
	       "  --tab      output as tab-separated text\n"
	       "  --help     this, or after a command, what may follow it\n"
	       "  --version  the version\n"
	       "\n"
	       "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no module or device,\n"
	       "4 no permission.\n");
}

static void refuse_option(char **argv, int option)
{
	const char *text = argv[optind - 1];

	if (option == ':')
		fail_usage("%s needs a value", text);
	if (option == '?' && optopt > 0 && optopt < OPTION_JSON)
		fail_usage("there is no option -%c", optopt);
	fail_usage("there is no option %s", text);
}

/* Options that every command has. Return: whether it is one. */
static bool run_common(int option)
{
	switch (option) {
	case OPTION_JSON:
		out_format = FORMAT_JSON;
		return true;
	case OPTION_TAB:
		out_format = FORMAT_TAB;
		return true;
	case OPTION_HELP:
		if (cli_command)
			print_command_help();
		else
			print_help();
		exit(STATUS_OK);
	case OPTION_VERSION:
		printf("bufpoolctl %s\n", BUFPOOL_VERSION);
		exit(STATUS_OK);
	default:
		return false;
	}
}

int cli_option(int argc, char **argv, const char *letters)
{
	int option, index = -1;
	char spec[32];

	/* the options of the program end where its command begins */
	snprintf(spec, sizeof(spec), "%s:%s", cli_command ? "" : "+", letters);
	opterr = 0;
	do {
		option = getopt_long(argc, argv, spec, long_options, &index);
	} while (run_common(option));
	if (option == ':' || option == '?')
		refuse_option(argv, option);
	if (option != -1 && !strchr(letters, option))
		fail_usage("there is no option --%s", long_options[index].name);
	return option;
}

static const struct command *find_command(const char *name)
{
	const struct command *command;

	for (command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	fail_usage("there is no command '%s'", name);
}

int cli_find_command(const struct command *all, int argc, char **argv)
{
	int first;

	commands = all;
	cli_option(argc, argv, "");
	if (optind == argc)
		fail_usage("which command?");
	first = optind;
	cli_command = find_command(argv[first]);
	/* getopt() begins anew */
	optind = 0;
	return first;
}

void cli_arguments(int argc, int most)
{
	if (argc - optind > most)
		fail_usage("too many arguments");
}

static int suffix_shift(const char *suffix)
{
	static const char suffixes[] = "KMGT";
	const char *found;

	if (!*suffix)
		return 0;
	found = strchr(suffixes, *suffix);
	if (!found || suffix[1])
		return -1;
	return 10 * (found - suffixes + 1);
}

/* strtoull() alone would take a sign, spaces and nothing at all. */
static bool parse_digits(const char *text, char **end, __u64 *number)
{
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, end, 10);
	return !errno;
}

__u64 cli_bytes(const char *what, const char *text)
{
	__u64 number;
	int shift = -1;
	char *end;

	if (parse_digits(text, &end, &number))
		shift = suffix_shift(end);
	if (shift < 0 || number > UINT64_MAX >> shift)
		fail_usage("%s is a number of bytes, such as 65536, 64K or 1M, not '%s'",
			   what, text);
	return number << shift;
}

__u64 cli_number(const char *what, const char *text, __u64 least, __u64 most)
{
	__u64 number;
	char *end;

	if (!parse_digits(text, &end, &number) || *end || number < least ||
	    number > most)
		fail_usage("%s is a number from %llu to %llu, not '%s'", what,
			   least, most, text);
	return number;
}

/* Up to three digits after the point, as thousandths; -1 for anything else. */
static int parse_fraction(const char *text)
{
	int value = 0, unit = 100;

	if (!*text)
		return 0;
	if (*text++ != '.' || !*text)
		return -1;
	for (; *text; text++, unit /= 10) {
		if (*text < '0' || *text > '9')
			return -1;
		value += (*text - '0') * unit;
	}
	return value;
}

__u64 cli_milliseconds(const char *what, const char *text)
{
	__u64 seconds;
	int fraction = -1;
	char *end;

	if (parse_digits(text, &end, &seconds))
		fraction = parse_fraction(end);
	if (fraction < 0 || seconds > MAX_SECONDS)
		fail_usage("%s is a time in seconds, such as 1 or 0.5, not '%s'",
			   what, text);
	return seconds * 1000 + fraction;
}
