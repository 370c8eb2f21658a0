/* SPDX-License-Identifier: MIT */
/*
 * A client that has all blocks for I/O that there are, each full of a byte of its own, and
 * sees whether anybody else writes there.
 */
#ifndef BYSTANDER_H
#define BYSTANDER_H

#include "outside.h"

#define BYSTANDER_MAX	64
#define BYSTANDER_BYTE	0xb0

struct bystander {
	int fd;
	int count;
	struct bufpool_rent blocks[BYSTANDER_MAX];
	char *at[BYSTANDER_MAX];
};

/* Take what there is of one size; false if a block was not zero, or the fault failed. */
static inline bool bystander_takes_all(struct bystander *other, __u64 size)
{
	while (other->count < BYSTANDER_MAX) {
		struct bufpool_rent *block = &other->blocks[other->count];
		char *at = rent_io_mapped(other->fd, size, block);

		if (!at)
			return true;
		if (!filled(at, 0, block->length))
			return false;
		memset(at, BYSTANDER_BYTE, block->length);
		other->at[other->count++] = at;
	}
	return true;
}

/* Whether all is as the bystander left it. */
static inline bool bystander_is_unhurt(const struct bystander *other)
{
	int i;

	for (i = 0; i < other->count; i++) {
		if (!filled(other->at[i], BYSTANDER_BYTE, other->blocks[i].length))
			return false;
	}
	return true;
}

static inline void bystander_ends(struct bystander *other)
{
	while (other->count--)
		munmap(other->at[other->count], other->blocks[other->count].length);
	close(other->fd);
}

#endif /* BYSTANDER_H */
