/* SPDX-License-Identifier: MIT */
/* The pool's channels, as the module lists them for root. */
#ifndef BUFPOOLCTL_CHANNEL_H
#define BUFPOOLCTL_CHANNEL_H

#include "column.h"
#include "rows.h"
#include "table.h"

struct channel {
	__u64 channel;	/* its number */
	__u64 pid;	/* of the process that made it */
	__u64 uid;	/* whom it counts for */
	char ends[TABLE_TEXT];	/* that are open: r, s or both */
	__u64 capacity;
	__u64 messages;	/* in it now */
	__u64 bytes;	/* in their blocks */
	__u64 sent;
	__u64 received;
	__u64 dropped;	/* went back to the pool, as there was nobody to receive them */
	char comm[TABLE_TEXT];
};

#define CHANNEL_COLUMNS	11

extern const struct column channel_columns[CHANNEL_COLUMNS];

/* Each a struct channel, which replace those in @channels. */
void channels_read(struct rows *channels);

#endif
