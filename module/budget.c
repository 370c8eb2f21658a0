// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets; see budget.h.
 */
#include "bufpool.h"
#include "trace.h"

/**
 * bufpool_budget_charge - count what is about to be had
 * @budget: where
 * @amount: how many bytes, or how many of what is counted
 * @most: how many may be held in all
 *
 * Return: whether they are within that; if not, nothing is counted.
 */
bool bufpool_budget_charge(struct bufpool_budget *budget, size_t amount,
			   unsigned long most)
{
	long old = atomic_long_read(&budget->used);

	do {
		if (amount > most || old > most - amount) {
			trace_bufpool_limit_hit(budget->bound, amount, old, most);
			return false;
		}
	} while (!atomic_long_try_cmpxchg(&budget->used, &old, old + amount));
	return true;
}

/* Undo bufpool_budget_charge(). */
void bufpool_budget_uncharge(struct bufpool_budget *budget, size_t amount)
{
	atomic_long_sub(amount, &budget->used);
}
