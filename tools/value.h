/* SPDX-License-Identifier: MIT */
/*
 * Values on the command line; one that is not acceptable ends the program. @what
 * names it in the message.
 */
#ifndef BUFPOOLCTL_VALUE_H
#define BUFPOOLCTL_VALUE_H

#include <stdbool.h>
#include <linux/types.h>

/* The most that a COUNT may be. */
#define MAX_COUNT	1000000

/* Return: whether @text is the number of a user or a process; else nothing changes. */
bool value_id(const char *text, __u64 *id);
__u64 value_bytes(const char *what, const char *text);
__u64 value_number(const char *what, const char *text, __u64 least, __u64 most);
__u64 value_milliseconds(const char *what, const char *text);

#endif
