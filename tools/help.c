// SPDX-License-Identifier: MIT
#include <getopt.h>

#include "cli.h"
#include "command.h"
#include "commands.h"

void help_run(int argc, char **argv)
{
	cli_option(argc, argv, "");
	cli_arguments(argc, 1);
	command_print_help(optind < argc ? cli_find_command(argv[optind]) : NULL);
}
