// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets; see budget.h.
 */
#include "bufpool.h"
#include "trace.h"

/* Say that a charge is refused. Return: false */
bool bufpool_budget_refuse(struct bufpool_budget *budget, size_t amount, long used,
			   unsigned long most)
{
	trace_bufpool_limit_hit(budget->bound, amount, used, most);
	return false;
}
