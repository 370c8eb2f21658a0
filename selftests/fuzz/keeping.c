// SPDX-License-Identifier: MIT
/*
 * A stack of kept blocks, which the kernel takes from the bottom of.
 *
 * The program's side of the protocol is that of struct bufpool_stack; what is popped is
 * the program's own, as it was pushed.
 */
#include <string.h>
#include <sys/mman.h>

#include "../device.h"
#include "guard.h"
#include "verbs.h"

#define KEPT_CLASSES	4

/* Of the first client, in a room of its own. */
static bool make_keeper(struct world *world, unsigned int class)
{
	struct keeper *keeper = &world->keeper;
	char *at = window_home(world, WINDOWS);

	munmap(at, WINDOW_ROOM);
	at = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  world->clients[0].fd, world->info.stacks_offset + class * PAGE);
	if (at == MAP_FAILED || guard_peek(at))
		return false;
	memset(keeper, 0, sizeof(*keeper));
	keeper->page = (struct bufpool_stack *)at;
	keeper->class = class;
	return true;
}

static __u32 load_bottom(const struct keeper *keeper)
{
	return __atomic_load_n(&keeper->page->bottom, __ATOMIC_RELAXED);
}

static void push(struct world *world, struct holding *holding)
{
	struct keeper *keeper = &world->keeper;
	struct bufpool_stack *page = keeper->page;
	__u32 top = page->top;

	if ((__s32)(top - load_bottom(keeper)) >= BUFPOOL_STACK_MAX)
		return;
	keeper->kept[top % BUFPOOL_STACK_ENTRIES] = *holding;
	page->entries[top % BUFPOOL_STACK_ENTRIES] =
		holding->offset % world->info.span / BUFPOOL_STACK_UNIT;
	__atomic_store_n(&page->top, top + 1, __ATOMIC_RELEASE);
	memset(holding, 0, sizeof(*holding));
}

/* Blocks of that class that the first client has. */
void do_push(struct world *world, const struct op *op)
{
	unsigned int most = 1 + op->a % 8, class;
	struct holding *holding;

	if (world->clients[0].fd < 0 || world->clients[0].weak ||
	    (!world->keeper.page && !make_keeper(world, op->b % KEPT_CLASSES)))
		return;
	for (holding = world->held; holding < world->held + HELD && most; holding++) {
		class = holding->offset / world->info.span;
		if (!holding->length || holding->client || class != world->keeper.class)
			continue;
		holding_check(world, op, holding);
		push(world, holding);
		most--;
	}
}

/* Return: whether there was a block; it is still what it was. */
static bool pop(struct world *world, const struct op *op, struct holding *to)
{
	struct keeper *keeper = &world->keeper;
	struct bufpool_stack *page = keeper->page;
	__u32 top = page->top - 1;
	struct holding *kept = &keeper->kept[top % BUFPOOL_STACK_ENTRIES];

	__atomic_store_n(&page->top, top, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if ((__s32)(top - load_bottom(keeper)) < 0) {
		__atomic_store_n(&page->top, top + 1, __ATOMIC_RELAXED);
		return false;
	}
	*to = *kept;
	memset(kept, 0, sizeof(*kept));
	if (!to->length || page->entries[top % BUFPOOL_STACK_ENTRIES] !=
			   to->offset % world->info.span / BUFPOOL_STACK_UNIT)
		blame(world, "entry %u of the stack is none that was pushed", top);
	holding_check(world, op, to);
	return true;
}

void do_pop(struct world *world, const struct op *op)
{
	unsigned int most = 1 + op->a % 8;
	struct holding *room;

	while (world->keeper.page && !world->clients[0].weak && most--) {
		room = holding_free(world, op->slot);
		if (!room || !pop(world, op, room))
			return;
	}
}

static void scribble(void *arg)
{
	struct bufpool_stack *page = ((void **)arg)[0];
	const struct op *op = ((void **)arg)[1];
	unsigned int i;

	switch (op->a % 4) {
	case 0:
		page->top = op->b;
		break;
	case 1:
		page->bottom = op->b;
		break;
	case 2:
		page->top = page->bottom + op->b % 600;
		break;
	default:
		break;
	}
	for (i = 0; i < op->c % 300; i++)
		page->entries[(page->bottom + i) % BUFPOOL_STACK_ENTRIES] =
			op->a & 0x100 ? op->b + i : op->b * i;
	page->owner = op->c;
}

/* Whoever lies may lose blocks; nobody else is to notice. */
void do_scribble(struct world *world, const struct op *op)
{
	unsigned int nr = op->who % CLIENTS;
	struct client *client = &world->clients[nr];
	void *args[2];
	char *at;

	if (client->fd < 0)
		return;
	client->weak = true;
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, client->fd,
		  world->info.stacks_offset + op->slot % KEPT_CLASSES * PAGE);
	if (at == MAP_FAILED)
		return;
	args[0] = at;
	args[1] = (void *)op;
	guard(scribble, args);
	munmap(at, PAGE);
}
