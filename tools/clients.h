/* SPDX-License-Identifier: MIT */
/* The pool's clients, as the module lists them for root. */
#ifndef BUFPOOLCTL_CLIENTS_H
#define BUFPOOLCTL_CLIENTS_H

#include "column.h"
#include "rows.h"
#include "table.h"

struct client {
	__u64 pid;
	__u64 uid;
	__u64 blocks;
	__u64 bytes;
	__u64 warm_blocks;
	__u64 warm_bytes;
	__u64 kept_bytes;	/* of those rented */
	__u64 ceiling;
	__u64 rents;
	__u64 returns;
	char comm[TABLE_TEXT];
	__u64 held;	/* rented and warm */
};

#define CLIENT_COLUMNS	12

extern const struct column client_columns[CLIENT_COLUMNS];

/* All but this process itself: each a struct client, which replace those in @clients. */
void clients_read(struct rows *clients);

#endif
