/* SPDX-License-Identifier: MIT */
/*
 * Output: the same columns for people, as tab-separated text and as JSON.
 *
 * A table of columns describes a structure, once for all three forms. The names
 * and the two forms for scripts are documented and do not change.
 */
#ifndef BUFPOOLCTL_OUT_H
#define BUFPOOLCTL_OUT_H

#include <stdio.h>

#include "column.h"

enum format {
	FORMAT_PEOPLE,
	FORMAT_TAB,
	FORMAT_JSON,
	FORMAT_PROMETHEUS,	/* of the commands that have it; not from here */
};

/**
 * struct list - many structures of one kind
 * @name: what JSON calls the list; where it has none, each row is a line
 * @columns: what is in each
 * @count: how many columns
 * @width: characters in a column, at least
 * @rows: how many were printed
 */
struct list {
	const char *name;
	const struct column *columns;
	size_t count;
	int width;
	size_t rows;
};

extern enum format out_format;
/* Where output goes: standard output, or the buffer of a frame */
extern FILE *out_file;

/* One structure: a line for each member, or one JSON object. */
void out_record(const struct column *columns, size_t count, const void *from);

void out_list_begin(struct list *list);
void out_list_row(struct list *list, const void *from);
void out_list_end(struct list *list);
/* The names above the columns; nothing in JSON. */
void out_list_header(const struct list *list);

/* For people: at most five characters, as 1.5M; not for NO_LIMIT. */
struct short_text {
	char text[24];
};

struct short_text short_bytes(__u64 bytes);

#endif
