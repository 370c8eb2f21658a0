/* SPDX-License-Identifier: MIT */
/*
 * The command line: which command, and its options.
 */
#ifndef BUFPOOLCTL_CLI_H
#define BUFPOOLCTL_CLI_H

#include "command.h"

/*
 * Find out which command is asked for. Return: where its arguments begin, with its
 * name.
 */
int cli_command(int argc, char **argv);

/* One that is not there ends the program. */
const struct command *cli_find_command(const char *name);

/*
 * The next option that is one of @letters, as getopt(3) has them, or -1. The
 * options that every command has are dealt with here; bad ones end the program.
 */
int cli_option(int argc, char **argv, const char *letters);

/* End the program where more than @most arguments are left. */
void cli_arguments(int argc, int most);

#endif
