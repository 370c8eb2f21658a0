/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_EXPORT_H
#define _BUFPOOL_EXPORT_H

#include <linux/errno.h>
#include <linux/types.h>

struct bufpool_client;

#ifdef CONFIG_DMA_SHARED_BUFFER
int bufpool_export(struct bufpool_client *client, u64 handle);
#else
static inline int bufpool_export(struct bufpool_client *client, u64 handle)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* _BUFPOOL_EXPORT_H */
