// SPDX-License-Identifier: MIT
#include <linux/types.h>

#include "text.h"

/* How many bytes a character has, by its first one; 0 where none begins so. */
static size_t expected_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Neither a control character, nor too long a form, nor half of a pair. */
static int is_shown(__u32 code, size_t length)
{
	static const __u32 least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };

	return code >= least[length] && code != 0x7f && code <= 0x10ffff &&
	       (code < 0xd800 || code > 0xdfff);
}

size_t text_character(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = expected_length(at[0]), i;
	__u32 code = at[0];

	if (length > 1)
		code &= 0x7f >> length;
	for (i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	return length && is_shown(code, length) ? length : 0;
}

static int is_octal(char digit)
{
	return digit >= '0' && digit <= '7';
}

void text_unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) &&
		    is_octal(text[2]) && is_octal(text[3])) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 |
				(text[3] - '0');
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

void text_print(FILE *to, const char *text)
{
	size_t length;

	for (; *text; text += length ? length : 1) {
		length = text_character(text);
		fwrite(length ? text : "?", 1, length ? length : 1, to);
	}
}

static void print_json_character(FILE *to, const char *at, size_t length)
{
	unsigned char byte = at[0];

	if (byte == '"' || byte == '\\')
		fprintf(to, "\\%c", byte);
	else if (length)
		fwrite(at, 1, length, to);
	else if (byte < 0x80)
		fprintf(to, "\\u%04x", byte);
	else
		fputs("\\ufffd", to);
}

void text_print_json(FILE *to, const char *text)
{
	size_t length;

	fputc('"', to);
	for (; *text; text += length ? length : 1) {
		length = text_character(text);
		print_json_character(to, text, length);
	}
	fputc('"', to);
}
