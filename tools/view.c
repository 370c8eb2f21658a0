// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>

#include "out.h"
#include "value.h"
#include "view.h"

static size_t column_count(const struct view *view)
{
	return view->by_user ? USER_COLUMNS : CLIENT_COLUMNS;
}

void view_set_rows(struct view *view, bool by_user)
{
	view->by_user = by_user;
	view->order.columns = by_user ? user_columns : client_columns;
	view_set_key(view, by_user ? "pinned" : "held");
}

bool view_set_key(struct view *view, const char *text)
{
	const struct column *key;

	key = column_find(view->order.columns, column_count(view), text);
	if (key)
		view->order.key = key;
	return key;
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

void view_step_key(struct view *view, int step)
{
	size_t count = column_count(view);
	size_t nr = view->order.key - view->order.columns;

	view->order.key = &view->order.columns[(nr + count + step) % count];
}

void view_print_keys(const struct view *view, FILE *to)
{
	size_t i;

	for (i = 0; i < column_count(view); i++)
		fprintf(to, "%s%s", i ? " " : "", view->order.columns[i].name);
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

static bool has(const struct view *view, const struct client *client)
{
	return (!view->user || client->uid == view->uid) &&
	       (!view->process || client->pid == view->pid);
}

static void leave_out(struct view *view)
{
	struct clients *clients = &view->clients;
	size_t i, kept = 0;

	for (i = 0; i < clients->count; i++)
		if (has(view, &clients->list[i]))
			clients->list[kept++] = clients->list[i];
	clients->count = kept;
}

/**
 * struct rows - what is sorted and printed
 * @list: the first of them
 * @count: how many
 * @size: bytes in each
 */
struct rows {
	char *list;
	size_t count;
	size_t size;
};

static struct rows rows_of(const struct view *view)
{
	if (view->by_user)
		return (struct rows){ (char *)view->users.list,
				      view->users.count, sizeof(struct user) };
	return (struct rows){ (char *)view->clients.list, view->clients.count,
			      sizeof(struct client) };
}

void view_read(struct view *view)
{
	struct rows rows;

	clients_read(&view->clients);
	view->all = view->clients.count;
	leave_out(view);
	if (view->by_user)
		users_sum(&view->users, &view->clients);
	rows = rows_of(view);
	order_sort(&view->order, rows.list, rows.count, rows.size);
}

void view_print(const struct view *view)
{
	struct list list = {
		.name = view->by_user ? "users" : "clients",
		.columns = view->order.columns,
		.count = column_count(view),
		.width = 7,
	};
	struct rows rows = rows_of(view);
	size_t i;

	out_list_begin(&list);
	for (i = 0; i < rows.count; i++)
		out_list_row(&list, rows.list + i * rows.size);
	out_list_end(&list);
}

void view_free(struct view *view)
{
	clients_free(&view->clients);
	users_free(&view->users);
}
