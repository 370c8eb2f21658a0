/* SPDX-License-Identifier: MIT */
/*
 * Arrays that grow, and that a child of fork() frees
 *
 * The child may have been made at any time. So the old array lives until the new one
 * has its place, where realloc() would leave a pointer to what has been freed.
 */
#ifndef BUFPOOL_LONGER_H
#define BUFPOOL_LONGER_H

#include <stdlib.h>
#include <string.h>

/* A copy of @length bytes in @longer ones, all else zero; or NULL */
static inline void *bufpool_longer(const void *array, size_t length,
				   size_t longer)
{
	void *ret = calloc(1, longer);

	if (ret && length)
		memcpy(ret, array, length);
	return ret;
}

/* What the array was, once the longer one has its place */
static inline void bufpool_free_shorter(void *array)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	free(array);
}

#endif /* BUFPOOL_LONGER_H */
