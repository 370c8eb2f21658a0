// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "reserve.h"
#include "window.h"

/* log2 of how many blocks of a class of pages there are addresses for, if possible */
#define FEW_SHIFT	2

/* Map what follows of a class, where address space is reserved. 0 or -errno */
static int map_more(struct bufpool_window *window, unsigned int class, size_t length)
{
	struct bufpool_provider *provider = window->provider;
	size_t mapped = window->mapped[class];
	int ret;

	ret = provider->ops->map(provider, window->begins[class] + mapped,
				 length - mapped,
				 bufpool_window_class(window, class)->offset + mapped);
	/* EAGAIN: more than RLIMIT_MEMLOCK, under mlockall() */
	if (ret)
		return ret == -EAGAIN ? -ENOMEM : ret;
	__atomic_store_n(&window->mapped[class], length, __ATOMIC_RELEASE);
	return 0;
}

/* One mapping for each class: none may cross from one span to the next. */
static int map_slabs(struct bufpool_window *window)
{
	size_t reach = bufpool_window_reach(window);
	unsigned int class;
	int ret = 0;

	for (class = 0; class < window->classes->nr_slab && !ret; class++) {
		window->begins[class] = window->base + class * reach;
		window->reach[class] = reach;
		ret = map_more(window, class, window->first);
	}
	return ret;
}

/* Let the program have the addresses that nothing is mapped at. */
static void release_rest(struct bufpool_window *window, unsigned int class)
{
	size_t mapped = window->mapped[class];

	if (mapped < window->reach[class])
		munmap(window->begins[class] + mapped, window->reach[class] - mapped);
}

int bufpool_window_init(struct bufpool_window *window,
			const struct bufpool_classes *classes,
			unsigned int reach_shift, size_t first,
			struct bufpool_provider *provider)
{
	unsigned int class;
	size_t length;
	void *base;
	int ret;

	*window = (struct bufpool_window){
		.reach_shift = reach_shift,
		.first = first,
		.classes = classes,
		.provider = provider,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	if (__builtin_mul_overflow(bufpool_window_reach(window), classes->nr_slab,
				   &length))
		return -ENOMEM;
	ret = bufpool_reserve(length, classes->sizes[BUFPOOL_BACKING_SLAB].largest, &base);
	if (ret)
		return ret;
	window->base = base;
	provider->window = window;

	ret = map_slabs(window);
	if (ret) {
		munmap(base, length);
		return ret;
	}
	for (class = 0; class < classes->nr_slab; class++)
		release_rest(window, class);
	return 0;
}

void bufpool_window_destroy(struct bufpool_window *window)
{
	unsigned int class;

	for (class = 0; class < window->classes->count; class++)
		if (window->mapped[class])
			munmap(window->begins[class], window->mapped[class]);
}

unsigned int bufpool_window_pages_at(const struct bufpool_window *window, const void *block,
				     unsigned int none)
{
	const struct bufpool_classes *classes = window->classes;
	unsigned int class;
	size_t mapped;

	for (class = classes->nr_slab; class < classes->count; class++) {
		mapped = bufpool_window_mapped(window, class);
		if (mapped && (uintptr_t)block - (uintptr_t)window->begins[class] < mapped)
			return class;
	}
	return none;
}

/* The smallest multiple of a power of two, @unit, of at least @length bytes */
static size_t round_up(size_t length, size_t unit)
{
	return (length + unit - 1) & ~(unit - 1);
}

static int open_within(struct bufpool_window *window, unsigned int class, size_t reach)
{
	size_t block_size = bufpool_window_block_size(window, class);
	size_t first = round_up(window->first, block_size);
	void *begin;
	int ret;

	ret = bufpool_reserve(reach, block_size, &begin);
	if (ret)
		return ret;
	window->begins[class] = begin;
	window->reach[class] = reach;
	ret = map_more(window, class, first < reach ? first : reach);
	if (ret)
		munmap(begin, reach);
	else
		release_rest(window, class);
	return ret;
}

/*
 * As much as each class of slabs has, and a few blocks; or less, where there are no
 * addresses for that, but @length bytes: that decides for as long as the pool is open.
 */
static int open_locked(struct bufpool_window *window, unsigned int nr, size_t length)
{
	const struct bufpool_class *class = bufpool_window_class(window, nr);
	unsigned int shift = class->shift + FEW_SHIFT;
	int ret;

	if (shift < window->reach_shift)
		shift = window->reach_shift;
	while (1ULL << shift > class->span)
		shift--;
	do
		ret = open_within(window, nr, (size_t)1 << shift);
	while (ret == -ENOMEM && shift-- > class->shift && 1ULL << shift >= length);
	return ret ? -ENOMEM : 0;
}

static int reserve_and_map(struct bufpool_window *window, unsigned int class, size_t length)
{
	char *end = window->begins[class] + window->mapped[class];
	size_t more = length - window->mapped[class];

	if (bufpool_reserve_at(end, more))
		return -ENOMEM;
	if (!map_more(window, class, length))
		return 0;
	munmap(end, more);
	return -ENOMEM;
}

/* Twice as much as there is, so that this is rare; or what is needed. */
static int grow_locked(struct bufpool_window *window, unsigned int class, size_t length)
{
	size_t largest = window->classes->sizes[BUFPOOL_BACKING_SLAB].largest;
	size_t block_size = bufpool_window_block_size(window, class);
	size_t twice = 2 * window->mapped[class], reach = window->reach[class];

	if (length <= window->mapped[class])
		return 0;
	if (length > reach)
		return -ENOMEM;
	length = round_up(length, largest > block_size ? largest : block_size);
	if (length > reach)
		length = reach;
	if (twice > reach)
		twice = reach;
	if (length < twice && !reserve_and_map(window, class, twice))
		return 0;
	return reserve_and_map(window, class, length);
}

int bufpool_window_grow(struct bufpool_window *window, unsigned int class, size_t length)
{
	int ret = 0;

	if (length <= bufpool_window_mapped(window, class))
		return 0;
	pthread_mutex_lock(&window->lock);
	if (!window->mapped[class])
		ret = open_locked(window, class, length);
	if (!ret)
		ret = grow_locked(window, class, length);
	pthread_mutex_unlock(&window->lock);
	return ret;
}

int bufpool_window_find_offset(struct bufpool_window *window, __u64 offset,
			       struct bufpool_place *place)
{
	unsigned int nr = bufpool_classes_at(window->classes, offset);
	const struct bufpool_class *class = bufpool_window_class(window, nr);

	if (nr == window->classes->count ||
	    (offset - class->offset) & (class->block_size - 1))
		return -EINVAL;
	if (offset - class->offset >= SIZE_MAX - class->block_size)
		return -ENOMEM;
	place->class = nr;
	place->index = (offset - class->offset) >> class->shift;
	return bufpool_window_grow(window, nr, offset - class->offset + class->block_size);
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
