// SPDX-License-Identifier: MIT
/*
 * Renting and returning.
 */
#include <errno.h>
#include <string.h>

#include "../device.h"
#include "call.h"
#include "guard.h"
#include "verbs.h"

/* Mostly of no kind, and now and then of an unknown one. */
static __u32 pick_rent_flags(__u32 from)
{
	__u32 flags = 0;

	if (from % 4 == 0)
		flags |= BUFPOOL_RENT_ZERO;
	if (from / 4 % 4 == 0)
		flags |= BUFPOOL_RENT_IO;
	return flags;
}

static __u32 pick_return_flags(__u32 from)
{
	return from % 2 ? 0 : from / 2 % 4;
}

/* Two of three operations are about the thread's own. */
static unsigned int pick_client(const struct op *op)
{
	return op->who % 6 < CLIENTS ? op->who % 6 : op->who % OWN_CLIENTS;
}

static void give_now(struct world *world, const struct op *op, struct holding *holding,
		     __u32 flags)
{
	struct bufpool_return give = {
		.size = sizeof(give),
		.flags = flags,
		.handle = holding->handle,
	};
	bool strong = is_strong(world, holding);
	char *at = flags && strong ? holding_reach(world, holding) : NULL;
	int ret;

	holding_check(world, op, holding);
	ret = CALL(world, op, client_of(world, holding)->fd, BUFPOOL_IOC_RETURN, &give);
	if (ret && strong && is_plain(world, op))
		blame(world, "block %#llx cannot be returned: %d", holding->handle, ret);
	if (!ret && at && is_plain(world, op) && !guard_peek(at))
		blame(world, "block %#llx is there after its return", holding->handle);
	if (!ret || (!op->twist && (ret == -ENOENT || ret == -ESTALE)))
		holding_left(world, holding);
}

/* Where all rooms are taken one is made. */
static void make_room(struct world *world, const struct op *op)
{
	if (!holding_free(world, op->slot))
		give_now(world, op, &world->held[op->slot % HELD], 0);
}

void do_rent(struct world *world, const struct op *op)
{
	unsigned int client = pick_client(op);
	struct bufpool_rent rent = {
		.size = sizeof(rent),
		.flags = pick_rent_flags(op->c >> 4),
		.min_size = pick_size(world, op->a),
	};
	bool zero = rent.flags & BUFPOOL_RENT_ZERO;
	struct bufpool_block block;
	int ret;

	make_room(world, op);
	rent.timeout_ns = pick_timeout(world, op->b, &rent.flags, BUFPOOL_RENT_NONBLOCK);
	ret = CALL(world, op, world->clients[client].fd, BUFPOOL_IOC_RENT, &rent);
	/* a program goes on with what was interrupted */
	if (ret == -EINTR && !op->twist && op->c & 1)
		ret = CALL(world, op, world->clients[client].fd, BUFPOOL_IOC_RENT, &rent);
	if (ret)
		return;
	if (!op->twist && rent.length < rent.min_size)
		blame(world, "%llu bytes instead of %llu", rent.length, rent.min_size);
	block = (struct bufpool_block){ rent.handle, rent.offset, rent.length };
	if (!holding_take(world, op, client, &block, zero && !op->twist))
		give_with(world->clients[client].fd, rent.handle, 0);
}

void do_rent_many(struct world *world, const struct op *op)
{
	unsigned int client = pick_client(op);
	struct bufpool_block blocks[BUFPOOL_MANY_MAX];
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = pick_rent_flags(op->c >> 4),
		/* of large ones there is not room for many */
		.min_size = pick_size(world, op->a % 64 ? op->a >> 1 : op->a),
		.count = op->c % 64 ? 1 + op->c % 12 : op->c >> 8,
		.blocks = op->c % 61 ? (uintptr_t)blocks : wild_pointer(world, op->c >> 8),
	};
	bool zero = many.flags & BUFPOOL_RENT_ZERO;
	int ret, i;

	many.timeout_ns = pick_timeout(world, op->b, &many.flags, BUFPOOL_RENT_NONBLOCK);
	ret = CALL(world, op, world->clients[client].fd, BUFPOOL_IOC_RENT_MANY, &many);
	if (ret > 0 && many.blocks != (uintptr_t)blocks)
		blame(world, "%d blocks are told of where nothing can be written", ret);
	for (i = 0; i < ret; i++) {
		if (!holding_take(world, op, client, &blocks[i], zero && !op->twist))
			give_with(world->clients[client].fd, blocks[i].handle, 0);
	}
}

