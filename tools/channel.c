// SPDX-License-Identifier: MIT
#include "channel.h"
#include "paths.h"

#define COLUMN(_kind, _name, _label)	\
	{ #_name, _label, _kind, offsetof(struct channel, _name) }

const struct column channel_columns[CHANNEL_COLUMNS] = {
	COLUMN(KIND_ID, channel, "channel"),
	COLUMN(KIND_ID, pid, "pid"),
	COLUMN(KIND_ID, uid, "uid"),
	COLUMN(KIND_WORD, ends, "ends"),
	COLUMN(KIND_COUNT, capacity, "room"),
	COLUMN(KIND_COUNT, messages, "used"),
	COLUMN(KIND_BYTES, bytes, "bytes"),
	COLUMN(KIND_COUNT, sent, "sent"),
	COLUMN(KIND_COUNT, received, "got"),
	COLUMN(KIND_COUNT, dropped, "dropped"),
	COLUMN(KIND_TEXT, comm, "command"),
};

static void take_channel(void *to, const void *row)
{
	struct channel *channel = rows_add(to);

	*channel = *(const struct channel *)row;
}

void channels_read(struct rows *channels)
{
	const struct table table = {
		.path = CHANNELS_PATH,
		.columns = channel_columns,
		.count = CHANNEL_COLUMNS,
		.size = sizeof(struct channel),
	};
	struct channel row;

	rows_clear(channels, sizeof(row));
	table_read(&table, &row, take_channel, channels);
}
