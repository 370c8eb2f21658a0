// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "reserve.h"
#include "window.h"

/* One mapping for each class: none may cross from one span to the next. */
static int map_classes(struct bufpool_window *window,
		       struct bufpool_provider *provider)
{
	struct bufpool_place first = { 0 };
	int ret;

	for (; first.class < window->classes->count; first.class++) {
		ret = provider->ops->map(provider,
					 bufpool_window_address(window, &first),
					 bufpool_window_reach(window),
					 bufpool_window_offset(window, &first));
		if (ret)
			/* EAGAIN: more than RLIMIT_MEMLOCK, under mlockall() */
			return ret == -EAGAIN ? -ENOMEM : ret;
	}
	return 0;
}

int bufpool_window_init(struct bufpool_window *window,
			const struct bufpool_classes *classes,
			unsigned int reach_shift,
			struct bufpool_provider *provider)
{
	size_t length;
	void *base;
	int ret;

	window->reach_shift = reach_shift;
	window->classes = classes;

	if (__builtin_mul_overflow(bufpool_window_reach(window), classes->count,
				   &length))
		return -ENOMEM;
	ret = bufpool_reserve(length, bufpool_classes_largest(classes)->block_size,
			      &base);
	if (ret)
		return ret;
	window->base = base;

	ret = map_classes(window, provider);
	if (ret)
		goto unreserve;
	return 0;

unreserve:
	bufpool_window_destroy(window);
	return ret;
}

void bufpool_window_destroy(struct bufpool_window *window)
{
	munmap(window->base, bufpool_window_reach(window) * window->classes->count);
}

int bufpool_window_find_offset(const struct bufpool_window *window,
			       __u64 offset, struct bufpool_place *place)
{
	unsigned int nr = bufpool_classes_at(window->classes, offset);
	const struct bufpool_class *class = bufpool_window_class(window, nr);

	if (nr == window->classes->count ||
	    (offset - class->offset) & (class->block_size - 1))
		return -EINVAL;
	if (offset - class->offset >= bufpool_window_reach(window))
		return -ENOMEM;
	place->class = nr;
	place->index = (offset - class->offset) >> class->shift;
	return 0;
}

__u64 bufpool_window_offset(const struct bufpool_window *window,
			    const struct bufpool_place *place)
{
	const struct bufpool_class *class = bufpool_window_class(window, place->class);

	return class->offset + ((__u64)place->index << class->shift);
}

__u64 bufpool_window_handle(const struct bufpool_window *window,
			    const struct bufpool_place *place, __u32 generation)
{
	return bufpool_handle_make(bufpool_window_class(window, place->class)->nr,
				   place->index, generation);
}
