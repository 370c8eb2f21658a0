/* SPDX-License-Identifier: MIT */
/*
 * The users of the pool, by the account that their clients are charged to: what the
 * clients of each hold together, and what the module says of the account. One that has no
 * client may be charged still, for quarantined blocks.
 */
#ifndef BUFPOOLCTL_USERS_H
#define BUFPOOLCTL_USERS_H

#include <stdbool.h>

#include "clients.h"
#include "column.h"
#include "rows.h"

struct user {
	__u64 uid;
	__u64 clients;
	__u64 waiters;	/* the account's, as are pinned, quarantined and quota */
	__u64 blocks;
	__u64 bytes;
	__u64 warm_blocks;
	__u64 warm_bytes;
	__u64 kept_bytes;
	__u64 pinned;	/* in its slabs, which is what a quota counts */
	__u64 quarantined;	/* of these, what has left its client */
	__u64 quota;
	__u64 rents;
	__u64 returns;
	char user[64];
};

#define USER_COLUMNS	14

extern const struct column user_columns[USER_COLUMNS];

/* The user with a name or a number. Return: whether there can be such a user. */
bool user_find(const char *text, __u64 *uid);

/*
 * Each a struct user, which replace those in @users. Users of none of these @clients are
 * there, too, if they are charged for memory.
 */
void users_sum(struct rows *users, const struct rows *clients);

#endif
