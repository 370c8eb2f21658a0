/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_PLACE_H
#define _BUFPOOL_PLACE_H

#include <linux/ktime.h>
#include <linux/types.h>
#include "client.h"

/* Whether a client has any. A hint without its lock. */
static inline bool bufpool_place_is_any(const struct bufpool_client *client)
{
	return READ_ONCE(client->nr_places);
}

bool bufpool_place_keep(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket, u64 passed,
			ktime_t deadline);
bool bufpool_place_take(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket, u64 *passed,
			ktime_t *deadline);
void bufpool_place_drop(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket);
void bufpool_place_drop_all(struct bufpool_client *client);

#endif /* _BUFPOOL_PLACE_H */
