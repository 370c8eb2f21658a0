// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "clients.h"
#include "fail.h"
#include "module.h"
#include "paths.h"
#include "text.h"

/* The most columns of the module's table that are read */
#define MAX_FIELDS	32
#define BLANKS		" \t\n"

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

/* The column of each field of a line; NULL is an unknown one. */
struct layout {
	const struct column *fields[MAX_FIELDS];
	size_t count;
};

static void read_layout(struct layout *layout, char *line)
{
	char *name = strtok(line, BLANKS);

	layout->count = 0;
	for (; name && layout->count < MAX_FIELDS; name = strtok(NULL, BLANKS))
		layout->fields[layout->count++] =
			column_find(client_columns, CLIENT_COLUMNS, name);
}

/* NO_LIMIT for anything but a number */
static __u64 parse_number(const char *text)
{
	__u64 number;
	char *end;

	number = strtoull(text, &end, 10);
	return end == text ? NO_LIMIT : number;
}

static void set_field(struct client *client, const struct column *column,
		      const char *text)
{
	char *at = (char *)client + column->offset;
	__u64 number;

	if (column->kind == KIND_TEXT) {
		snprintf(at, sizeof(client->comm), "%s", text);
		text_unescape(at);
	} else {
		number = parse_number(text);
		memcpy(at, &number, sizeof(number));
	}
}

/* The last field goes to the end of the line, whatever is in it. */
static char *next_field(char **rest, bool last)
{
	char *field = *rest + strspn(*rest, BLANKS);
	size_t length = strcspn(field, last ? "\n" : BLANKS);

	*rest = field + length;
	if (**rest)
		*(*rest)++ = '\0';
	return field;
}

static void read_client(struct client *client, const struct layout *layout,
			char *line)
{
	char *field;
	size_t i;

	*client = (struct client){ };
	for (i = 0; i < layout->count; i++) {
		field = next_field(&line, i + 1 == layout->count);
		if (layout->fields[i])
			set_field(client, layout->fields[i], field);
	}
	client->held = client->bytes + client->warm_bytes;
}

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

static FILE *open_table(void)
{
	FILE *file = fopen(CLIENTS_PATH, "re");

	if (!file && errno == ENOENT && module_is_loaded())
		fail(STATUS_FAILED,
		     "there is no %s: is debugfs mounted? If not, as root, run 'mount -t debugfs none /sys/kernel/debug'",
		     CLIENTS_PATH);
	if (!file)
		access_fail(CLIENTS_PATH);
	return file;
}

void clients_read(struct clients *clients)
{
	FILE *file = open_table();
	struct layout layout = { };
	struct client *client;
	char *line = NULL;
	size_t room = 0;

	clients->count = 0;
	if (getline(&line, &room, file) > 0)
		read_layout(&layout, line);
	while (getline(&line, &room, file) > 0) {
		client = next_free(clients);
		read_client(client, &layout, line);
		clients->count += client->pid != (__u64)getpid();
	}
	if (ferror(file))
		access_fail(CLIENTS_PATH);
	free(line);
	fclose(file);
}

void clients_free(struct clients *clients)
{
	free(clients->list);
	*clients = (struct clients){ };
}
