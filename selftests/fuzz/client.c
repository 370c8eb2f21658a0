// SPDX-License-Identifier: MIT
/*
 * Clients of a thread: its own, and those that it shares.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../device.h"
#include "errnos.h"
#include "world.h"

static void forget(struct world *world, unsigned int nr)
{
	struct holding *holding;

	for (holding = world->held; holding < world->held + HELD; holding++) {
		if (holding->client == nr)
			memset(holding, 0, sizeof(*holding));
	}
	if (!nr)
		memset(&world->keeper, 0, sizeof(world->keeper));
}

/* A new client, with an identity that nobody had. Return: its descriptor, or -errno. */
int client_open(struct world *world, unsigned int nr)
{
	struct client *client = &world->clients[nr];

	client_close(world, nr);
	world_fail(world);
	client->fd = pool_open();
	world_fail_no_more(world);
	client->weak = false;
	client->nr_stale = 0;
	client->id = __atomic_add_fetch(&world->common->ids, 1, __ATOMIC_RELAXED);
	if (client->fd < 0 && !errnos_has(ERRNOS_OPEN, -client->fd, world->faulted))
		blame(world, "open: errno %d", -client->fd);
	return client->fd;
}

/* What is mapped of it stays as it is, and so may its blocks. */
void client_close(struct world *world, unsigned int nr)
{
	struct client *client = &world->clients[nr];

	forget(world, nr);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = NO_FD;
}

/* Have a descriptor that others have, too. */
void client_adopt(struct world *world, unsigned int nr, int fd, __u64 id)
{
	client_close(world, nr);
	world->clients[nr] = (struct client){ .fd = fd, .id = id, .weak = true };
}
