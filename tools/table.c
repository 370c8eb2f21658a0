// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "fail.h"
#include "module.h"
#include "paths.h"
#include "table.h"
#include "text.h"

/* The most columns of a table that are read */
#define MAX_FIELDS	32
#define BLANKS		" \t\n"

/* The column of each field of a line; NULL is an unknown one. */
struct layout {
	const struct column *fields[MAX_FIELDS];
	size_t count;
};

static void read_layout(struct layout *layout, const struct table *table,
			char *line)
{
	char *name = strtok(line, BLANKS);

	layout->count = 0;
	for (; name && layout->count < MAX_FIELDS; name = strtok(NULL, BLANKS))
		layout->fields[layout->count++] =
			column_find(table->columns, table->count, name);
}

/* NO_NUMBER for anything else */
static __u64 parse_number(const char *text)
{
	__u64 number;
	char *end;

	number = strtoull(text, &end, 10);
	return end == text ? NO_NUMBER : number;
}

static void set_field(void *row, const struct column *column, const char *text)
{
	char *at = (char *)row + column->offset;
	__u64 number;

	if (column_is_text(column)) {
		snprintf(at, TABLE_TEXT, "%s", text);
		text_unescape(at);
	} else {
		number = parse_number(text);
		memcpy(at, &number, sizeof(number));
	}
}

/* The last field goes to the end of the line, whatever is in it. */
static char *next_field(char **rest, bool last)
{
	char *field = *rest + strspn(*rest, BLANKS);
	size_t length = strcspn(field, last ? "\n" : BLANKS);

	*rest = field + length;
	if (**rest)
		*(*rest)++ = '\0';
	return field;
}

static void read_row(void *row, const struct layout *layout, char *line)
{
	char *field;
	size_t i;

	for (i = 0; i < layout->count; i++) {
		field = next_field(&line, i + 1 == layout->count);
		if (layout->fields[i])
			set_field(row, layout->fields[i], field);
	}
}

static FILE *open_table(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file && errno == ENOENT && module_is_loaded() && access(DEBUG_PATH, F_OK))
		fail(STATUS_FAILED,
		     "there is no %s: is debugfs mounted? If not, as root, run 'mount -t debugfs none /sys/kernel/debug'",
		     path);
	if (!file)
		access_fail(path);
	return file;
}

void table_read(const struct table *table, void *row,
		void (*take)(void *to, const void *row), void *to)
{
	FILE *file = open_table(table->path);
	struct layout layout = { };
	static char *line;
	static size_t room;

	if (getline(&line, &room, file) > 0)
		read_layout(&layout, table, line);
	while (getline(&line, &room, file) > 0) {
		memset(row, 0, table->size);
		read_row(row, &layout, line);
		take(to, row);
	}
	if (ferror(file))
		access_fail(table->path);
	fclose(file);
}
