/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_SEND_H
#define _BUFPOOL_SEND_H

#include "channel.h"

int bufpool_send(struct bufpool_client *client, struct bufpool_chan *channel,
		 struct bufpool_sent *messages, unsigned int nr, bool whole);

#endif /* _BUFPOOL_SEND_H */
