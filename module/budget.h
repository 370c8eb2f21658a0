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

bool bufpool_budget_charge(struct bufpool_budget *budget, size_t amount,
			   unsigned long most);
void bufpool_budget_uncharge(struct bufpool_budget *budget, size_t amount);

#endif /* _BUFPOOL_BUDGET_H */
