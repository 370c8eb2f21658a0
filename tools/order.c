// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "order.h"

static int compare(const void *a, const void *b, void *arg)
{
	const struct order *order = arg;
	int result = column_compare(order->key, a, b);

	if (!result)
		return column_compare(order->columns, a, b);
	return order->reverse ? -result : result;
}

void order_sort(const struct order *order, struct rows *rows)
{
	if (rows->count)
		qsort_r(rows->list, rows->count, rows->size, compare, (void *)order);
}
