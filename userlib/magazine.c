// SPDX-License-Identifier: MIT
#include "magazine.h"

static unsigned int half_of(const struct bufpool_class *class)
{
	size_t half;

	if (!class->is_pooled)
		return 0;
	half = BUFPOOL_HALF_BYTES / class->block_size;
	if (half < BUFPOOL_HALF_MIN)
		return BUFPOOL_HALF_MIN;
	return half < BUFPOOL_HALF_MAX ? half : BUFPOOL_HALF_MAX;
}

void bufpool_magazine_init(struct bufpool_magazine *magazine,
			   const struct bufpool_rentals *rentals,
			   unsigned int class, unsigned int halves,
			   struct bufpool_stack *empty)
{
	const struct bufpool_class *of = bufpool_window_class(rentals->window, class);

	magazine->size = of->block_size;
	magazine->limit = 1;
	magazine->stack = empty;
	magazine->shift = of->shift;
	magazine->half = half_of(of);
	magazine->room = halves * magazine->half;
	magazine->want = magazine->half < BUFPOOL_WANT_FIRST ?
			 magazine->half : BUFPOOL_WANT_FIRST;
}

void bufpool_magazine_open(struct bufpool_magazine *magazine,
			   const struct bufpool_rentals *rentals, unsigned int class,
			   struct bufpool_stack *stack)
{
	__u32 unit;

	magazine->rentals = bufpool_rentals_first(rentals, class);
	magazine->first = (uintptr_t)rentals->window->begins[class];
	/* What an owner before has left there is nobody's. */
	while (bufpool_stack_pop(stack, &unit))
		;
	magazine->limit = stack->top + 1;
	__atomic_store_n(&magazine->stack, stack, __ATOMIC_RELEASE);
}

bool bufpool_magazine_push(struct bufpool_magazine *magazine, __u32 unit)
{
	struct bufpool_stack *stack = magazine->stack;
	/* Thieves may have made room since this was looked at last. */
	unsigned int count = bufpool_stack_count(stack);

	if (count >= magazine->room)
		return false;
	magazine->limit = stack->top + 1 + magazine->room - count;
	bufpool_stack_push(stack, stack->top + 1, unit);
	return true;
}
