// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "command.h"
#include "fail.h"
#include "out.h"

enum {
	OPTION_JSON = 256,
	OPTION_TAB,
	OPTION_PROMETHEUS,
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "tab", no_argument, NULL, OPTION_TAB },
	{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "batch", no_argument, NULL, 'b' },
	{ "count", required_argument, NULL, 'n' },
	{ "delay", required_argument, NULL, 'd' },
	{ "by-user", no_argument, NULL, 'U' },
	{ "fd", required_argument, NULL, 'f' },
	{ "io", no_argument, NULL, 'i' },
	{ "pid", required_argument, NULL, 'p' },
	{ "reverse", no_argument, NULL, 'r' },
	{ "size", required_argument, NULL, 's' },
	{ "sort", required_argument, NULL, 'o' },
	{ "time", required_argument, NULL, 't' },
	{ "user", required_argument, NULL, 'u' },
	{ "wait", required_argument, NULL, 'w' },
	{ }
};

static noreturn void refuse_option(char **argv, int option)
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
	case OPTION_PROMETHEUS:
		out_format = FORMAT_PROMETHEUS;
		return true;
	case 'h':
		command_print_help(command_running);
		exit(STATUS_OK);
	case 'V':
		printf("bufpoolctl %s\n", BUFPOOL_VERSION);
		exit(STATUS_OK);
	default:
		return false;
	}
}

/* When all options are known: whether the command has the format. */
static void check_format(void)
{
	if (out_format == FORMAT_PROMETHEUS && command_running &&
	    !command_running->metrics)
		fail_usage("--prometheus is for stat only");
}

int cli_option(int argc, char **argv, const char *letters)
{
	int option, index = -1;
	char spec[32];

	/* the options of the program end where its command begins */
	snprintf(spec, sizeof(spec), "%s:hV%s", command_running ? "" : "+",
		 letters);
	opterr = 0;
	do {
		option = getopt_long(argc, argv, spec, long_options, &index);
	} while (run_common(option));
	if (option == ':' || option == '?')
		refuse_option(argv, option);
	if (option != -1 && !strchr(letters, option))
		fail_usage("there is no option --%s", long_options[index].name);
	if (option == -1)
		check_format();
	return option;
}

const struct command *cli_find_command(const char *name)
{
	const struct command *command = command_find(name);

	if (!command)
		fail_usage("there is no command '%s'", name);
	return command;
}

/* The form that the last of some options asks for, wherever they stand. */
static void find_format(char **argv)
{
	while (*argv) {
		if (!strcmp(*argv, "--json"))
			out_format = FORMAT_JSON;
		else if (!strcmp(*argv, "--tab"))
			out_format = FORMAT_TAB;
		argv++;
	}
}

int cli_command(int argc, char **argv)
{
	int first;

	/* errors before such an option are to have that form, too */
	find_format(argv + 1);
	cli_option(argc, argv, "");
	if (optind == argc)
		fail_usage("which command?");
	first = optind;
	command_running = cli_find_command(argv[first]);
	/* getopt() begins anew */
	optind = 0;
	return first;
}

void cli_arguments(int argc, int most)
{
	if (argc - optind > most)
		fail_usage("too many arguments");
}
