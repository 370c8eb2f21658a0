/* SPDX-License-Identifier: MIT */
/* The order of a list: by one of its columns. */
#ifndef BUFPOOLCTL_ORDER_H
#define BUFPOOLCTL_ORDER_H

#include <stdbool.h>

#include "column.h"
#include "rows.h"

/**
 * struct order - by what a list is sorted
 * @columns: what its rows have; equal ones go by the first
 * @key: one of the columns
 * @reverse: the other way around
 */
struct order {
	const struct column *columns;
	const struct column *key;
	bool reverse;
};

void order_sort(const struct order *order, struct rows *rows);

#endif
