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

#include <stddef.h>
#include <stdint.h>

#include "provider.h"

struct bufpool_window {
	char *base;
	size_t reach;
	size_t page_size;
	__u64 span;
	unsigned int nr_classes;
};

/* The block with this number in this class. */
struct bufpool_place {
	unsigned int class;
	size_t index;
};

/*
 * @reach: a multiple of the size of the largest block
 *
 * 0 or -errno; -ENOMEM where a smaller reach may succeed.
 */
int bufpool_window_init(struct bufpool_window *window,
			const struct bufpool_info *info, size_t reach,
			struct bufpool_provider *provider);
void bufpool_window_destroy(struct bufpool_window *window);

/* 0, -EINVAL (NULL, or an inner pointer) or -ENOENT (not in the window) */
int bufpool_window_find(const struct bufpool_window *window, const void *block,
			struct bufpool_place *place);

/* 0, -EINVAL (no block begins there) or -ENOMEM (not within reach) */
int bufpool_window_find_offset(const struct bufpool_window *window,
			       __u64 offset, struct bufpool_place *place);

void *bufpool_window_address(const struct bufpool_window *window,
			     const struct bufpool_place *place);
__u64 bufpool_window_offset(const struct bufpool_window *window,
			    const struct bufpool_place *place);
size_t bufpool_window_block_size(const struct bufpool_window *window,
				 unsigned int class);

#endif /* BUFPOOL_WINDOW_H */
