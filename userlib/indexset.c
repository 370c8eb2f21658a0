// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "indexset.h"
#include "longer.h"

#define BITS	64

static uint64_t bit(size_t index)
{
	return (uint64_t)1 << index % BITS;
}

int bufpool_indexset_reserve(struct bufpool_indexset *set, size_t end)
{
	size_t nr_words = set->nr_words ? set->nr_words : 1;
	uint64_t *words, *old = set->words;

	while (nr_words * BITS < end)
		nr_words *= 2;
	if (nr_words == set->nr_words)
		return 0;
	words = bufpool_longer(old, set->nr_words * sizeof(*words),
			       nr_words * sizeof(*words));
	if (!words)
		return -ENOMEM;
	set->words = words;
	set->nr_words = nr_words;
	bufpool_free_shorter(old);
	return 0;
}

void bufpool_indexset_destroy(struct bufpool_indexset *set)
{
	free(set->words);
}

void bufpool_indexset_add(struct bufpool_indexset *set, size_t index)
{
	set->words[index / BITS] |= bit(index);
	set->count++;
	if (index / BITS < set->first)
		set->first = index / BITS;
}

void bufpool_indexset_remove(struct bufpool_indexset *set, size_t index)
{
	set->words[index / BITS] &= ~bit(index);
	set->count--;
}

bool bufpool_indexset_has(const struct bufpool_indexset *set, size_t index)
{
	return index / BITS < set->nr_words &&
	       set->words[index / BITS] & bit(index);
}

size_t bufpool_indexset_lowest(struct bufpool_indexset *set)
{
	while (!set->words[set->first])
		set->first++;
	return set->first * BITS + __builtin_ctzll(set->words[set->first]);
}

size_t bufpool_indexset_highest(const struct bufpool_indexset *set)
{
	size_t word = set->nr_words - 1;

	while (!set->words[word])
		word--;
	return word * BITS + BITS - 1 - __builtin_clzll(set->words[word]);
}
