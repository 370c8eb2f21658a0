/* SPDX-License-Identifier: MIT */
/*
 * Messages, on standard error: a line of text, or a JSON object where the output
 * is JSON. A failure ends the program at once with one of these exit statuses;
 * atexit(3) undoes what must not stay, such as the terminal's state.
 */
#ifndef BUFPOOLCTL_FAIL_H
#define BUFPOOLCTL_FAIL_H

#include <stdnoreturn.h>

enum status {
	STATUS_OK,
	STATUS_FAILED,
	STATUS_USAGE,
	STATUS_NO_DEVICE,
	STATUS_NO_PERMISSION,
};

#define __printf(text, first)	__attribute((format(printf, text, first)))

/* Called before a failure is said, unless NULL: what would take the message away ends here. */
extern void (*fail_first)(void);

noreturn __printf(2, 3)
void fail(enum status status, const char *format, ...);
noreturn __printf(1, 2)
void fail_usage(const char *format, ...);
noreturn void fail_memory(void);

/* What has been printed so far goes out now. */
void fail_unless_written(void);

/* Say what the user should know, and go on. */
__printf(1, 2)
void notice(const char *format, ...);

#endif
