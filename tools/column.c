// SPDX-License-Identifier: MIT
#include <string.h>

#include "column.h"

static const void *member(const struct column *column, const void *from)
{
	return (const char *)from + column->offset;
}

const struct column *column_find(const struct column *columns, size_t count,
				 const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(columns[i].name, name))
			return &columns[i];
	return NULL;
}

__u64 column_number(const struct column *column, const void *from)
{
	__u64 number;

	memcpy(&number, member(column, from), sizeof(number));
	return number;
}

const char *column_text(const struct column *column, const void *from)
{
	return member(column, from);
}

bool column_is_text(const struct column *column)
{
	return column->kind == KIND_TEXT || column->kind == KIND_WORD;
}

const struct sizes *column_sizes(const struct column *column, const void *from)
{
	return member(column, from);
}

int column_compare(const struct column *column, const void *a, const void *b)
{
	__u64 left, right;

	if (column_is_text(column))
		return strcmp(column_text(column, a), column_text(column, b));
	left = column_number(column, a);
	right = column_number(column, b);
	if (left == right)
		return 0;
	return (left < right) == (column->kind == KIND_ID) ? -1 : 1;
}
