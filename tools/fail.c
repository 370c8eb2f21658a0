// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "fail.h"

static void print_message(const char *format, va_list args)
{
	fprintf(stderr, "bufpoolctl%s%s: ", command_running ? " " : "",
		command_running ? command_running->name : "");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void fail(enum status status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	print_message(format, args);
	va_end(args);
	exit(status);
}

void fail_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
	command_print_usage(stderr, command_running);
	fprintf(stderr, "'bufpoolctl --help' says more.\n");
	exit(STATUS_USAGE);
}

void fail_memory(void)
{
	fail(STATUS_FAILED, "out of memory");
}
