/* SPDX-License-Identifier: MIT */
/*
 * Output: the same columns for people, as tab-separated text and as JSON.
 *
 * A table of columns describes a structure, once for all three forms. The names
 * and the two forms for scripts are documented and do not change.
 */
#ifndef BUFPOOLCTL_OUT_H
#define BUFPOOLCTL_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <stdio.h>

enum format {
	FORMAT_PEOPLE,
	FORMAT_TAB,
	FORMAT_JSON,
};

/* What a member is, and, but for the last three, a __u64. */
enum kind {
	KIND_COUNT,
	KIND_BYTES,	/* NO_LIMIT is none */
	KIND_RATE,	/* thousandths per second */
	KIND_TEXT,	/* an array of char */
	KIND_HEX,	/* __u64, text in JSON, which has 53 bits for numbers */
	KIND_SIZES,	/* struct sizes */
};

#define NO_LIMIT	UINT64_MAX

struct sizes {
	unsigned int count;
	__u64 bytes[64];
};

/**
 * struct column - one member of a structure
 * @name: for scripts; people see it in a record, with spaces
 * @label: for people, above a list; NULL: people do not see it there
 * @kind: what it is
 * @offset: where it is
 */
struct column {
	const char *name;
	const char *label;
	enum kind kind;
	size_t offset;
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
