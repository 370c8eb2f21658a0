// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/mman.h>

#include "reserve.h"
#include "window.h"

/* One mapping for each class: none may cross from one span to the next. */
static int map_classes(struct bufpool_window *window,
		       struct bufpool_provider *provider)
{
	unsigned int class;
	int ret;

	for (class = 0; class < window->nr_classes; class++) {
		ret = provider->ops->map(provider,
					 window->base + class * window->reach,
					 window->reach, class * window->span);
		if (ret)
			/* EAGAIN: more than RLIMIT_MEMLOCK, under mlockall() */
			return ret == -EAGAIN ? -ENOMEM : ret;
	}
	return 0;
}

int bufpool_window_init(struct bufpool_window *window,
			const struct bufpool_info *info, size_t reach,
			struct bufpool_provider *provider)
{
	size_t length;
	void *base;
	int ret;

	window->reach = reach;
	window->page_size = info->page_size;
	window->span = info->span;
	window->nr_classes = info->nr_classes;

	if (__builtin_mul_overflow(reach, window->nr_classes, &length))
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
	munmap(window->base, window->reach * window->nr_classes);
}

int bufpool_window_find(const struct bufpool_window *window, const void *block,
			struct bufpool_place *place)
{
	uintptr_t distance = (uintptr_t)block - (uintptr_t)window->base;
	size_t inside, block_size;
	uintptr_t class;

	if (!block)
		return -EINVAL;
	class = distance / window->reach;
	if (class >= window->nr_classes)
		return -ENOENT;
	inside = distance % window->reach;
	block_size = bufpool_window_block_size(window, class);
	if (inside % block_size)
		return -EINVAL;
	place->class = class;
	place->index = inside / block_size;
	return 0;
}

int bufpool_window_find_offset(const struct bufpool_window *window,
			       __u64 offset, struct bufpool_place *place)
{
	__u64 class = offset / window->span;
	__u64 inside = offset % window->span;
	size_t block_size;

	if (class >= window->nr_classes)
		return -EINVAL;
	block_size = bufpool_window_block_size(window, class);
	if (inside % block_size)
		return -EINVAL;
	if (inside >= window->reach)
		return -ENOMEM;
	place->class = class;
	place->index = inside / block_size;
	return 0;
}

void *bufpool_window_address(const struct bufpool_window *window,
			     const struct bufpool_place *place)
{
	return window->base + place->class * window->reach +
	       place->index * bufpool_window_block_size(window, place->class);
}

__u64 bufpool_window_offset(const struct bufpool_window *window,
			    const struct bufpool_place *place)
{
	return place->class * window->span +
	       place->index * bufpool_window_block_size(window, place->class);
}

size_t bufpool_window_block_size(const struct bufpool_window *window,
				 unsigned int class)
{
	return window->page_size << class;
}
