/* SPDX-License-Identifier: MIT */
/* A view of the clients: which of them, alone or summed by user, and in which order. */
#ifndef BUFPOOLCTL_VIEW_H
#define BUFPOOLCTL_VIEW_H

#include "clients.h"
#include "order.h"
#include "users.h"

/**
 * struct view - what is shown
 * @by_user: a row for each user, not for each client
 * @order: of the rows
 * @user: only clients of @uid
 * @process: only clients of @pid
 * @uid: of the user
 * @pid: of the process
 * @clients: as last read, without those that are not shown
 * @users: the same, summed
 * @all: how many clients there were
 */
struct view {
	bool by_user;
	struct order order;
	bool user;
	bool process;
	__u64 uid;
	__u64 pid;
	struct clients clients;
	struct users users;
	size_t all;
};

/* Rows for users or for clients, and by what they hold until told otherwise. */
void view_set_rows(struct view *view, bool by_user);

/* Return: whether @text is a column, a user or a number; if not, nothing changes. */
bool view_set_key(struct view *view, const char *text);
bool view_set_user(struct view *view, const char *text);
bool view_set_process(struct view *view, const char *text);

/* Sort by the column that is @step further. */
void view_step_key(struct view *view, int step);

/* The names of its columns, with spaces between. */
void view_print_keys(const struct view *view, FILE *to);
/* In a few words, how it is sorted and what is left out. */
void view_print_words(const struct view *view, FILE *to);

void view_read(struct view *view);
/* Print what was read. */
void view_print(const struct view *view);
void view_free(struct view *view);

#endif
