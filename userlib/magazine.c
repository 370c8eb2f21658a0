// SPDX-License-Identifier: MIT
#include "magazine.h"

unsigned int bufpool_magazine_half(const struct bufpool_class *class)
{
	if (!class->is_pooled)
		return 0;
	if (class->block_size > BUFPOOL_HALF_BYTES)
		return 1;
	if (class->block_size < BUFPOOL_HALF_BYTES / BUFPOOL_HALF_MAX)
		return BUFPOOL_HALF_MAX;
	return BUFPOOL_HALF_BYTES / class->block_size;
}

/* The smallest size that the class before it cannot serve */
static size_t smallest(const struct bufpool_window *window, unsigned int class)
{
	return class ? bufpool_window_block_size(window, class - 1) + 1 : 1;
}

void bufpool_magazine_init(struct bufpool_magazine *magazine,
			   const struct bufpool_rentals *rentals,
			   unsigned int class, void **blocks)
{
	const struct bufpool_window *window = rentals->window;
	const struct bufpool_class *of = bufpool_window_class(window, class);
	struct bufpool_place first = { .class = class };

	magazine->half = bufpool_magazine_half(of);
	magazine->smallest = smallest(window, class);
	magazine->bottom = blocks;
	bufpool_magazine_clear(magazine);
	magazine->limit = blocks + 2 * magazine->half;
	magazine->first = (uintptr_t)bufpool_window_address(window, &first);
	magazine->rentals = rentals->spans[class].rentals;
	magazine->shift = of->shift;
}

void bufpool_magazine_open(struct bufpool_magazine *magazine)
{
	size_t block_size = (size_t)1 << magazine->shift;

	if (magazine->half)
		__atomic_store_n(&magazine->sizes,
				 block_size - magazine->smallest + 1,
				 __ATOMIC_RELEASE);
}
