// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers of bytes, as people write them into files and parameters.
 */
#include <linux/ctype.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include "bufpool.h"

/* The length of a text without the newline that may end it, where it is written to a file. */
size_t bufpool_bytes_length(const char *val)
{
	size_t length = strlen(val);

	return length && val[length - 1] == '\n' ? length - 1 : length;
}

/* kstrtoul() would take a sign, too. */
static int bytes_parse_digits(const char **text, unsigned long *number)
{
	*number = 0;
	if (!isdigit(**text))
		return -EINVAL;
	for (; isdigit(**text); ++*text)
		if (check_mul_overflow(*number, 10UL, number) ||
		    check_add_overflow(*number, **text - '0' + 0UL, number))
			return -ERANGE;
	return 0;
}

/* A suffix is a letter in either case, alone or with iB. */
static int bytes_suffix_shift(const char *suffix)
{
	const char *letters = "KMGTPE", *found;
	size_t length = bufpool_bytes_length(suffix);

	if (!length)
		return 0;
	found = strchr(letters, toupper(*suffix));
	if (!found || (length != 1 && length != 3) ||
	    strncasecmp(suffix + 1, "iB", length - 1))
		return -EINVAL;
	return 10 * (found - letters + 1);
}

/**
 * bufpool_bytes_parse - read a number of bytes
 * @val: digits and maybe a suffix; a newline may follow
 * @bytes: is set if that is one
 *
 * memparse() would take hexadecimal numbers, and what does not fit. bufpoolctl accepts
 * the same as this, but for the newline.
 *
 * Return: 0, -EINVAL, or -ERANGE where it is too large.
 */
int bufpool_bytes_parse(const char *val, unsigned long *bytes)
{
	unsigned long number;
	int err, shift;

	err = bytes_parse_digits(&val, &number);
	if (err)
		return err;
	shift = bytes_suffix_shift(val);
	if (shift < 0)
		return shift;
	return check_shl_overflow(number, shift, bytes) ? -ERANGE : 0;
}
