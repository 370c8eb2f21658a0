/* SPDX-License-Identifier: MIT */
/*
 * One client, for what is not the same for every ioctl.
 */
#ifndef ABI_H
#define ABI_H

#include "bufpool_test.h"

FIXTURE(client)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_rent rent;
	struct bufpool_stats before;
};

FIXTURE_SETUP(client)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(client)
{
	close(self->fd);
}

#endif /* ABI_H */
