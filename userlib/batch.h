/* SPDX-License-Identifier: MIT */
/*
 * Blocks that leave a pool together, by one call of the provider
 *
 * They are added, claimed, so that no other thread ends their rentals as well, and ended
 * before the provider is asked, which may have another thread rent them at once. What the
 * provider did not take is held again then, as it was.
 */
#ifndef BUFPOOL_BATCH_H
#define BUFPOOL_BATCH_H

#include "pool.h"

/* Its fields up to @count have a meaning; begins with a count of 0. */
struct bufpool_batch {
	unsigned int count;
	__u64 handles[BUFPOOL_MANY_MAX];
	struct bufpool_rental *rentals[BUFPOOL_MANY_MAX];
	__u32 states[BUFPOOL_MANY_MAX];
	struct bufpool_place places[BUFPOOL_MANY_MAX];
};

/* 0, or -errno, as every function has it that takes a block */
int bufpool_batch_add(struct bufpool *pool, struct bufpool_batch *batch, const void *block);

/*
 * Only this thread ends them; from the first that another is just ending on, they are left
 * out. @cache is the thread's, or NULL. 0, or -ESTALE: that is the first
 */
int bufpool_batch_claim(struct bufpool *pool, const struct bufpool_cache *cache,
			struct bufpool_batch *batch);

/* Their rentals are over. */
void bufpool_batch_end(struct bufpool *pool, struct bufpool_batch *batch);

/* The provider said @ret, -errno or how many it took. Return: how many of them stay ended */
unsigned int bufpool_batch_settle(struct bufpool *pool, struct bufpool_batch *batch, int ret);

#endif /* BUFPOOL_BATCH_H */
