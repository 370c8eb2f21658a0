/* SPDX-License-Identifier: MIT */
/* Columns: what the members of a structure are, and where. */
#ifndef BUFPOOLCTL_COLUMN_H
#define BUFPOOLCTL_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

/* What a member is, and, where nothing else is said, a __u64, of which NO_NUMBER is none. */
enum kind {
	KIND_COUNT,
	KIND_ID,	/* a number that counts nothing */
	KIND_BYTES,
	KIND_RATE,	/* thousandths per second */
	KIND_TEXT,	/* an array of char */
	KIND_WORD,	/* the same; empty is none */
	KIND_HEX,	/* text in JSON, which has 53 bits for numbers */
	KIND_SIZES,	/* struct sizes */
};

/* Not known, or no limit */
#define NO_NUMBER	UINT64_MAX
#define NO_LIMIT	NO_NUMBER

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

/* NULL where none of @count @columns has that name. */
const struct column *column_find(const struct column *columns, size_t count,
				 const char *name);

/* The member of the structure at @from, by its kind. */
__u64 column_number(const struct column *column, const void *from);
const char *column_text(const struct column *column, const void *from);
/* KIND_TEXT or KIND_WORD */
bool column_is_text(const struct column *column);
const struct sizes *column_sizes(const struct column *column, const void *from);

/*
 * Order two structures for people: amounts from the largest on, texts and numbers that
 * count nothing from the smallest. Return: as strcmp(3) does.
 */
int column_compare(const struct column *column, const void *a, const void *b);

#endif
