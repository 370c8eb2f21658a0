/* SPDX-License-Identifier: MIT */
/*
 * A view of what the module lists: clients, alone or summed by user, or channels; which
 * of them, and in which order.
 */
#ifndef BUFPOOLCTL_VIEW_H
#define BUFPOOLCTL_VIEW_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#include "order.h"
#include "rows.h"

enum view_kind {
	VIEW_CLIENTS,
	VIEW_USERS,
	VIEW_CHANNELS,
	VIEW_KINDS
};

/**
 * struct view - what is shown
 * @kind: of what is a row
 * @order: of the rows
 * @user: only those of @uid
 * @process: only those of @pid
 * @uid: of the user
 * @pid: of the process
 * @rows: as last read, without those that are not shown; of users with those who are
 *	charged without a client
 * @all: how many clients there were, where they were read
 */
struct view {
	enum view_kind kind;
	struct order order;
	bool user;
	bool process;
	__u64 uid;
	__u64 pid;
	struct rows rows[VIEW_KINDS];
	size_t all;
};

/* Rows of one kind, in the order that these have until told otherwise. */
void view_set_kind(struct view *view, enum view_kind kind);

/* Return: whether @text is a user or a number; if not, nothing changes. */
bool view_set_user(struct view *view, const char *text);
bool view_set_process(struct view *view, const char *text);

/* What the option -o, -p, -r or -u says, with its @value; a bad one ends the program. */
void view_take_option(struct view *view, int option, const char *value);

/* Sort by the column that is @step further. */
void view_step_key(struct view *view, int step);

/* In a few words, how it is sorted and what is left out. */
void view_print_words(const struct view *view, FILE *to);

void view_read(struct view *view);
/* Print what was read. */
void view_print(const struct view *view);
void view_free(struct view *view);

#endif
