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

	for (; first.class < window->nr_classes; first.class++) {
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
			const struct bufpool_info *info, unsigned int reach_shift,
			struct bufpool_provider *provider)
{
	size_t length;
	void *base;
	int ret;

	window->reach_shift = reach_shift;
	window->page_shift = __builtin_ctz(info->page_size);
	window->span = info->span;
	window->nr_classes = info->nr_classes;

	if (__builtin_mul_overflow(bufpool_window_reach(window),
				   window->nr_classes, &length))
		return -ENOMEM;
	ret = bufpool_reserve(length,
			      bufpool_window_block_size(window, window->nr_classes - 1),
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
	munmap(window->base, bufpool_window_reach(window) * window->nr_classes);
}

int bufpool_window_find_offset(const struct bufpool_window *window,
			       __u64 offset, struct bufpool_place *place)
{
	__u64 class = offset / window->span;
	__u64 inside = offset % window->span;

	if (class >= window->nr_classes)
		return -EINVAL;
	if (inside & (bufpool_window_block_size(window, class) - 1))
		return -EINVAL;
	if (inside >= bufpool_window_reach(window))
		return -ENOMEM;
	place->class = class;
	place->index = inside >> (window->page_shift + class);
	return 0;
}

__u64 bufpool_window_offset(const struct bufpool_window *window,
			    const struct bufpool_place *place)
{
	return place->class * window->span +
	       ((__u64)place->index << (window->page_shift + place->class));
}
