/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_RENTAL_H
#define _BUFPOOL_RENTAL_H

#include "rent.h"
#include "warm.h"

/* Whether a client seems to have so many warm blocks. */
static inline bool bufpool_rental_has_warm(const struct bufpool_client *client,
					   const struct bufpool_class *class,
					   unsigned int count)
{
	const struct bufpool_warm *warm = READ_ONCE(client->warm[class->nr]);

	/* others move both ends: what is wrong costs, or saves, a look at the reply */
	return warm && data_race(bufpool_warm_nr(warm)) >= count;
}

bool bufpool_rental_evict_for_ceiling(struct bufpool_request *request);
int bufpool_rental_rent(struct bufpool_client *client,
			struct bufpool_request *request,
			struct bufpool_blk **blks);
void bufpool_rental_publish(struct bufpool_client *client,
			    struct bufpool_blk **blks,
			    const struct bufpool_tally *tally);
void bufpool_rental_abort(struct bufpool_client *client,
			  struct bufpool_blk **blks, unsigned int nr);
bool bufpool_rental_rent_fast(struct bufpool_client *client,
			      struct bufpool_class *class,
			      struct bufpool_block *report);
bool bufpool_rental_return_fast(struct bufpool_client *client, u64 handle);
void bufpool_rental_undo_fast(struct bufpool_client *client, u64 handle);
int bufpool_rental_return(struct bufpool_client *client, const u64 *handles,
			  unsigned int count, u32 flags);
int bufpool_rental_set_ceiling(struct bufpool_client *client, u64 ceiling);
void bufpool_rental_end_all(struct bufpool_client *client);

#endif /* _BUFPOOL_RENTAL_H */
