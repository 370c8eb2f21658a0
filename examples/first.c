// SPDX-License-Identifier: MIT
/* The first use of libbufpool: rent a block, use it, return it. */
#include <bufpool.h>
#include <stdio.h>

int main(void)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	char *block = pool ? bufpool_rent(pool, 100, 0) : NULL;

	if (!block) {
		perror("first");
		return 1;
	}
	snprintf(block, 100, "This is in a block of %zu bytes.",
		 bufpool_block_size(pool, block));
	puts(block);
	bufpool_return(pool, block, 0);
	return bufpool_close(pool) ? 1 : 0;
}
