// SPDX-License-Identifier: MIT
/* The clients and what they hold, again and again. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "terminal.h"
#include "value.h"
#include "view.h"

/* Where the terminal has the line below the summary */
#define STATUS_ROW	3

/**
 * struct watch - one run of top
 * @fd: the device
 * @period: milliseconds between two frames
 * @count: how many frames; 0 is without an end
 * @live: on a terminal, with keys
 * @view: what is shown
 * @note: for the next frame, what was wrong with an answer
 */
struct watch {
	int fd;
	__u64 period;
	__u64 count;
	bool live;
	struct view view;
	char note[80];
};

/* Two lines, each of less than 80 characters */
static void print_summary(const struct watch *watch)
{
	struct bufpool_stats stats;

	device_stats(watch->fd, &stats);
	fprintf(out_file, "%zu clients, %llu waiting; %s pinned of %s\n", watch->view.all,
		stats.waiting, short_bytes(stats.pinned).text, short_bytes(stats.limit).text);
	fprintf(out_file, "%s in use, %s kept, %s warm, %s quarantined",
		short_bytes(stats.in_use - stats.kept).text, short_bytes(stats.kept).text,
		short_bytes(stats.warm).text, short_bytes(stats.quarantined).text);
	if (stats.in_channels != NO_NUMBER)
		fprintf(out_file, ", %s in channels", short_bytes(stats.in_channels).text);
	fputc('\n', out_file);
}

static void print_status(struct watch *watch)
{
	if (watch->live) {
		view_print_words(&watch->view, out_file);
		fprintf(out_file, "; %s", *watch->note ? watch->note :
			"keys: s S sort, r reverse, U users, u user, p pid, q quit");
		*watch->note = '\0';
	}
	fputc('\n', out_file);
}

static void print_frame(struct watch *watch)
{
	view_read(&watch->view);
	if (out_format == FORMAT_PEOPLE) {
		print_summary(watch);
		print_status(watch);
	}
	view_print(&watch->view);
}

static void draw_frame(struct watch *watch)
{
	char *frame = NULL;
	size_t size;

	out_file = open_memstream(&frame, &size);
	if (!out_file)
		fail_memory();
	print_frame(watch);
	if (fclose(out_file))
		fail_memory();
	out_file = stdout;
	terminal_draw(frame);
	free(frame);
}

/* What is asked for may not be there; nothing at all is all of them. */
static enum terminal_event ask(struct watch *watch, const char *question,
			       bool *filter,
			       bool (*set)(struct view *view, const char *text))
{
	char answer[40];
	enum terminal_event event;

	event = terminal_ask(STATUS_ROW, question, answer, sizeof(answer));
	if (event != TERMINAL_KEY)
		return event;
	if (!*answer)
		*filter = false;
	else if (!set(&watch->view, answer))
		snprintf(watch->note, sizeof(watch->note), "there is no %s %s",
			 question, answer);
	return event;
}

static enum terminal_event obey(struct watch *watch, char key)
{
	struct view *view = &watch->view;

	switch (key) {
	case 'q':
	case 'Q':
		return TERMINAL_QUIT;
	case 's':
		view_step_key(view, 1);
		break;
	case 'S':
		view_step_key(view, -1);
		break;
	case 'r':
		view->order.reverse = !view->order.reverse;
		break;
	case 'U':
		view_set_kind(view, view->kind == VIEW_USERS ? VIEW_CLIENTS : VIEW_USERS);
		break;
	case 'u':
		return ask(watch, "user", &view->user, view_set_user);
	case 'p':
		return ask(watch, "pid", &view->process, view_set_process);
	}
	return TERMINAL_KEY;
}

/*
 * When the next frame is due, after one that was due at @due. What was missed, by a program
 * that was stopped for long, is not made up for.
 */
static __u64 next_due(const struct watch *watch, __u64 due)
{
	__u64 now = clock_now();

	due += watch->period;
	return due < now ? now + watch->period : due;
}

static void run_live(struct watch *watch)
{
	enum terminal_event event = TERMINAL_TIMEOUT;
	__u64 next = clock_now(), frames = 0;
	char key;

	terminal_open();
	while (event != TERMINAL_QUIT) {
		draw_frame(watch);
		if (event == TERMINAL_TIMEOUT) {
			next = next_due(watch, next);
			frames++;
		}
		if (watch->count && frames > watch->count)
			break;
		event = terminal_wait(next, &key);
		if (event == TERMINAL_KEY)
			event = obey(watch, key);
	}
	terminal_close();
}

static void run_batch(struct watch *watch)
{
	__u64 next = clock_now(), frame;

	for (frame = 0; !watch->count || frame < watch->count; frame++) {
		if (frame) {
			next = next_due(watch, next);
			clock_sleep_until(next);
			if (out_format != FORMAT_JSON)
				fputc('\n', out_file);
		}
		print_frame(watch);
		fail_unless_written();
	}
}

/**
 * struct wishes - what the options ask for
 * @batch: no terminal
 * @counted: a number of frames
 * @key: the column to sort by, or NULL
 */
struct wishes {
	bool batch;
	bool counted;
	const char *key;
};

static void take_option(struct watch *watch, struct wishes *wishes, int option)
{
	switch (option) {
	case 'b':
		wishes->batch = true;
		break;
	case 'd':
		watch->period = value_milliseconds("the delay", optarg);
		break;
	case 'n':
		watch->count = value_number("COUNT", optarg, 0, MAX_COUNT);
		wishes->counted = true;
		break;
	case 'o':
		wishes->key = optarg;
		break;
	case 'U':
		view_set_kind(&watch->view, VIEW_USERS);
		break;
	default:
		view_take_option(&watch->view, option, optarg);
	}
}

static void take_options(struct watch *watch, int argc, char **argv)
{
	struct wishes wishes = { };
	int option;

	while ((option = cli_option(argc, argv, "bd:n:o:p:ru:U")) != -1)
		take_option(watch, &wishes, option);
	cli_arguments(argc, 0);
	if (!watch->period)
		fail_usage("the delay is more than 0");
	/* which columns there are is known when all options are */
	if (wishes.key)
		view_take_option(&watch->view, 'o', wishes.key);
	watch->live = !wishes.batch && out_format == FORMAT_PEOPLE &&
		      terminal_is_there();
	if (!watch->live && !wishes.counted)
		watch->count = 1;
}

void top_run(int argc, char **argv)
{
	struct watch watch = { .period = 2000 };

	view_set_kind(&watch.view, VIEW_CLIENTS);
	take_options(&watch, argc, argv);
	watch.fd = device_open();
	if (watch.live)
		run_live(&watch);
	else
		run_batch(&watch);
	view_free(&watch.view);
}
