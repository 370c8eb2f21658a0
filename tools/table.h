/* SPDX-License-Identifier: MIT */
/* Tables that the module has for root: a line of names, and then one for each row. */
#ifndef BUFPOOLCTL_TABLE_H
#define BUFPOOLCTL_TABLE_H

#include "column.h"

/* Bytes in the array of a KIND_TEXT or KIND_WORD. */
#define TABLE_TEXT	64

/**
 * struct table - a table, and what its rows are read into
 * @path: where it is
 * @columns: the fields that are known; others are passed over
 * @count: how many
 * @size: bytes in the structure of a row
 */
struct table {
	const char *path;
	const struct column *columns;
	size_t count;
	size_t size;
};

/* Read each row into @row, and have it taken from there. */
void table_read(const struct table *table, void *row,
		void (*take)(void *to, const void *row), void *to);

#endif
