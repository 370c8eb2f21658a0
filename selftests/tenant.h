/* SPDX-License-Identifier: MIT */
/*
 * Processes of other users.
 */
#ifndef TENANT_H
#define TENANT_H

#include "bufpool_test.h"

#include <linux/securebits.h>

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

static inline bool set_effective(__u32 capabilities)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	data[0].effective = data[0].permitted & capabilities;
	return !syscall(SYS_capset, &header, data);
}

/* A client that is charged to this user, and exempt from no bound */
static inline int open_for(uid_t uid)
{
	int fd;

	CHECK(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	CHECK(!setresuid(-1, uid, -1) && set_effective(ONLY_OPEN));
	fd = open_or_fail();
	CHECK(set_effective(~0U) && !setresuid(-1, 0, -1));
	return fd;
}

#endif /* TENANT_H */
