/* SPDX-License-Identifier: MIT */
/* The order of a list: by one of its columns. */
#ifndef BUFPOOLCTL_ORDER_H
#define BUFPOOLCTL_ORDER_H

#include <stdbool.h>

#include "column.h"

/**
 * struct order - by what a list is sorted
 * @columns: what its structures have; equal ones go by the first
 * @key: one of the columns
 * @reverse: the other way around
 */
struct order {
	const struct column *columns;
	const struct column *key;
	bool reverse;
};

/* Sort @count structures of @size bytes. */
void order_sort(const struct order *order, void *list, size_t count,
		size_t size);

#endif
