/* SPDX-License-Identifier: MIT */
/*
 * The memory of a private pool: one memfd with a span of offsets for each
 * class, and which blocks of it can be reached
 *
 * A block that was never shown is *hidden*: a touch raises SIGSEGV, and it takes
 * no memory. Hidden and shown blocks that alternate cost a mapping of the kernel
 * each (vm.max_map_count), so a block may have to stay shown.
 *
 * Nothing here locks.
 */
#ifndef BUFPOOL_MEMORY_H
#define BUFPOOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "file.h"
#include "handle.h"
#include "indexset.h"
#include "window.h"

/* Where one class is in this process. */
struct bufpool_area {
	size_t block_size;
	char *address;
	size_t length;			/* bytes mapped, from the span's beginning */
	struct bufpool_indexset shown;
};

struct bufpool_memory {
	struct bufpool_file file;
	unsigned int nr_classes;
	__u64 span;			/* bytes of offsets for each class */
	size_t islands;			/* runs of shown blocks among hidden ones */
	struct bufpool_window *window;	/* maps more where a block lies beyond */
	struct bufpool_area areas[BUFPOOL_CLASSES_MAX];
};

/* Blocks that follow each other. */
struct bufpool_run {
	unsigned int class;
	size_t first;
	size_t count;
};

/*
 * With nr_classes, span and the areas' block sizes set, and all else zero. 0 or
 * -errno
 */
int bufpool_memory_init(struct bufpool_memory *memory);

/* In a child of fork() too: the mappings are not in it, and left alone. */
void bufpool_memory_destroy(struct bufpool_memory *memory);

/* What is at @offset on is at @address from now on, behind what is mapped. 0 or -errno */
int bufpool_memory_map(struct bufpool_memory *memory, void *address,
		       size_t length, __u64 offset);

/* Where a class begins, in the memfd and for mmap */
static inline __u64 bufpool_memory_offset(const struct bufpool_memory *memory,
					  unsigned int class)
{
	return class * memory->span;
}

void *bufpool_memory_address(const struct bufpool_memory *memory,
			     unsigned int class, size_t index);
bool bufpool_memory_is_shown(const struct bufpool_memory *memory,
			     unsigned int class, size_t index);

/*
 * Make a hidden block accessible: what is in it is zero. 0 or -ENOMEM, where it
 * is out of reach too.
 */
int bufpool_memory_show(struct bufpool_memory *memory, unsigned int class,
			size_t index);

/*
 * Give the memory of shown blocks back to the system, and hide them. Without @must
 * they stay shown where hiding them would split mappings too often, with it
 * where that fails; what is in them is zero then until the program touches them.
 */
void bufpool_memory_discard(struct bufpool_memory *memory,
			    const struct bufpool_run *run, bool must);

#endif /* BUFPOOL_MEMORY_H */
