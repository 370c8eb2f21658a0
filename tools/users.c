// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <stdio.h>

#include "paths.h"
#include "table.h"
#include "users.h"
#include "value.h"

#define COLUMN(_kind, _name, _label)	\
	{ #_name, _label, _kind, offsetof(struct user, _name) }

const struct column user_columns[USER_COLUMNS] = {
	COLUMN(KIND_ID, uid, "uid"),
	COLUMN(KIND_COUNT, clients, "clients"),
	COLUMN(KIND_COUNT, waiters, "waiters"),
	COLUMN(KIND_COUNT, blocks, "blocks"),
	COLUMN(KIND_BYTES, bytes, "bytes"),
	COLUMN(KIND_COUNT, warm_blocks, "warm"),
	COLUMN(KIND_BYTES, warm_bytes, "bytes"),
	COLUMN(KIND_BYTES, kept_bytes, "kept"),
	COLUMN(KIND_BYTES, pinned, "pinned"),
	COLUMN(KIND_BYTES, quarantined, "quarant"),
	COLUMN(KIND_BYTES, quota, "quota"),
	COLUMN(KIND_COUNT, rents, "rents"),
	COLUMN(KIND_COUNT, returns, "returns"),
	COLUMN(KIND_TEXT, user, "user"),
};

/* The name, or the number where there is none */
static void begin(struct user *user, __u64 uid)
{
	const struct passwd *entry = getpwuid(uid);

	user->uid = uid;
	if (entry)
		snprintf(user->user, sizeof(user->user), "%s", entry->pw_name);
	else
		snprintf(user->user, sizeof(user->user), "%llu", uid);
}

/* NULL where there is none */
static struct user *find(const struct rows *users, __u64 uid)
{
	struct user *user;
	size_t i;

	for (i = 0; i < users->count; i++) {
		user = rows_at(users, i);
		if (user->uid == uid)
			return user;
	}
	return NULL;
}

static struct user *find_or_begin(struct rows *users, __u64 uid)
{
	struct user *user = find(users, uid);

	if (!user) {
		user = rows_add(users);
		begin(user, uid);
	}
	return user;
}

static void add(struct user *user, const struct client *client)
{
	user->clients++;
	user->blocks += client->blocks;
	user->bytes += client->bytes;
	user->warm_blocks += client->warm_blocks;
	user->warm_bytes += client->warm_bytes;
	user->kept_bytes += client->kept_bytes;
	user->rents += client->rents;
	user->returns += client->returns;
}

static void take_account(void *to, const void *row)
{
	const struct user *account = row;
	struct user *user;

	user = account->pinned ? find_or_begin(to, account->uid) : find(to, account->uid);
	if (!user)
		return;
	user->waiters = account->waiters;
	user->pinned = account->pinned;
	user->quarantined = account->quarantined;
	user->quota = account->quota;
}

static void read_accounts(struct rows *users)
{
	const struct table table = {
		.path = ACCOUNTS_PATH,
		.columns = user_columns,
		.count = USER_COLUMNS,
		.size = sizeof(struct user),
	};
	struct user row;

	table_read(&table, &row, take_account, users);
}

void users_sum(struct rows *users, const struct rows *clients)
{
	const struct client *client;
	size_t i;

	rows_clear(users, sizeof(struct user));
	for (i = 0; i < clients->count; i++) {
		client = rows_at(clients, i);
		add(find_or_begin(users, client->uid), client);
	}
	read_accounts(users);
}

bool user_find(const char *text, __u64 *uid)
{
	const struct passwd *entry = getpwnam(text);

	if (!entry)
		return value_id(text, uid);
	*uid = entry->pw_uid;
	return true;
}
