// SPDX-License-Identifier: MIT
/*
 * Windows: mappings of the device, each in a room of its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../device.h"
#include "world.h"

/* What huge entries want. */
#define ALIGNMENT	(2ULL << 20)

/* The room of a window. */
char *window_home(const struct world *world, unsigned int nr)
{
	unsigned int thread = world->role % THREADS;

	return (char *)(ARENA_AT + (thread * (WINDOWS + 1ULL) + nr) * WINDOW_ROOM);
}

void window_clear(struct world *world, unsigned int nr)
{
	if (world->windows[nr].at)
		munmap(window_home(world, nr), WINDOW_ROOM);
	memset(&world->windows[nr], 0, sizeof(world->windows[nr]));
}

/* Map what may be no good offset or length; what was there is gone. Return: 0 or -errno. */
int window_map(struct world *world, unsigned int nr, unsigned int client, __u64 offset,
	       __u64 length, int prot, int flags)
{
	char *at = window_home(world, nr) + offset % ALIGNMENT / PAGE * PAGE;
	struct window *window = &world->windows[nr];
	int error;

	if (length > WINDOW_ROOM - ALIGNMENT)
		length = WINDOW_ROOM - ALIGNMENT;
	/* else it goes when the new one takes its place */
	if (at > window->at || at + length < window->at + window->length)
		window_clear(world, nr);
	world_fail(world);
	at = mmap(at, length, prot, flags | MAP_FIXED, world->clients[client].fd, offset);
	world_fail_no_more(world);
	if (at == MAP_FAILED) {
		error = errno;
		window_clear(world, nr);
		return -error;
	}
	*window = (struct window){
		.at = at,
		.length = length,
		.offset = offset,
		.id = world->clients[client].id,
		.intact = prot == (PROT_READ | PROT_WRITE),
	};
	return 0;
}
