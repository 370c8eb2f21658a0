/* SPDX-License-Identifier: MIT */
/*
 * The owner's side of a stack, as struct bufpool_stack describes it: a program that
 * keeps blocks for its next rents, and does nothing else for others.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "bufpool_test.h"

static inline struct bufpool_stack *map_stack(int fd, unsigned int nr)
{
	struct bufpool_info info = { .size = sizeof(info) };

	if (pool_info(fd, &info))
		return MAP_FAILED;
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    info.stacks_offset + (off_t)nr * PAGE);
}

/* The entry for a block: where it is in the span of its class */
static inline __u32 entry_of(const struct bufpool_block *block)
{
	return (block->offset & ((1ULL << 39) - 1)) / BUFPOOL_STACK_UNIT;
}

/* Less than 0 for a moment, while the kernel takes blocks */
static inline int in_stack(const struct bufpool_stack *stack)
{
	return __atomic_load_n(&stack->top, __ATOMIC_RELAXED) -
	       __atomic_load_n(&stack->bottom, __ATOMIC_RELAXED);
}

/* Return: false where the stack is full. */
static inline bool push(struct bufpool_stack *stack, __u32 number)
{
	__u32 top = stack->top;

	if (in_stack(stack) >= BUFPOOL_STACK_MAX)
		return false;
	__atomic_store_n(&stack->entries[top % BUFPOOL_STACK_ENTRIES], number,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&stack->top, top + 1, __ATOMIC_RELEASE);
	return true;
}

/* Return: false where the stack is empty, or its last block is being taken. */
static inline bool pop(struct bufpool_stack *stack, __u32 *number)
{
	__u32 t = stack->top - 1;

	__atomic_store_n(&stack->top, t, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if ((__s32)(t - __atomic_load_n(&stack->bottom, __ATOMIC_RELAXED)) < 0) {
		__atomic_store_n(&stack->top, t + 1, __ATOMIC_RELAXED);
		return false;
	}
	*number = __atomic_load_n(&stack->entries[t % BUFPOOL_STACK_ENTRIES],
				  __ATOMIC_RELAXED);
	return true;
}

#endif /* KEEPER_H */
