// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/mman.h>

#include "barrier.h"
#include "longer.h"
#include "stack.h"
#include "thief.h"

void bufpool_thief_destroy(struct bufpool_thief *thief)
{
	free(thief->used);
}

/* 0 or -ENOMEM: the stacks up to this one, and all of its set, are accessible. */
static int make_accessible(struct bufpool_thief *thief, unsigned int nr)
{
	unsigned int end = (nr / thief->nr_classes + 1) * thief->nr_classes;

	if (end <= thief->nr_accessible)
		return 0;
	if (mprotect(bufpool_thief_stack(thief, thief->nr_accessible),
		     (end - thief->nr_accessible) * thief->page_size,
		     PROT_READ | PROT_WRITE))
		return -ENOMEM;
	thief->nr_accessible = end;
	return 0;
}

/* 0 or -ENOMEM: there is room in @used for one more. */
static int make_room(struct bufpool_thief *thief)
{
	size_t length = thief->nr_used * sizeof(*thief->used);
	unsigned int *old = thief->used, *longer;

	/* it is doubled whenever it is full, from 64 on */
	if (thief->nr_used & (thief->nr_used - 1) ||
	    (thief->nr_used && thief->nr_used < 64))
		return 0;
	longer = bufpool_longer(old, length, length ? 2 * length : 64 * sizeof(*old));
	if (!longer)
		return -ENOMEM;
	thief->used = longer;
	bufpool_free_shorter(old);
	return 0;
}

int bufpool_thief_open(struct bufpool_thief *thief, unsigned int nr)
{
	if (make_accessible(thief, nr) || make_room(thief))
		return -ENOMEM;
	thief->used[thief->nr_used++] = nr;
	return 0;
}

unsigned int bufpool_thief_take(struct bufpool_stack *stack, unsigned int most,
				__u32 *entries)
{
	__u32 bottom = bufpool_stack_bottom(stack);
	unsigned int count = bufpool_stack_count(stack), i;
	__s32 left;

	if (count > most)
		count = most;
	if (count > BUFPOOL_THIEF_BATCH)
		count = BUFPOOL_THIEF_BATCH;
	if (!count)
		return 0;
	__atomic_store_n(&stack->bottom, bottom + count, __ATOMIC_RELAXED);
	bufpool_barriers_pass();
	left = __atomic_load_n(&stack->top, __ATOMIC_ACQUIRE) - bottom;
	if (left < (__s32)count) {
		count = left > 0 ? left : 0;
		__atomic_store_n(&stack->bottom, bottom + count, __ATOMIC_RELAXED);
	}
	for (i = 0; i < count; i++)
		entries[i] = __atomic_load_n(bufpool_stack_at(stack, bottom + i),
					     __ATOMIC_RELAXED);
	return count;
}
