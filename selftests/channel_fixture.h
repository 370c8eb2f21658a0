/* SPDX-License-Identifier: MIT */
/*
 * What tests of channels begin with: a client that sends and another that receives, a
 * channel between them, and a block to be sent.
 */
#ifndef CHANNEL_FIXTURE_H
#define CHANNEL_FIXTURE_H

#include "channel.h"

#define BLOCK		(16 * PAGE)
#define CAPACITY	8

FIXTURE(channel)
{
	int fd;		/* sends */
	int other;	/* receives */
	struct channel channel;
	struct bufpool_rent rented;
	char *at;
	struct bufpool_message message;
};

FIXTURE_SETUP(channel)
{
	self->fd = pool_open();
	self->other = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, channel_make(self->fd, CAPACITY, &self->channel));
	self->at = rent_mapped(self->fd, BLOCK, &self->rented);
	ASSERT_NE(NULL, self->at);
}

FIXTURE_TEARDOWN(channel)
{
	channel_end(&self->channel);
	close(self->fd);
	close(self->other);
	parameters_restore();
}

#define SEND(self, used, flags) send_with((self)->fd, (self)->channel.sends,		\
					  (self)->rented.handle, used, 7, flags)
#define RECEIVE(self) receive_one((self)->other, (self)->channel.receives, &(self)->message)

#endif /* CHANNEL_FIXTURE_H */
