// SPDX-License-Identifier: MIT
#include <string.h>

#include "command.h"

const struct command *command_running;

static const struct command *commands;

void command_set_all(const struct command *all)
{
	commands = all;
}

const struct command *command_find(const char *name)
{
	const struct command *command;

	for (command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

void command_print_usage(FILE *to, const struct command *command)
{
	const char *name = command ? command->name : "COMMAND";
	const char *more = command ? command->synopsis : "[ARGUMENT...]";

	fprintf(to, "usage: bufpoolctl [--json | --tab%s] %s%s%s\n",
		command && command->metrics ? " | --prometheus" : "", name,
		*more ? " " : "", more);
}

static void print_all(void)
{
	const struct command *command;

	putchar('\n');
	for (command = commands; command->name; command++)
		printf("  %-8s %s\n", command->name, command->help);
	printf("\n"
	       "  --json         output as JSON, one object per line\n"
	       "  --tab          output as tab-separated text\n"
	       "  --prometheus   metrics for Prometheus, of stat\n"
	       "  -h, --help     this, or after a command, what may follow it\n"
	       "  -V, --version  the version\n"
	       "\n"
	       "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no module or device,\n"
	       "4 no permission.\n");
}

static void print_one(const struct command *command)
{
	printf("%s\n", command->help);
	if (command->details)
		printf("\n%s", command->details);
}

void command_print_help(const struct command *command)
{
	command_print_usage(stdout, command);
	if (command)
		print_one(command);
	else
		print_all();
}
