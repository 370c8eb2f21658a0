// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "rows.h"

static void make_room(struct rows *rows)
{
	size_t room = rows->room ? 2 * rows->room : 64;
	char *list = reallocarray(rows->list, room, rows->size);

	if (!list)
		fail_memory();
	rows->list = list;
	rows->room = room;
}

void rows_clear(struct rows *rows, size_t size)
{
	rows->count = 0;
	rows->size = size;
}

void *rows_add(struct rows *rows)
{
	if (rows->count == rows->room)
		make_room(rows);
	return memset(rows_at(rows, rows->count++), 0, rows->size);
}

void *rows_at(const struct rows *rows, size_t nr)
{
	return rows->list + nr * rows->size;
}

void rows_filter(struct rows *rows, bool (*wanted)(const void *row, const void *arg),
		 const void *arg)
{
	size_t i, kept = 0;

	for (i = 0; i < rows->count; i++)
		if (wanted(rows_at(rows, i), arg))
			memmove(rows_at(rows, kept++), rows_at(rows, i), rows->size);
	rows->count = kept;
}

void rows_free(struct rows *rows)
{
	free(rows->list);
	*rows = (struct rows){ };
}
