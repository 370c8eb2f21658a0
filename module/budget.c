// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets; see budget.h.
 */
#include "bufpool.h"
#include "trace.h"

/**
 * bufpool_budget_charge - count bytes that are about to be had
 * @budget: where
 * @bytes: how many
 * @most: how many may be held in all
 *
 * Return: whether they are within that; if not, nothing is counted.
 */
bool bufpool_budget_charge(struct bufpool_budget *budget, size_t bytes,
			   unsigned long most)
{
	long old = atomic_long_read(&budget->used);

	do {
		if (bytes > most || old > most - bytes) {
			trace_bufpool_limit_hit(budget->bound, bytes, old, most);
			return false;
		}
	} while (!atomic_long_try_cmpxchg(&budget->used, &old, old + bytes));
	return true;
}

/* Undo bufpool_budget_charge(). */
void bufpool_budget_uncharge(struct bufpool_budget *budget, size_t bytes)
{
	atomic_long_sub(bytes, &budget->used);
}
