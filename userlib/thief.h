/* SPDX-License-Identifier: MIT */
/*
 * The thief's side of stacks, for a private pool, which is its own kernel
 *
 * <linux/bufpool.h> says how owner and thief get along. The stacks are in reserved
 * address space, and made accessible as they are used, set by set from the first on.
 *
 * Nothing here locks: there is one thief at a time.
 */
#ifndef BUFPOOL_THIEF_H
#define BUFPOOL_THIEF_H

#include <stddef.h>

#include <linux/bufpool.h>

struct bufpool_thief {
	char *pages;			/* a stack each */
	size_t page_size;
	unsigned int nr_classes;
	unsigned int nr_accessible;
	unsigned int *used;		/* those that are, by number */
	unsigned int nr_used;
	unsigned int next;		/* the one that was taken from longest ago */
};

/* In a child of fork() too: the stacks are not in it. */
void bufpool_thief_destroy(struct bufpool_thief *thief);

/* Let a stack be used from now on. 0 or -ENOMEM */
int bufpool_thief_open(struct bufpool_thief *thief, unsigned int nr);

/* A stack that is used */
static inline struct bufpool_stack *
bufpool_thief_stack(const struct bufpool_thief *thief, unsigned int nr)
{
	return (struct bufpool_stack *)(thief->pages + nr * thief->page_size);
}

/* So many entries does a thief take at a time, at most. */
#define BUFPOOL_THIEF_BATCH	64

/* Take up to @most entries from a stack, or BATCH. Return: how many */
unsigned int bufpool_thief_take(struct bufpool_stack *stack, unsigned int most,
				__u32 *entries);

#endif /* BUFPOOL_THIEF_H */
