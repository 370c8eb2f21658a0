/* SPDX-License-Identifier: MIT */
/*
 * Parcels, and calls with one that do not wait.
 */
#ifndef PARCEL_H
#define PARCEL_H

#include "library_test.h"

static inline struct bufpool_parcel parcel_of(void *block, size_t used, uint64_t tag)
{
	return (struct bufpool_parcel){
		.size = sizeof(struct bufpool_parcel),
		.block = block,
		.used = used,
		.tag = tag,
	};
}

static inline struct bufpool_parcel empty_parcel(void)
{
	return parcel_of(NULL, 0, 0);
}

/* What sending a block without waiting says, with so many bytes and this tag. */
static inline int send_now(struct bufpool *pool, int end, void *block, size_t used, uint64_t tag)
{
	struct bufpool_parcel parcel = parcel_of(block, used, tag);

	return bufpool_send(pool, end, &parcel, BUFPOOL_SEND_NONBLOCK);
}

/* What receiving without waiting says. */
static inline int receive_now(struct bufpool *pool, int end, struct bufpool_parcel *parcel)
{
	*parcel = empty_parcel();
	return bufpool_receive(pool, end, parcel, BUFPOOL_RECEIVE_NONBLOCK);
}

/* How many of these blocks are rented still, from the back on */
static inline unsigned int still_rented(struct bufpool *pool, void **blocks, unsigned int count)
{
	unsigned int n = 0;

	while (n < count && bufpool_block_size(pool, blocks[count - 1 - n]))
		n++;
	return n;
}

#endif /* PARCEL_H */
