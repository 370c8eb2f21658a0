// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "value.h"

/* Longer waits than this, about thirty years, are mistakes. */
#define MAX_SECONDS	1000000000ULL

/* A letter in either case, alone or with iB, as the module has it; -1 is neither. */
static int suffix_shift(const char *suffix)
{
	static const char letters[] = "KMGTPE";
	const char *found;

	if (!*suffix)
		return 0;
	found = strchr(letters, toupper((unsigned char)*suffix));
	if (!found || (suffix[1] && strcasecmp(suffix + 1, "iB")))
		return -1;
	return 10 * (found - letters + 1);
}

/* To some, KB and the like are thousands. */
static bool may_be_thousands(const char *suffix)
{
	char letter[] = { suffix[0], '\0' };

	return suffix_shift(letter) > 0 && !strcasecmp(suffix + 1, "B");
}

/* strtoull() alone would take a sign, spaces and nothing at all. */
static bool parse_digits(const char *text, char **end, __u64 *number)
{
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, end, 10);
	return !errno;
}

bool value_id(const char *text, __u64 *id)
{
	__u64 number;
	char *end;

	if (!parse_digits(text, &end, &number) || *end || number > UINT32_MAX)
		return false;
	*id = number;
	return true;
}

__u64 value_bytes(const char *what, const char *text)
{
	const char *suffix = text + strspn(text, "0123456789");
	int shift = suffix_shift(suffix), length = suffix - text + 1;
	__u64 number;

	if (suffix != text && may_be_thousands(suffix))
		fail_usage("%s is not clear: for units of 1024, write %.*s or %.*siB, not '%s'",
			   what, length, text, length, text, text);
	if (suffix == text || shift < 0)
		fail_usage("%s is a whole number of bytes, such as 65536, 64K or 64MiB, not '%s'",
			   what, text);
	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno || number > UINT64_MAX >> shift)
		fail_usage("%s is %llu bytes at most, and '%s' is more", what,
			   (__u64)UINT64_MAX, text);
	return number << shift;
}

__u64 value_number(const char *what, const char *text, __u64 least, __u64 most)
{
	__u64 number;
	char *end;

	if (!parse_digits(text, &end, &number) || *end || number < least ||
	    number > most)
		fail_usage("%s is a number from %llu to %llu, not '%s'", what,
			   least, most, text);
	return number;
}

/* Up to three digits after the point, as thousandths; -1 for anything else. */
static int parse_fraction(const char *text)
{
	int value = 0, unit = 100;

	if (!*text)
		return 0;
	if (*text++ != '.' || !*text)
		return -1;
	for (; *text; text++, unit /= 10) {
		if (*text < '0' || *text > '9')
			return -1;
		value += (*text - '0') * unit;
	}
	return value;
}

__u64 value_milliseconds(const char *what, const char *text)
{
	__u64 seconds;
	int fraction = -1;
	char *end;

	if (parse_digits(text, &end, &seconds))
		fraction = parse_fraction(end);
	if (fraction < 0 || seconds > MAX_SECONDS)
		fail_usage("%s is a time in seconds, such as 1 or 0.5, not '%s'",
			   what, text);
	return seconds * 1000 + fraction;
}
