// SPDX-License-Identifier: MIT
/* bufpoolctl: look at the pool of /dev/bufpool, and tend it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "out.h"

static const struct command commands[] = {
	{ "info", "",
	  "block sizes, limits and parameters of the pool", info_run },
	{ "stat", "[SECONDS [COUNT]]",
	  "the pool's numbers, once or every so many seconds", stat_run },
	{ "classes", "",
	  "slabs and blocks of each block size", classes_run },
	{ "top", "[-b] [-d SECONDS] [-n COUNT]",
	  "who holds how much, live; q ends it", top_run },
	{ "rent", "[-n COUNT] [-s SIZE] [-t SECONDS] [-w SECONDS]",
	  "hold blocks until the time is over or a signal comes", rent_run },
	{ "limit", "[BYTES]",
	  "show or set what the pool may hold", limit_run },
	{ "quota", "[BYTES | none]",
	  "show or set what each user may hold", quota_run },
	{ "trim", "[-f FD [-s SIZE]]",
	  "give back now what nobody needs", trim_run },
};

void cli_help(void)
{
	size_t i;

	printf("usage: bufpoolctl [--json | --tab] COMMAND [ARGUMENT...]\n\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	printf("\n"
	       "  --json     output as JSON, one object per line\n"
	       "  --tab      output as tab-separated text\n"
	       "  --help     this, or after a command, what may follow it\n"
	       "  --version  the version\n"
	       "\n"
	       "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no module or device,\n"
	       "4 no permission.\n");
}

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	fail_usage("there is no command '%s'", name);
}

int main(int argc, char **argv)
{
	out_file = stdout;
	cli_option(argc, argv, "");
	if (optind == argc)
		fail_usage("which command?");
	cli_command = find(argv[optind]);
	argc -= optind;
	argv += optind;
	/* getopt() begins anew */
	optind = 0;
	cli_command->run(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		fail(STATUS_FAILED, "could not write: %s", strerror(errno));
	return STATUS_OK;
}
