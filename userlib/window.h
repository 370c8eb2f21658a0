/* SPDX-License-Identifier: MIT */
/*
 * The addresses of blocks
 *
 * A window has a range of addresses for every class, its *reach*, where the beginning of
 * the class's span is mapped. So pointer, offset and place follow from each other by
 * arithmetic. The classes of slabs follow each other, with a reach of the same number of
 * bytes. Those of pages are for few programs, and large: each is *opened*, which gives it
 * addresses of its own, when there is the first block of it.
 *
 * At first only as much of each class is mapped as the limit allows blocks, and the other
 * addresses are anybody's; where a block lies beyond, more is mapped, if nothing else has
 * come to be there. Nothing but that changes between init and destroy.
 *
 * A block is aligned to its size, in addresses as in offsets: so the kernel can map what is
 * in large pages by entries as large.
 */
#ifndef BUFPOOL_WINDOW_H
#define BUFPOOL_WINDOW_H

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "class.h"
#include "provider.h"

struct bufpool_window {
	char *base;			/* of the classes of slabs */
	unsigned int reach_shift;	/* log2 of bytes, for each of those */
	size_t first;			/* bytes of a class to map at first, but whole blocks */
	const struct bufpool_classes *classes;
	struct bufpool_provider *provider;
	pthread_mutex_t lock;		/* of opening and growing */
	/* of each class; those of one that is not open yet have no meaning */
	char *begins[BUFPOOL_CLASSES_MAX];
	size_t reach[BUFPOOL_CLASSES_MAX]; /* bytes */
	size_t mapped[BUFPOOL_CLASSES_MAX]; /* bytes; atomic, grow; 0: it is not open */
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
 * @reach_shift: log2 of the reach, which holds a block of slabs of the largest size
 * @first: bytes of each class to map at first: a multiple of that, up to the reach
 *
 * 0 or -errno; -ENOMEM where a smaller reach may succeed.
 */
int bufpool_window_init(struct bufpool_window *window,
			const struct bufpool_classes *classes,
			unsigned int reach_shift, size_t first,
			struct bufpool_provider *provider);
void bufpool_window_destroy(struct bufpool_window *window);

/* Have so many bytes of a class mapped, which is opened for that; or -ENOMEM */
int bufpool_window_grow(struct bufpool_window *window, unsigned int class, size_t length);

/* 0, and the block is mapped; -EINVAL (no block begins there) or -ENOMEM (it cannot be) */
int bufpool_window_find_offset(struct bufpool_window *window, __u64 offset,
			       struct bufpool_place *place);

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

/* Bytes of a class; none where it is not open. What is known of it then stays. */
static inline size_t bufpool_window_mapped(const struct bufpool_window *window,
					   unsigned int class)
{
	return __atomic_load_n(&window->mapped[class], __ATOMIC_ACQUIRE);
}

/* The class of pages that an address is in, or @none */
unsigned int bufpool_window_pages_at(const struct bufpool_window *window, const void *block,
				     unsigned int none);

/*
 * The class of slabs that has an address in its reach; or none of those. Where that class
 * could grow there may be one of pages.
 */
static inline uintptr_t bufpool_window_slab_at(const struct bufpool_window *window,
					       const void *block)
{
	return ((uintptr_t)block - (uintptr_t)window->base) >> window->reach_shift;
}

/* The class of what may be a block, or one that does not exist */
static inline uintptr_t bufpool_window_class_at(const struct bufpool_window *window,
						const void *block)
{
	uintptr_t class = bufpool_window_slab_at(window, block);

	if (class >= window->classes->nr_slab)
		return bufpool_window_pages_at(window, block, window->classes->count);
	return ((uintptr_t)block - (uintptr_t)window->begins[class] <
		      bufpool_window_mapped(window, class)) ?
	       class : bufpool_window_pages_at(window, block, class);
}

/* Where an address is that is in this class */
static inline struct bufpool_place
bufpool_window_place_in(const struct bufpool_window *window, unsigned int class,
			const void *inside)
{
	uintptr_t distance = (uintptr_t)inside - (uintptr_t)window->begins[class];

	return (struct bufpool_place){
		class, distance >> bufpool_window_class(window, class)->shift
	};
}

/* Of what is known to be a block */
static inline struct bufpool_place
bufpool_window_place(const struct bufpool_window *window, const void *block)
{
	return bufpool_window_place_in(window, bufpool_window_class_at(window, block), block);
}

/* 0, and in what may be a block it is; -EINVAL (NULL) or -ENOENT (not in the window) */
static inline int bufpool_window_find_inside(const struct bufpool_window *window,
					     const void *inside,
					     struct bufpool_place *place)
{
	uintptr_t class = bufpool_window_class_at(window, inside);

	if (class >= window->classes->count)
		return inside ? -ENOENT : -EINVAL;
	*place = bufpool_window_place_in(window, class, inside);
	return 0;
}

/* The same of a block's first byte; -EINVAL for an inner pointer too */
static inline int bufpool_window_find(const struct bufpool_window *window,
				      const void *block,
				      struct bufpool_place *place)
{
	int ret = bufpool_window_find_inside(window, block, place);

	if (ret)
		return ret;
	return (uintptr_t)block & (bufpool_window_block_size(window, place->class) - 1) ?
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
	return window->begins[place->class] +
	       (place->index << bufpool_window_class(window, place->class)->shift);
}

#endif /* BUFPOOL_WINDOW_H */
