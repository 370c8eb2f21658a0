/* SPDX-License-Identifier: MIT */
/*
 * The addresses of blocks
 *
 * A window is one range of addresses. It has the same number of bytes, the
 * *reach*, for every class, and the beginning of the class's span is mapped there.
 * So pointer, offset and place follow from each other by arithmetic. Nothing
 * changes between init and destroy.
 */
#ifndef BUFPOOL_WINDOW_H
#define BUFPOOL_WINDOW_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "class.h"
#include "provider.h"

struct bufpool_window {
	char *base;
	unsigned int reach_shift;	/* log2 of bytes */
	const struct bufpool_classes *classes;
};

/*
 * Blocks are found by the *unit* that they begin at, counted from the class's first
 * block on: in whatever class, it follows from the address by a constant.
 */
#define BUFPOOL_UNIT_SHIFT	12	/* log2 of BUFPOOL_STACK_UNIT */

/* The block with this number in this class. */
struct bufpool_place {
	unsigned int class;
	size_t index;
};

/*
 * @reach_shift: log2 of the reach, which holds a block of the largest size
 *
 * 0 or -errno; -ENOMEM where a smaller reach may succeed.
 */
int bufpool_window_init(struct bufpool_window *window,
			const struct bufpool_classes *classes,
			unsigned int reach_shift,
			struct bufpool_provider *provider);
void bufpool_window_destroy(struct bufpool_window *window);

/* 0, -EINVAL (no block begins there) or -ENOMEM (not within reach) */
int bufpool_window_find_offset(const struct bufpool_window *window,
			       __u64 offset, struct bufpool_place *place);

__u64 bufpool_window_offset(const struct bufpool_window *window,
			    const struct bufpool_place *place);

/* The handle of one rental of a block */
__u64 bufpool_window_handle(const struct bufpool_window *window,
			    const struct bufpool_place *place, __u32 generation);

static inline size_t bufpool_window_reach(const struct bufpool_window *window)
{
	return (size_t)1 << window->reach_shift;
}

static inline const struct bufpool_class *
bufpool_window_class(const struct bufpool_window *window, unsigned int class)
{
	return &window->classes->of[class];
}

static inline size_t
bufpool_window_block_size(const struct bufpool_window *window, unsigned int class)
{
	return bufpool_window_class(window, class)->block_size;
}

/* The class of what may be a block, or one that does not exist. */
static inline uintptr_t bufpool_window_class_at(const struct bufpool_window *window,
						const void *block)
{
	return ((uintptr_t)block - (uintptr_t)window->base) >> window->reach_shift;
}

/* Of what is known to be a block */
static inline struct bufpool_place
bufpool_window_place(const struct bufpool_window *window, const void *block)
{
	uintptr_t distance = (uintptr_t)block - (uintptr_t)window->base;
	unsigned int class = bufpool_window_class_at(window, block);
	size_t inside = distance & (bufpool_window_reach(window) - 1);

	return (struct bufpool_place){
		class, inside >> bufpool_window_class(window, class)->shift
	};
}

/* 0, -EINVAL (NULL, or an inner pointer) or -ENOENT (not in the window) */
static inline int bufpool_window_find(const struct bufpool_window *window,
				      const void *block,
				      struct bufpool_place *place)
{
	uintptr_t distance = (uintptr_t)block - (uintptr_t)window->base;
	uintptr_t class = bufpool_window_class_at(window, block);

	if (class >= window->classes->count)
		return block ? -ENOENT : -EINVAL;
	*place = bufpool_window_place(window, block);
	return distance & (bufpool_window_block_size(window, class) - 1) ?
	       -EINVAL : 0;
}

static inline size_t bufpool_window_unit(const struct bufpool_window *window,
					 const struct bufpool_place *place)
{
	return place->index <<
	       (bufpool_window_class(window, place->class)->shift - BUFPOOL_UNIT_SHIFT);
}

static inline struct bufpool_place
bufpool_window_at_unit(const struct bufpool_window *window, unsigned int class,
		       size_t unit)
{
	return (struct bufpool_place){
		class, unit >> (bufpool_window_class(window, class)->shift -
				BUFPOOL_UNIT_SHIFT)
	};
}

static inline void *bufpool_window_address(const struct bufpool_window *window,
					   const struct bufpool_place *place)
{
	return window->base + ((size_t)place->class << window->reach_shift) +
	       (place->index << bufpool_window_class(window, place->class)->shift);
}

#endif /* BUFPOOL_WINDOW_H */
