// SPDX-License-Identifier: MIT
/*
 * Blocks that a thread has rented, and what is to be found in them.
 */
#include <string.h>

#include "../device.h"
#include "guard.h"
#include "stamp.h"
#include "world.h"

/* As much as the largest block, which is aligned to its size. */
#define NEIGHBOURHOOD	(64ULL << 20)

/* Room for a block; NULL where there is none. */
struct holding *holding_free(struct world *world, unsigned int from)
{
	unsigned int i;

	for (i = 0; i < HELD; i++) {
		struct holding *holding = &world->held[(from + i) % HELD];

		if (!holding->length)
			return holding;
	}
	return NULL;
}

/* A block; NULL where there is none. */
struct holding *holding_any(struct world *world, unsigned int from)
{
	unsigned int i;

	for (i = 0; i < HELD; i++) {
		struct holding *holding = &world->held[(from + i) % HELD];

		if (holding->length)
			return holding;
	}
	return NULL;
}

/* Whether a number that is to be wrong is a good one by accident. */
bool holding_is_named(const struct world *world, __u64 handle)
{
	const struct keeper *keeper = &world->keeper;
	unsigned int i;

	for (i = 0; i < HELD; i++) {
		if (world->held[i].length && world->held[i].handle == handle)
			return true;
	}
	for (i = 0; keeper->page && i < BUFPOOL_STACK_ENTRIES; i++) {
		if (keeper->kept[i].handle == handle)
			return true;
	}
	return false;
}

/* A handle of anybody's but this thread's. */
__u64 board_read(const struct world *world, __u32 from)
{
	__u64 handle = __atomic_load_n(&world->common->board[from % BOARD], __ATOMIC_RELAXED);

	return holding_is_named(world, handle) ? ~handle : handle;
}

static bool covers(const struct window *window, const struct holding *holding, __u64 id)
{
	return window->at && window->intact && window->id == id &&
	       window->offset <= holding->offset &&
	       holding->offset - window->offset + holding->length <= window->length;
}

/*
 * Map a block: one in eight alone, the others together with those that are around it, as a
 * mapping costs more than most of what is done with a block.
 */
static char *reach_by_window(struct world *world, const struct holding *holding)
{
	__u64 offset = holding->offset, length = holding->length;
	__u64 before = offset % NEIGHBOURHOOD;
	unsigned int nr = holding->handle / 8 % WINDOWS;

	if (holding->handle % 8 && before + length <= NEIGHBOURHOOD) {
		nr = (holding->client * 5 + offset / world->info.span) % WINDOWS;
		offset -= before;
		length = NEIGHBOURHOOD;
	}
	if (window_map(world, nr, holding->client, offset, length, PROT_READ | PROT_WRITE,
		       MAP_SHARED))
		return NULL;
	return world->windows[nr].at + (holding->offset - offset);
}

/* Where a block is mapped; it is mapped if it is not; NULL where that does not go. */
char *holding_reach(struct world *world, const struct holding *holding)
{
	__u64 id = client_of(world, holding)->id;
	struct window *window;

	for (window = world->windows; window < world->windows + WINDOWS; window++) {
		if (covers(window, holding, id))
			return window->at + (holding->offset - window->offset);
	}
	return reach_by_window(world, holding);
}

/* What is to be in a block that was just rented. */
static void check_new(struct world *world, const struct op *op, const struct holding *holding,
		      bool zero)
{
	const struct client *client = client_of(world, holding);
	struct stamp_look look = {
		.at = holding_reach(world, holding),
		.length = holding->length,
		.to = holding->length,
		.id = zero && !client->weak ? 0 : client->id,
		.or_zero = true,
	};

	if (!look.at)
		return;
	switch (stamp_look(&look)) {
	case STAMP_FAULTED:
		if (!client->weak && is_plain(world, op))
			blame(world, "a block of %llu bytes that was just rented cannot be touched",
			      holding->length);
		break;
	case STAMP_FOREIGN:
		blame_foreign(world, &look, "a block that was just rented");
	default:
		break;
	}
}

/* A block that is still to have what was written into it. */
void holding_check(struct world *world, const struct op *op, struct holding *holding)
{
	struct stamp_look look = {
		.length = holding->length,
		.to = holding->length,
		.id = client_of(world, holding)->id,
		.handle = holding->handle,
	};

	if (!holding->stamped || !is_strong(world, holding))
		return;
	look.at = holding_reach(world, holding);
	if (!look.at)
		return;
	switch (stamp_look(&look)) {
	case STAMP_FAULTED:
		if (is_plain(world, op))
			blame(world, "block %#llx of client %llu cannot be touched",
			      holding->handle, look.id);
		break;
	case STAMP_FOREIGN:
		blame_foreign(world, &look, "a block that is rented");
	default:
		break;
	}
}

/* Whether all its stamps are written. */
bool holding_stamp(struct world *world, const struct op *op, struct holding *holding)
{
	char *at = holding_reach(world, holding);
	int sig = at ? stamp_put(at, holding->length, client_of(world, holding)->id,
				 holding->handle) : -1;

	holding->stamped = !sig;
	if (sig > 0 && is_strong(world, holding) && is_plain(world, op))
		blame(world, "block %#llx cannot be written: signal %d", holding->handle, sig);
	__atomic_store_n(&world->common->board[holding->handle % BOARD], holding->handle,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&world->common->roles[world->role].target, at, __ATOMIC_RELAXED);
	return holding->stamped;
}

/* One owner at a time is one that this thread knows of as well. */
static void check_place(struct world *world, const struct holding *taken)
{
	const struct holding *holding;

	if (!taken->length || taken->length & (taken->length - 1) ||
	    taken->offset % world->info.span % taken->length)
		blame(world, "a block of %llu bytes at %#llx", taken->length, taken->offset);
	for (holding = world->held; holding < world->held + HELD; holding++) {
		if (holding != taken && holding->length && is_strong(world, holding) &&
		    is_strong(world, taken) && taken->offset < holding->offset + holding->length &&
		    holding->offset < taken->offset + taken->length)
			blame(world, "two blocks at %#llx and %#llx", holding->offset,
			      taken->offset);
	}
}

/*
 * Have a block that was just rented. Three of four are written to.
 * Return: whether there was room for it.
 */
bool holding_take(struct world *world, const struct op *op, unsigned int client,
		  const struct bufpool_block *block, bool zero)
{
	struct holding *holding = holding_free(world, op->slot);

	if (!holding)
		return false;
	*holding = (struct holding){
		.client = client,
		.handle = block->handle,
		.offset = block->offset,
		.length = block->length,
	};
	check_place(world, holding);
	if (op->c % 16 < 13) {
		check_new(world, op, holding, zero);
		holding_stamp(world, op, holding);
	}
	return true;
}

/* It has left its client. */
void holding_left(struct world *world, struct holding *holding)
{
	struct client *client = client_of(world, holding);

	client->stale[client->nr_stale++ % STALE] = holding->handle;
	memset(holding, 0, sizeof(*holding));
}

/* Something has written into a block by another way. */
void holding_lose_stamps(struct world *world, __u64 id, __u64 offset)
{
	struct holding *holding;

	for (holding = world->held; holding < world->held + HELD; holding++) {
		if (holding->length && holding->offset == offset &&
		    client_of(world, holding)->id == id)
			holding->stamped = false;
	}
	for (holding = world->keeper.kept;
	     holding < world->keeper.kept + BUFPOOL_STACK_ENTRIES; holding++) {
		if (holding->offset == offset)
			holding->stamped = false;
	}
}
