// SPDX-License-Identifier: MIT
/* bufpoolctl: inspect and administer the pool of /dev/bufpool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "command.h"
#include "commands.h"
#include "fail.h"
#include "out.h"

static const struct command commands[] = {
	{ "info", "",
	  "block sizes, limits and parameters of the pool", info_run },
	{ "stat", "[SECONDS [COUNT]]",
	  "the pool's numbers, once or every so many seconds", stat_run },
	{ "classes", "",
	  "slabs and blocks of each block size", classes_run },
	{ "top", "[-b] [-d SECONDS] [-n COUNT]",
	  "clients by what they hold, live; q ends it", top_run },
	{ "rent", "[-n COUNT] [-s SIZE] [-t SECONDS] [-w SECONDS]",
	  "hold blocks until the time is over or a signal comes", rent_run },
	{ "limit", "[BYTES]",
	  "show or set what the pool may hold", limit_run },
	{ "quota", "[BYTES | none]",
	  "show or set what each user may hold", quota_run },
	{ "trim", "[-f FD [-s SIZE]]",
	  "give back now what is not in use", trim_run },
	{ }
};

int main(int argc, char **argv)
{
	int first;

	out_file = stdout;
	command_set_all(commands);
	first = cli_command(argc, argv);
	command_running->run(argc - first, argv + first);
	if (fflush(stdout) || ferror(stdout))
		fail(STATUS_FAILED, "could not write: %s", strerror(errno));
	return STATUS_OK;
}
