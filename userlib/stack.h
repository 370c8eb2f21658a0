/* SPDX-License-Identifier: MIT */
/*
 * A stack, which its owner uses by these, and a thief takes from at any time:
 * <linux/bufpool.h> says how both get along.
 */
#ifndef BUFPOOL_STACK_H
#define BUFPOOL_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bufpool.h>

/*
 * For what is on the fast paths only: there each branch that is taken costs as much
 * as several instructions.
 */
#define likely(condition)	__builtin_expect(!!(condition), 1)
#define unlikely(condition)	__builtin_expect(!!(condition), 0)

/*
 * A relaxed atomic load, and a store with a compiler's barrier behind it, of one's own
 * making: of the compiler's a load makes an instruction always, of this one an operand;
 * and it takes each of its own for much, and functions with several for too large to
 * be inline.
 */
#ifdef __SANITIZE_THREAD__
#define bufpool_peek(at)	__atomic_load_n(at, __ATOMIC_RELAXED)
#define bufpool_poke(at, value)	__atomic_store_n(at, value, __ATOMIC_RELAXED)
#else
#define bufpool_peek(at)				\
({							\
	__typeof__(at) peek_at = (at);			\
							\
	__asm__ volatile("" : "+m" (*peek_at));		\
	*peek_at;					\
})
#define bufpool_poke(at, value)				\
({							\
	*(at) = (value);				\
	__asm__ volatile("" : : : "memory");		\
})
#endif

static inline __u32 bufpool_stack_bottom(const struct bufpool_stack *stack)
{
	return bufpool_peek((__u32 *)&stack->bottom);
}

/* How many entries there are, for anybody; while a thief takes some, about so many. */
static inline unsigned int bufpool_stack_count(const struct bufpool_stack *stack)
{
	__s32 count = __atomic_load_n(&stack->top, __ATOMIC_RELAXED) -
		      bufpool_stack_bottom(stack);

	return count > 0 ? count : 0;
}

/* Where an entry is. (The compiler finds more to do where an index is computed.) */
static inline __u32 *bufpool_stack_at(struct bufpool_stack *stack, __u32 nr)
{
	size_t offset = nr % BUFPOOL_STACK_ENTRIES * sizeof(*stack->entries);

	return (__u32 *)((char *)stack->entries + offset);
}

/* There is room for it. @next is the stack's top + 1. */
static inline void bufpool_stack_push(struct bufpool_stack *stack, __u32 next,
				      __u32 entry)
{
	bufpool_poke(bufpool_stack_at(stack, next - 1), entry);
	__atomic_store_n(&stack->top, next, __ATOMIC_RELEASE);
}

/* Return: false where the stack is empty, or what was in it is being taken */
static inline bool bufpool_stack_pop(struct bufpool_stack *stack, __u32 *entry)
{
	__u32 top = stack->top - 1;

	bufpool_poke(&stack->top, top);
	if (unlikely((__s32)(top - bufpool_stack_bottom(stack)) < 0)) {
		__atomic_store_n(&stack->top, top + 1, __ATOMIC_RELAXED);
		return false;
	}
	*entry = __atomic_load_n(bufpool_stack_at(stack, top), __ATOMIC_RELAXED);
	return true;
}

#endif /* BUFPOOL_STACK_H */
