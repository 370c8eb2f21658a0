/* SPDX-License-Identifier: MIT */
/*
 * The users of the pool, by the account that their clients are charged to: what the
 * clients of each hold together, and what the module says of the account.
 */
#ifndef BUFPOOLCTL_USERS_H
#define BUFPOOLCTL_USERS_H

#include <stdbool.h>

#include "clients.h"
#include "column.h"

struct user {
	__u64 uid;
	__u64 clients;
	__u64 waiters;	/* the account's, as are pinned and quota */
	__u64 blocks;
	__u64 bytes;
	__u64 warm_blocks;
	__u64 warm_bytes;
	__u64 kept_bytes;
	__u64 pinned;	/* in its slabs, which is what a quota counts */
	__u64 quota;
	__u64 rents;
	__u64 returns;
	char user[64];
};

#define USER_COLUMNS	13

extern const struct column user_columns[USER_COLUMNS];

struct users {
	struct user *list;
	size_t count;
};

/* The user with a name or a number. Return: whether there can be such a user. */
bool user_find(const char *text, __u64 *uid);

/* Replaces what is in @users, which begins as all zero. */
void users_sum(struct users *users, const struct clients *clients);
void users_free(struct users *users);

#endif
