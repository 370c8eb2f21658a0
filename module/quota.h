/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_QUOTA_H
#define _BUFPOOL_QUOTA_H

#include <linux/uidgid.h>
#include <uapi/linux/bufpool.h>

struct bufpool_account;
struct bufpool_pool;

unsigned long bufpool_quota_of_user(struct bufpool_pool *pool, kuid_t uid);
unsigned long bufpool_quota_of_account(const struct bufpool_account *account);
int bufpool_quota_set(struct bufpool_pool *pool, kuid_t uid, u64 bytes);
void bufpool_quota_show(struct bufpool_pool *pool, kuid_t uid,
			struct bufpool_quota *quota);

#endif /* _BUFPOOL_QUOTA_H */
