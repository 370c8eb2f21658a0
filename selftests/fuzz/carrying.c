// SPDX-License-Identifier: MIT
/*
 * Channels.
 *
 * A tag says what is in the block: who has sent it, and whether the bytes in use have that
 * client's stamps, and the others are to be zero.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../device.h"
#include "call.h"
#include "stamp.h"
#include "verbs.h"

#define TAG_MAGIC	0xf2ULL
#define TAG_STAMPED	1
#define TAG_WHOLE	2

#define MESSAGES	8

static void close_end_of(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = NO_FD;
}

void do_channel(struct world *world, const struct op *op)
{
	struct ends *ends = &world->channels[op->slot % CHANNELS];
	struct bufpool_channel channel = {
		.size = sizeof(channel),
		.capacity = op->a % 8 ? 1 + op->a % 16 : op->b,
		.receive_fd = NO_FD,
		.send_fd = NO_FD,
	};

	if (CALL(world, op, world->clients[op->who % CLIENTS].fd, BUFPOOL_IOC_CHANNEL,
		 &channel))
		return;
	close_end_of(&ends->receives);
	close_end_of(&ends->sends);
	*ends = (struct ends){ channel.receive_fd, channel.send_fd };
}

void do_close_end(struct world *world, const struct op *op)
{
	struct ends *ends = &world->channels[op->slot % CHANNELS];

	close_end_of(op->a & 1 ? &ends->receives : &ends->sends);
}

static __u64 pick_used(const struct holding *holding, __u32 from)
{
	switch (from % 4) {
	case 0:
		return 0;
	case 1:
		return holding->length;
	default:
		return from % (holding->length + 1);
	}
}

/* Some blocks of one client; their places among what is held. */
static unsigned int load(struct world *world, const struct op *op, bool whole,
			 struct holding **sent, struct bufpool_message *messages)
{
	struct holding *holding = holding_any(world, op->slot);
	unsigned int client, nr = 0, most = 1 + op->a % MESSAGES;

	if (!holding)
		return 0;
	client = holding->client;
	for (; holding < world->held + HELD && nr < most; holding++) {
		if (!holding->length || holding->client != client)
			continue;
		holding_check(world, op, holding);
		sent[nr] = holding;
		messages[nr] = (struct bufpool_message){
			.handle = holding->handle,
			.used = pick_used(holding, op->b),
			.tag = op->twist ? 0 :
			       TAG_MAGIC << 56 | client_of(world, holding)->id << 8 |
			       (holding->stamped && is_strong(world, holding) ?
				TAG_STAMPED : 0) | (whole ? TAG_WHOLE : 0),
		};
		nr++;
	}
	return nr;
}

void do_send(struct world *world, const struct op *op)
{
	struct bufpool_message messages[BUFPOOL_MANY_MAX];
	struct holding *sent[MESSAGES];
	struct bufpool_send send = { .size = sizeof(send) };
	int ret, nr, i;

	memset(messages, 0, sizeof(messages));
	if (op->a & 0x100)
		send.flags |= BUFPOOL_SEND_WHOLE;
	nr = load(world, op, send.flags, sent, messages);
	if (!nr)
		return;
	send.fd = world->channels[op->who % CHANNELS].sends;
	send.count = nr;
	send.messages = op->c % 61 ? (uintptr_t)messages : wild_pointer(world, op->c >> 8);
	send.timeout_ns = pick_timeout(world, op->b >> 4, &send.flags, BUFPOOL_SEND_NONBLOCK);
	ret = CALL(world, op, client_of(world, sent[0])->fd, BUFPOOL_IOC_SEND, &send);
	if (ret > nr)
		blame(world, "%d messages of %d are sent", ret, nr);
	for (i = 0; i < ret; i++)
		holding_left(world, sent[i]);
	/* what is not in use may be zero already */
	for (i = ret > 0 ? ret : 0; i < nr; i++)
		sent[i]->stamped = false;
}

/* What the sender has said of it. */
static void check_message(struct world *world, const struct holding *holding,
			  const struct bufpool_message *message)
{
	bool told = message->tag >> 56 == TAG_MAGIC;
	struct stamp_look used = {
		.at = holding_reach(world, holding),
		.length = holding->length,
		.to = message->used,
		.id = message->tag << 8 >> 16,
	};
	struct stamp_look rest = used;

	rest.from = message->used;
	rest.to = holding->length;
	rest.id = 0;
	rest.or_zero = true;
	if (message->used > holding->length)
		blame(world, "%llu bytes of %llu are in use", message->used, holding->length);
	if (!used.at || !told || !is_strong(world, holding))
		return;
	if (message->tag & TAG_STAMPED && stamp_look(&used) == STAMP_FOREIGN)
		blame_foreign(world, &used, "what is in use of a message");
	if (!(message->tag & TAG_WHOLE) && stamp_look(&rest) == STAMP_FOREIGN)
		blame_foreign(world, &rest, "what is not in use of a message");
}

/* A block that does not get this client's stamps is not to be rented by it again as it is. */
static void accept(struct world *world, const struct op *op, unsigned int client,
		   const struct bufpool_message *message)
{
	struct holding *holding = holding_free(world, op->slot);

	if (!holding) {
		give_with(world->clients[client].fd, message->handle, BUFPOOL_RETURN_CLEAR);
		return;
	}
	*holding = (struct holding){
		.client = client,
		.handle = message->handle,
		.offset = message->offset,
		.length = message->length,
	};
	check_message(world, holding, message);
	if (holding_stamp(world, op, holding))
		return;
	give_with(world->clients[client].fd, message->handle, BUFPOOL_RETURN_CLEAR);
	memset(holding, 0, sizeof(*holding));
}

void do_receive(struct world *world, const struct op *op)
{
	struct bufpool_message messages[BUFPOOL_MANY_MAX];
	unsigned int client = op->slot % CLIENTS;
	struct bufpool_receive receive = {
		.size = sizeof(receive),
		.flags = op->a & 0x100 ? BUFPOOL_RECEIVE_MAP : 0,
		.fd = world->channels[op->who % CHANNELS].receives,
		.count = 1 + op->a % MESSAGES,
		.messages = op->c % 61 ? (uintptr_t)messages : wild_pointer(world, op->c >> 8),
	};
	int ret, i;

	receive.timeout_ns = pick_timeout(world, op->b >> 4, &receive.flags,
					  BUFPOOL_RECEIVE_NONBLOCK);
	ret = CALL(world, op, world->clients[client].fd, BUFPOOL_IOC_RECEIVE, &receive);
	if (ret > 0 && receive.messages != (uintptr_t)messages)
		blame(world, "%d messages are told of where nothing can be written", ret);
	for (i = 0; i < ret; i++)
		accept(world, op, client, &messages[i]);
}
