// SPDX-License-Identifier: MIT
/* Two functions that do nothing, in a shared library: what calling costs. */
#include "nothing.h"

static char memory[NOTHING_SIZE];

void *nothing_get(void *pool, size_t size, unsigned int flags)
{
	(void)pool;
	(void)size;
	(void)flags;
	return memory;
}

int nothing_put(void *pool, void *block, unsigned int flags)
{
	(void)pool;
	(void)block;
	(void)flags;
	return 0;
}
