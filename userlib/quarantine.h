/* SPDX-License-Identifier: MIT */
/*
 * The blocks that were returned last, which are not to be rented again yet
 *
 * They are the provider's, and others may have them. But of those that it has for this
 * pool, the ones that were returned last are given back, as long as there are others.
 */
#ifndef BUFPOOL_QUARANTINE_H
#define BUFPOOL_QUARANTINE_H

#include <pthread.h>

#include "class.h"
#include "handle.h"
#include "provider.h"

/* So many of a class, at most, and in so many bytes: all that is there is rented to choose */
#define BUFPOOL_QUARANTINE_LENGTH	64
#define BUFPOOL_QUARANTINE_BYTES	(256UL << 20)

/* Blocks by the upper half of their handles, the one that was returned first, first */
struct bufpool_quarantine_class {
	unsigned int room;		/* constant */
	unsigned int count;
	__u32 blocks[BUFPOOL_QUARANTINE_LENGTH];
};

struct bufpool_quarantine {
	pthread_mutex_t renting;	/* taken first; nobody waits for a block with it */
	pthread_mutex_t lock;		/* of what follows */
	struct bufpool_quarantine_class of[BUFPOOL_CLASSES_MAX]; /* by the provider's number */
};

void bufpool_quarantine_init(struct bufpool_quarantine *quarantine,
			     const struct bufpool_classes *classes);

/* A rental has ended. */
void bufpool_quarantine_add(struct bufpool_quarantine *quarantine, __u64 handle);

/* So many blocks can be rented at once. */
#define BUFPOOL_QUARANTINE_MANY_MAX	(BUFPOOL_MANY_MAX - BUFPOOL_QUARANTINE_LENGTH)

/* As provider->ops->rent_many(), of the provider's class @nr, and up to MANY_MAX */
int bufpool_quarantine_rent(struct bufpool_quarantine *quarantine,
			    struct bufpool_provider *provider, unsigned int nr,
			    size_t min_size, unsigned int flags, __s64 timeout_ns,
			    struct bufpool_block *blocks, unsigned int count);

#endif /* BUFPOOL_QUARANTINE_H */
