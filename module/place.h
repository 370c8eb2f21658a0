/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_PLACE_H
#define _BUFPOOL_PLACE_H

#include <linux/ktime.h>
#include <linux/types.h>

struct bufpool_class;
struct bufpool_client;

bool bufpool_place_keep(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket,
			ktime_t deadline);
bool bufpool_place_take(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket,
			ktime_t *deadline);
void bufpool_place_drop_all(struct bufpool_client *client);

#endif /* _BUFPOOL_PLACE_H */
