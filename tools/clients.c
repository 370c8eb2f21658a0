// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <unistd.h>

#include "clients.h"
#include "fail.h"
#include "paths.h"
#include "table.h"

#define COLUMN(_kind, _name, _label)	\
	{ #_name, _label, _kind, offsetof(struct client, _name) }

const struct column client_columns[CLIENT_COLUMNS] = {
	COLUMN(KIND_ID, pid, "pid"),
	COLUMN(KIND_ID, uid, "uid"),
	COLUMN(KIND_COUNT, blocks, "blocks"),
	COLUMN(KIND_BYTES, bytes, "bytes"),
	COLUMN(KIND_COUNT, warm_blocks, "warm"),
	COLUMN(KIND_BYTES, warm_bytes, "bytes"),
	COLUMN(KIND_BYTES, kept_bytes, "kept"),
	COLUMN(KIND_BYTES, ceiling, "ceiling"),
	COLUMN(KIND_COUNT, rents, "rents"),
	COLUMN(KIND_COUNT, returns, "returns"),
	COLUMN(KIND_TEXT, comm, "command"),
	COLUMN(KIND_BYTES, held, NULL),
};

static struct client *next_free(struct clients *clients)
{
	size_t room = clients->room ? 2 * clients->room : 64;
	struct client *list;

	if (clients->count == clients->room) {
		list = reallocarray(clients->list, room, sizeof(*list));
		if (!list)
			fail_memory();
		clients->list = list;
		clients->room = room;
	}
	return &clients->list[clients->count];
}

static void take_client(void *to, const void *row)
{
	struct clients *clients = to;
	struct client *client = next_free(clients);

	*client = *(const struct client *)row;
	client->held = client->bytes + client->warm_bytes;
	clients->count += client->pid != (__u64)getpid();
}

void clients_read(struct clients *clients)
{
	const struct table table = {
		.path = CLIENTS_PATH,
		.columns = client_columns,
		.count = CLIENT_COLUMNS,
		.size = sizeof(struct client),
	};
	struct client row;

	clients->count = 0;
	table_read(&table, &row, take_client, clients);
}

void clients_free(struct clients *clients)
{
	free(clients->list);
	*clients = (struct clients){ };
}
