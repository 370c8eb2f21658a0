/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites share: a pool, which each case leaves as it was, and clients of any user.
 */
#ifndef _BUFPOOL_UNIT_H
#define _BUFPOOL_UNIT_H

#include <kunit/test.h>
#include "bufpool.h"

/* Clients of one case */
#define UNIT_CLIENTS_MAX	8

/**
 * struct unit - what a case has, as test->priv
 * @clients: those that it opened
 * @nr_clients: how many
 */
struct unit {
	struct bufpool_client *clients[UNIT_CLIENTS_MAX];
	unsigned int nr_clients;
};

int unit_init(struct kunit *test);
void unit_exit(struct kunit *test);
const struct cred *unit_become(struct kunit *test, unsigned int uid);
void unit_revert(const struct cred *old);
struct bufpool_client *unit_open(struct kunit *test, unsigned int uid);
struct bufpool_slab *unit_slab(struct kunit *test, struct bufpool_class *class,
			       unsigned int nr_blks);
void unit_free_slab(struct bufpool_slab *slab);

extern struct bufpool_pool *unit_pool;

/* The class of the smallest blocks */
static inline struct bufpool_class *unit_class(void)
{
	return &unit_pool->classes[0];
}

extern struct kunit_suite bytes_suite, budget_suite, lru_suite, classes_suite, slab_suite,
	handle_suite, place_suite, kept_suite, holding_suite, account_suite, waitq_suite,
	poll_suite, warm_suite;

#endif /* _BUFPOOL_UNIT_H */
