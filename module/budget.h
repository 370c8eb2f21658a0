/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Budgets: the bytes that the pool, an account and a client may hold, and how many
 * clients and waiters an account may have. One shape for all of them.
 */
#ifndef _BUFPOOL_BUDGET_H
#define _BUFPOOL_BUDGET_H

#include <linux/atomic.h>
#include <linux/types.h>

/* What may refuse bytes, or one more. */
enum bufpool_bound {
	BUFPOOL_BOUND_POOL,
	BUFPOOL_BOUND_QUOTA,
	BUFPOOL_BOUND_CEILING,
	BUFPOOL_BOUND_CLIENTS,
	BUFPOOL_BOUND_WAITERS,
};

/**
 * struct bufpool_budget - what is held, and may not be more than a bound
 * @used: how many; charged before they are had, uncharged after they are gone
 * @bound: what bounds them, for the trace; constant
 *
 * The bound itself is where it is configured, and may change at any time, below
 * what is used too.
 */
struct bufpool_budget {
	atomic_long_t used;
	enum bufpool_bound bound;
};

static inline unsigned long bufpool_budget_used(const struct bufpool_budget *budget)
{
	return atomic_long_read(&budget->used);
}

bool bufpool_budget_refuse(struct bufpool_budget *budget, size_t amount, long used,
			   unsigned long most);

/**
 * bufpool_budget_charge - count what is about to be had
 * @budget: where
 * @amount: how many bytes, or how many of what is counted
 * @most: how many may be held in all
 *
 * Return: whether they are within that; if not, nothing is counted.
 */
static inline bool bufpool_budget_charge(struct bufpool_budget *budget, size_t amount,
					 unsigned long most)
{
	long used = atomic_long_read(&budget->used);

	do {
		if (amount > most || used > (long)(most - amount))
			return bufpool_budget_refuse(budget, amount, used, most);
	} while (!atomic_long_try_cmpxchg(&budget->used, &used, used + amount));
	return true;
}

/* Undo bufpool_budget_charge(). */
static inline void bufpool_budget_uncharge(struct bufpool_budget *budget, size_t amount)
{
	atomic_long_sub(amount, &budget->used);
}

#endif /* _BUFPOOL_BUDGET_H */