void do_give(struct world *world, const struct op *op)
{
	struct holding *holding = holding_any(world, op->slot);

	if (holding)
		give_now(world, op, holding, pick_return_flags(op->a));
}

/* Some or all that one client has. Return: how many; their handles, and where they are noted. */
static unsigned int gather(struct world *world, const struct op *op, unsigned int client,
			   __u64 *handles, struct holding **given)
{
	struct holding *holding;
	unsigned int nr = 0;

	for (holding = world->held; holding < world->held + HELD; holding++) {
		if (!holding->length || holding->client != client ||
		    op->b >> (holding - world->held) & 1)
			continue;
		holding_check(world, op, holding);
		given[nr] = holding;
		handles[nr++] = holding->handle;
	}
	return nr;
}

void do_give_many(struct world *world, const struct op *op)
{
	struct holding *first = holding_any(world, op->slot), *given[HELD];
	/* as many as a wrong count may name */
	__u64 handles[BUFPOOL_MANY_MAX] = { 0 };
	struct bufpool_return_many many = {
		.size = sizeof(many),
		.flags = pick_return_flags(op->a),
	};
	bool strong;
	int ret, nr, i;

	if (!first)
		return;
	strong = is_strong(world, first);
	nr = gather(world, op, first->client, handles, given);
	many.count = nr;
	many.handles = op->c % 61 ? (uintptr_t)handles : wild_pointer(world, op->c >> 8);
	ret = CALL(world, op, client_of(world, first)->fd, BUFPOOL_IOC_RETURN_MANY, &many);
	if (ret > nr)
		blame(world, "%d blocks of %d are returned", ret, nr);
	for (i = 0; i < ret; i++)
		holding_left(world, given[i]);
	if (strong && is_plain(world, op) && nr && op->c % 61 && ret != nr)
		blame(world, "%d blocks of %d are returned", ret, nr);
}

/* What has been returned is no more to be returned. */
void do_give_stale(struct world *world, const struct op *op)
{
	struct client *client = &world->clients[op->who % CLIENTS];
	__u64 handle = client->stale[op->slot % STALE];
	struct bufpool_return give = {
		.size = sizeof(give),
		.flags = pick_return_flags(op->a),
		.handle = handle,
	};
	int ret;

	if (op->slot % STALE >= client->nr_stale)
		return;
	ret = CALL(world, op, client->fd, BUFPOOL_IOC_RETURN, &give);
	if (!client->weak && is_plain(world, op) && ret != -ESTALE)
		blame(world, "the return of old block %#llx: %d", handle, ret);
}

/* What others have cannot be returned. */
void do_give_foreign(struct world *world, const struct op *op)
{
	struct client *client = &world->clients[op->who % CLIENTS];
	struct bufpool_return give = {
		.size = sizeof(give),
		.flags = pick_return_flags(op->a),
		.handle = op->b % 2 ? board_read(world, op->b >> 1) :
				      (__u64)op->a << 32 | op->c,
	};
	int ret;

	if (client->fd < 0 || holding_is_named(world, give.handle))
		return;
	ret = CALL(world, op, client->fd, BUFPOOL_IOC_RETURN, &give);
	if (!client->weak && is_plain(world, op) && ret != -ESTALE && ret != -ENOENT)
		blame(world, "the return of block %#llx of others: %d", give.handle, ret);
}

void do_check(struct world *world, const struct op *op)
{
	struct holding *holding = holding_any(world, op->slot);

	if (holding)
		holding_check(world, op, holding);
}

void do_stamp(struct world *world, const struct op *op)
{
	struct holding *holding = holding_any(world, op->slot);

	if (holding)
		holding_stamp(world, op, holding);
}
