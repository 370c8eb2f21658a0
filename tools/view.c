// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "channel.h"
#include "clients.h"
#include "fail.h"
#include "out.h"
#include "users.h"
#include "value.h"
#include "view.h"

/**
 * struct list_kind - what there is to know of a kind of rows
 * @name: of the list
 * @columns: what is in each
 * @count: how many columns
 * @key: what they are sorted by until told otherwise
 */
struct list_kind {
	const char *name;
	const struct column *columns;
	size_t count;
	const char *key;
};

static const struct list_kind kinds[VIEW_KINDS] = {
	[VIEW_CLIENTS] = { "clients", client_columns, CLIENT_COLUMNS, "held" },
	[VIEW_USERS] = { "users", user_columns, USER_COLUMNS, "pinned" },
	[VIEW_CHANNELS] = { "channels", channel_columns, CHANNEL_COLUMNS, "bytes" },
};

static const struct list_kind *kind_of(const struct view *view)
{
	return &kinds[view->kind];
}

static bool set_key(struct view *view, const char *name)
{
	const struct column *key;

	key = column_find(view->order.columns, kind_of(view)->count, name);
	if (key)
		view->order.key = key;
	return key;
}

void view_set_kind(struct view *view, enum view_kind kind)
{
	view->kind = kind;
	view->order.columns = kind_of(view)->columns;
	set_key(view, kind_of(view)->key);
}

bool view_set_user(struct view *view, const char *text)
{
	if (!user_find(text, &view->uid))
		return false;
	view->user = true;
	return true;
}

bool view_set_process(struct view *view, const char *text)
{
	__u64 pid;

	if (!value_id(text, &pid))
		return false;
	view->pid = pid;
	view->process = true;
	return true;
}

static noreturn void refuse_key(const struct view *view, const char *name)
{
	const struct list_kind *kind = kind_of(view);
	char *names = NULL;
	size_t size, i;
	FILE *to = open_memstream(&names, &size);

	if (!to)
		fail_memory();
	for (i = 0; i < kind->count; i++)
		fprintf(to, "%s%s", i ? " " : "", kind->columns[i].name);
	fclose(to);
	fail_usage("there is no column '%s' to sort by; there are: %s", name, names);
}

void view_take_option(struct view *view, int option, const char *value)
{
	switch (option) {
	case 'o':
		if (!set_key(view, value))
			refuse_key(view, value);
		break;
	case 'p':
		if (!view_set_process(view, value))
			fail_usage("the pid is a number, not '%s'", value);
		break;
	case 'r':
		view->order.reverse = true;
		break;
	case 'u':
		if (!view_set_user(view, value))
			fail_usage("there is no user '%s'", value);
		break;
	}
}

void view_step_key(struct view *view, int step)
{
	size_t count = kind_of(view)->count;
	size_t nr = view->order.key - view->order.columns;

	view->order.key = &view->order.columns[(nr + count + step) % count];
}

void view_print_words(const struct view *view, FILE *to)
{
	fprintf(to, "by %s%s", view->order.key->name,
		view->order.reverse ? ", reversed" : "");
	if (view->user)
		fprintf(to, ", user %llu", view->uid);
	if (view->process)
		fprintf(to, ", pid %llu", view->pid);
}

static bool has_uid(const struct view *view, __u64 uid)
{
	return !view->user || uid == view->uid;
}

static bool has_pid(const struct view *view, __u64 pid)
{
	return !view->process || pid == view->pid;
}

static bool has_client(const void *row, const void *view)
{
	const struct client *client = row;

	return has_uid(view, client->uid) && has_pid(view, client->pid);
}

/* A user of no client that is shown is no user of a process. */
static bool has_user(const void *row, const void *arg)
{
	const struct user *user = row;
	const struct view *view = arg;

	return has_uid(view, user->uid) && (!view->process || user->clients);
}

static bool has_channel(const void *row, const void *view)
{
	const struct channel *channel = row;

	return has_uid(view, channel->uid) && has_pid(view, channel->pid);
}

static void read_clients(struct view *view)
{
	struct rows *clients = &view->rows[VIEW_CLIENTS];

	clients_read(clients);
	view->all = clients->count;
	rows_filter(clients, has_client, view);
}

static void sum_by_user(struct view *view)
{
	struct rows *users = &view->rows[VIEW_USERS];

	users_sum(users, &view->rows[VIEW_CLIENTS]);
	rows_filter(users, has_user, view);
}

static void read_channels(struct view *view)
{
	struct rows *channels = &view->rows[VIEW_CHANNELS];

	channels_read(channels);
	rows_filter(channels, has_channel, view);
}

void view_read(struct view *view)
{
	switch (view->kind) {
	case VIEW_CHANNELS:
		read_channels(view);
		break;
	case VIEW_USERS:
		read_clients(view);
		sum_by_user(view);
		break;
	default:
		read_clients(view);
	}
	order_sort(&view->order, &view->rows[view->kind]);
}

void view_print(const struct view *view)
{
	const struct rows *rows = &view->rows[view->kind];
	struct list list = {
		.name = kind_of(view)->name,
		.columns = kind_of(view)->columns,
		.count = kind_of(view)->count,
		.width = 7,
	};
	size_t i;

	out_list_begin(&list);
	for (i = 0; i < rows->count; i++)
		out_list_row(&list, rows_at(rows, i));
	out_list_end(&list);
}

void view_free(struct view *view)
{
	size_t i;

	for (i = 0; i < VIEW_KINDS; i++)
		rows_free(&view->rows[i]);
}
