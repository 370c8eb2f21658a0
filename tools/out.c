// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <string.h>

#include "out.h"
#include "text.h"

/* How far the values of a record are from the left. */
#define RECORD_INDENT	18

enum format out_format;
FILE *out_file;

static struct short_text plain(__u64 number)
{
	struct short_text out;

	snprintf(out.text, sizeof(out.text), "%llu", number);
	return out;
}

/* Divided, with a letter for the divisor, and one digit if it is short */
static struct short_text shorten(__u64 value, unsigned int unit,
				 const char *letters)
{
	struct short_text out = plain(value);
	unsigned int tenths = 0;
	char letter = '\0';

	for (; value >= unit; value /= unit) {
		tenths = value % unit * 10 / unit;
		letter = *letters++;
	}
	if (letter && tenths && value < 100)
		snprintf(out.text, sizeof(out.text), "%llu.%u%c", value,
			 tenths, letter);
	else if (letter)
		snprintf(out.text, sizeof(out.text), "%llu%c", value,
			 letter);
	return out;
}

struct short_text short_bytes(__u64 bytes)
{
	return shorten(bytes, 1024, "KMGTPE");
}

static struct short_text short_count(__u64 count)
{
	return count > 99999 ? shorten(count, 1000, "kMGTPE") : plain(count);
}

static struct short_text short_rate(__u64 rate)
{
	struct short_text out;

	if (rate % 1000 == 0 || rate >= 9950)
		return short_count((rate + 500) / 1000);
	snprintf(out.text, sizeof(out.text), "%.1f", rate / 1000.0);
	return out;
}

static struct short_text words(const char *text)
{
	struct short_text out;

	snprintf(out.text, sizeof(out.text), "%s", text);
	return out;
}

static struct short_text number_for_people(const struct column *column,
					   __u64 number)
{
	if (number == NO_NUMBER)
		return words("none");
	switch (column->kind) {
	case KIND_BYTES:
		return short_bytes(number);
	case KIND_RATE:
		return short_rate(number);
	default:
		return plain(number);
	}
}

static struct short_text number_for_scripts(const struct column *column,
					    __u64 number)
{
	struct short_text out;

	if (number == NO_NUMBER)
		return words(out_format == FORMAT_JSON ? "null" : "none");
	if (column->kind != KIND_RATE)
		return plain(number);
	snprintf(out.text, sizeof(out.text), "%llu.%03u", number / 1000,
		 (unsigned int)(number % 1000));
	return out;
}

static struct short_text number_text(const struct column *column,
				     const void *from)
{
	struct short_text out;

	if (column->kind == KIND_HEX) {
		snprintf(out.text, sizeof(out.text),
			 out_format == FORMAT_JSON ? "\"0x%llx\"" :
						     "0x%llx",
			 column_number(column, from));
		return out;
	}
	if (out_format == FORMAT_PEOPLE)
		return number_for_people(column, column_number(column, from));
	return number_for_scripts(column, column_number(column, from));
}

static void print_sizes(const struct sizes *sizes)
{
	static const char *const between[] = {
		[FORMAT_PEOPLE] = " ",
		[FORMAT_TAB] = ",",
		[FORMAT_JSON] = ",",
	};
	unsigned int i;

	for (i = 0; i < sizes->count; i++)
		fprintf(out_file, "%s%s", i ? between[out_format] : "",
			out_format == FORMAT_PEOPLE ?
			short_bytes(sizes->bytes[i]).text :
			plain(sizes->bytes[i]).text);
}

static void print_word(const char *word)
{
	bool json = out_format == FORMAT_JSON;

	if (!*word)
		fputs(json ? "null" : "none", out_file);
	else if (json)
		text_print_json(out_file, word);
	else
		text_print(out_file, word);
}

