// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "clients.h"
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

static void take_client(void *to, const void *row)
{
	const struct client *from = row;
	struct client *client;

	if (from->pid == (__u64)getpid())
		return;
	client = rows_add(to);
	*client = *from;
	client->held = client->bytes + client->warm_bytes;
}

void clients_read(struct rows *clients)
{
	const struct table table = {
		.path = CLIENTS_PATH,
		.columns = client_columns,
		.count = CLIENT_COLUMNS,
		.size = sizeof(struct client),
	};
	struct client row;

	rows_clear(clients, sizeof(struct client));
	table_read(&table, &row, take_client, clients);
}
