/* SPDX-License-Identifier: MIT */
/*
 * Processes of other users.
 */
#ifndef TENANT_H
#define TENANT_H

#include "bufpool_test.h"

struct tenant {
	uid_t uid;
	__u32 capabilities;
	int (*body)(void);
};

static inline int live_as(void *arg)
{
	const struct tenant *tenant = arg;

	CHECK(become(tenant->uid, tenant->capabilities));
	return tenant->body();
}

static inline int as_user(uid_t uid, int (*body)(void))
{
	struct tenant tenant = {
		.uid = uid,
		.capabilities = ONLY_OPEN,
		.body = body,
	};

	return in_child(live_as, &tenant);
}

static inline int open_or_fail(void)
{
	int fd = pool_open();

	CHECK(fd >= 0);
	return fd;
}

#endif /* TENANT_H */
