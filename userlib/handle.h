/* SPDX-License-Identifier: MIT */
/*
 * Handles, as <linux/bufpool.h> lays them out: the number of the class, the number
 * of the block in its class, and the generation, which names one rental of it
 */
#ifndef BUFPOOL_HANDLE_H
#define BUFPOOL_HANDLE_H

#include <stddef.h>

#include <linux/types.h>

#define BUFPOOL_HANDLE_INDEX_BITS	27
#define BUFPOOL_HANDLE_GENERATION_BITS	32

/* As many as a handle can name */
#define BUFPOOL_CLASSES_MAX	32

static inline __u64 bufpool_handle_make(unsigned int class_nr, size_t index,
					__u32 generation)
{
	__u64 block = (__u64)class_nr << BUFPOOL_HANDLE_INDEX_BITS | index;

	return block << BUFPOOL_HANDLE_GENERATION_BITS | generation;
}

static inline unsigned int bufpool_handle_class(__u64 handle)
{
	return handle >> (BUFPOOL_HANDLE_GENERATION_BITS + BUFPOOL_HANDLE_INDEX_BITS);
}

static inline size_t bufpool_handle_index(__u64 handle)
{
	return handle >> BUFPOOL_HANDLE_GENERATION_BITS &
	       ((1UL << BUFPOOL_HANDLE_INDEX_BITS) - 1);
}

static inline __u32 bufpool_handle_generation(__u64 handle)
{
	return handle;
}

#endif /* BUFPOOL_HANDLE_H */
