/* SPDX-License-Identifier: MIT */
/*
 * The command line: options, values, and the ways to end.
 *
 * Every failure ends the program at once with a message and one of these exit
 * statuses; atexit(3) undoes what must not stay, such as the terminal's state.
 */
#ifndef BUFPOOLCTL_CLI_H
#define BUFPOOLCTL_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <linux/types.h>

enum status {
	STATUS_OK,
	STATUS_FAILED,
	STATUS_USAGE,
	STATUS_NO_DEVICE,
	STATUS_NO_PERMISSION,
};

#define __printf(text, first)	__attribute((format(printf, text, first)))
/* The most that a COUNT may be. */
#define MAX_COUNT		1000000
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct command - what the program can do
 * @name: how it is asked for
 * @synopsis: what may follow the name
 * @help: one line
 * @run: does it, with the name as the first argument
 */
struct command {
	const char *name;
	const char *synopsis;
	const char *help;
	void (*run)(int argc, char **argv);
};

/* The command that runs, for messages; NULL before it is known. */
extern const struct command *cli_command;

/*
 * Find out which of the commands, whose list ends with an empty one, is asked for.
 * Return: where its arguments begin, with its name.
 */
int cli_find_command(const struct command *all, int argc, char **argv);

/*
 * The next option that is one of @letters, as getopt(3) has them, or -1. The
 * options that every command has are dealt with here; bad ones end the program.
 */
int cli_option(int argc, char **argv, const char *letters);

/* End the program where more than @most arguments are left. */
void cli_arguments(int argc, int most);

/* What @text says; a value that is not acceptable ends the program. */
__u64 cli_bytes(const char *what, const char *text);
__u64 cli_number(const char *what, const char *text, __u64 least, __u64 most);
__u64 cli_milliseconds(const char *what, const char *text);

noreturn __printf(2, 3)
void fail(enum status status, const char *format, ...);
noreturn __printf(1, 2)
void fail_usage(const char *format, ...);
/* @path, of the device or the module, could not be used; errno says why. */
noreturn void fail_access(const char *path);
noreturn void fail_memory(void);

#endif
