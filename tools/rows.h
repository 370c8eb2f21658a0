/* SPDX-License-Identifier: MIT */
/* Rows: structures of one kind, as many as there happen to be. */
#ifndef BUFPOOLCTL_ROWS_H
#define BUFPOOLCTL_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct rows - all of them, which begins as all zero
 * @list: the first
 * @count: how many
 * @room: for so many is memory
 * @size: bytes in each
 */
struct rows {
	char *list;
	size_t count;
	size_t room;
	size_t size;
};

/* None any more, and from now on of @size bytes, which never change. */
void rows_clear(struct rows *rows, size_t size);
/* One more, with nothing in it; others may have moved. */
void *rows_add(struct rows *rows);
void *rows_at(const struct rows *rows, size_t nr);
/* Leave out those that are not @wanted. */
void rows_filter(struct rows *rows, bool (*wanted)(const void *row, const void *arg),
		 const void *arg);
void rows_free(struct rows *rows);

#endif
