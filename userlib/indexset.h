/* SPDX-License-Identifier: MIT */
/*
 * A set of small numbers that knows its lowest and its highest
 *
 * All zero is an empty set. Nothing here locks.
 */
#ifndef BUFPOOL_INDEXSET_H
#define BUFPOOL_INDEXSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bufpool_indexset {
	uint64_t *words;
	size_t nr_words;
	size_t first;		/* no word before this one has a bit */
	size_t count;		/* numbers in the set */
};

/* Make room for the numbers below @end, so that add cannot fail. 0 or -ENOMEM */
int bufpool_indexset_reserve(struct bufpool_indexset *set, size_t end);
void bufpool_indexset_destroy(struct bufpool_indexset *set);

/* There must be room for @index, and it must not be in the set. */
void bufpool_indexset_add(struct bufpool_indexset *set, size_t index);

/* @index must be in the set. */
void bufpool_indexset_remove(struct bufpool_indexset *set, size_t index);

bool bufpool_indexset_has(const struct bufpool_indexset *set, size_t index);

/* The set must not be empty. */
size_t bufpool_indexset_lowest(struct bufpool_indexset *set);
size_t bufpool_indexset_highest(const struct bufpool_indexset *set);

#endif /* BUFPOOL_INDEXSET_H */
