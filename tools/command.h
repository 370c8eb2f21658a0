/* SPDX-License-Identifier: MIT */
/*
 * The commands: what the program can do, and which of it is asked for.
 */
#ifndef BUFPOOLCTL_COMMAND_H
#define BUFPOOLCTL_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

/**
 * struct command - what the program can do
 * @name: how it is asked for
 * @synopsis: what may follow the name
 * @help: one line
 * @details: a line for each of its options, and what else there is to know; or NULL
 * @metrics: it has the format of Prometheus, too
 * @run: does it, with the name as the first argument
 */
struct command {
	const char *name;
	const char *synopsis;
	const char *help;
	const char *details;
	bool metrics;
	void (*run)(int argc, char **argv);
};

/* The one that runs; NULL before it is known. */
extern const struct command *command_running;

/* Say which there are: a list that ends with an empty one. */
void command_set_all(const struct command *all);

/* NULL where there is none of that name. */
const struct command *command_find(const char *name);

/* How @command is used, in a line; NULL is any command. */
void command_print_usage(FILE *to, const struct command *command);
/* What may follow @command; NULL: which commands there are. */
void command_print_help(const struct command *command);

#endif