static void print_value(const struct column *column, const void *from)
{
	bool json = out_format == FORMAT_JSON;

	switch (column->kind) {
	case KIND_TEXT:
		if (json)
			text_print_json(out_file, column_text(column, from));
		else
			text_print(out_file, column_text(column, from));
		break;
	case KIND_WORD:
		print_word(column_text(column, from));
		break;
	case KIND_SIZES:
		fputs(json ? "[" : "", out_file);
		print_sizes(column_sizes(column, from));
		fputs(json ? "]" : "", out_file);
		break;
	default:
		fputs(number_text(column, from).text, out_file);
	}
}

/* A rate has a name that says so. */
static void print_name(const struct column *column)
{
	fprintf(out_file, "%s%s", column->name,
		column->kind == KIND_RATE ? "_per_s" : "");
}

static void print_json(const struct column *columns, size_t count,
		       const void *from)
{
	size_t i;

	for (i = 0; i < count; i++) {
		fputs(i ? ",\"" : "{\"", out_file);
		print_name(&columns[i]);
		fputs("\":", out_file);
		print_value(&columns[i], from);
	}
	fputc('}', out_file);
}

static void print_words(const char *name)
{
	int width = RECORD_INDENT;

	for (; *name; name++, width--)
		fputc(*name == '_' ? ' ' : *name, out_file);
	fprintf(out_file, "%*s", width, "");
}

void out_record(const struct column *columns, size_t count, const void *from)
{
	size_t i;

	if (out_format == FORMAT_JSON) {
		print_json(columns, count, from);
		fputc('\n', out_file);
		return;
	}
	for (i = 0; i < count; i++) {
		if (out_format == FORMAT_PEOPLE) {
			print_words(columns[i].name);
		} else {
			print_name(&columns[i]);
			fputc('\t', out_file);
		}
		print_value(&columns[i], from);
		fputc('\n', out_file);
	}
}

static int width_of(const struct list *list, const struct column *column)
{
	int width = strlen(column->label);

	return width > list->width ? width : list->width;
}

static bool is_printed(const struct column *column)
{
	return out_format != FORMAT_PEOPLE || column->label;
}

/* Text is the last column, and to the left; a word is the module's own, and like a number. */
static void print_cell(const struct list *list, size_t nr, const void *from)
{
	const struct column *column = &list->columns[nr];

	if (nr)
		fputc(out_format == FORMAT_TAB ? '\t' : ' ', out_file);
	if (out_format == FORMAT_TAB || column->kind == KIND_TEXT)
		print_value(column, from);
	else if (column->kind == KIND_WORD)
		fprintf(out_file, "%*s", width_of(list, column), column_text(column, from));
	else
		fprintf(out_file, "%*s", width_of(list, column),
			number_text(column, from).text);
}

static void print_title(const struct list *list, size_t nr)
{
	const struct column *column = &list->columns[nr];

	if (nr)
		fputc(out_format == FORMAT_TAB ? '\t' : ' ', out_file);
	if (out_format == FORMAT_TAB)
		print_name(column);
	else
		fprintf(out_file, "%*s", column->kind == KIND_TEXT ?
			0 : width_of(list, column), column->label);
}

void out_list_header(const struct list *list)
{
	size_t i;

	if (out_format == FORMAT_JSON)
		return;
	for (i = 0; i < list->count; i++)
		if (is_printed(&list->columns[i]))
			print_title(list, i);
	fputc('\n', out_file);
}

void out_list_begin(struct list *list)
{
	list->rows = 0;
	if (out_format != FORMAT_JSON)
		out_list_header(list);
	else if (list->name)
		fprintf(out_file, "{\"%s\":[", list->name);
}

void out_list_row(struct list *list, const void *from)
{
	size_t i;

	if (out_format == FORMAT_JSON) {
		if (list->rows && list->name)
			fputc(',', out_file);
		print_json(list->columns, list->count, from);
	} else {
		for (i = 0; i < list->count; i++)
			if (is_printed(&list->columns[i]))
				print_cell(list, i, from);
	}
	if (out_format != FORMAT_JSON || !list->name)
		fputc('\n', out_file);
	list->rows++;
}

void out_list_end(struct list *list)
{
	if (out_format == FORMAT_JSON && list->name)
		fputs("]}\n", out_file);
}
