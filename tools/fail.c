// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "fail.h"
#include "out.h"
#include "text.h"

/* What JSON calls each status. */
static const char *const reasons[] = {
	[STATUS_FAILED] = "failed",
	[STATUS_USAGE] = "usage",
	[STATUS_NO_DEVICE] = "no_device",
	[STATUS_NO_PERMISSION] = "no_permission",
};

void (*fail_first)(void);

static void print_text(const char *message)
{
	fprintf(stderr, "bufpoolctl%s%s: %s\n", command_running ? " " : "",
		command_running ? command_running->name : "", message);
}

/* In JSON, what @kind of message it is, with the status where that is not OK. */
static void print_json(const char *kind, enum status status,
		       const char *message)
{
	fprintf(stderr, "{\"%s\":{", kind);
	if (status != STATUS_OK)
		fprintf(stderr, "\"status\":%d,\"reason\":\"%s\",", status,
			reasons[status]);
	fprintf(stderr, "\"command\":");
	if (command_running)
		text_print_json(stderr, command_running->name);
	else
		fputs("null", stderr);
	fprintf(stderr, ",\"message\":");
	text_print_json(stderr, message);
	fputs("}}\n", stderr);
}

static void print_message(const char *kind, enum status status,
			  const char *format, va_list args)
{
	char *message;

	fflush(stdout);
	if (vasprintf(&message, format, args) < 0) {
		fputs("bufpoolctl: out of memory\n", stderr);
		exit(STATUS_FAILED);
	}
	if (out_format == FORMAT_JSON)
		print_json(kind, status, message);
	else
		print_text(message);
	free(message);
}

void fail(enum status status, const char *format, ...)
{
	va_list args;

	if (fail_first)
		fail_first();
	va_start(args, format);
	print_message("error", status, format, args);
	va_end(args);
	exit(status);
}

void fail_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message("error", STATUS_USAGE, format, args);
	va_end(args);
	if (out_format != FORMAT_JSON) {
		command_print_usage(stderr, command_running);
		fprintf(stderr, "'bufpoolctl --help' says more.\n");
	}
	exit(STATUS_USAGE);
}

void fail_memory(void)
{
	fail(STATUS_FAILED, "out of memory");
}

void fail_unless_written(void)
{
	if (fflush(stdout) || ferror(stdout))
		fail(STATUS_FAILED, "could not write: %s", strerror(errno));
}

void notice(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message("notice", STATUS_OK, format, args);
	va_end(args);
}
