/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_RECEIVE_H
#define _BUFPOOL_RECEIVE_H

#include "channel.h"
#include <uapi/linux/bufpool.h>

/**
 * struct bufpool_receipt - what is received, and where that is told
 * @client: who receives
 * @to: where the program's memory is for it
 * @blocks: gets as many of the blocks as there is room for, or NULL
 * @nr: how many messages, at most
 * @class: (out) of the last message that was looked at
 * @moved: (out) another account is charged for less
 * @untold: (out) it ended at a message that the program's memory was not there for
 */
struct bufpool_receipt {
	struct bufpool_client *client;
	struct bufpool_message __user *to;
	struct bufpool_block *blocks;
	unsigned int nr;
	struct bufpool_class *class;
	bool moved;
	bool untold;
};

int bufpool_receive(struct bufpool_chan *channel, struct bufpool_receipt *receipt);

#endif /* _BUFPOOL_RECEIVE_H */
