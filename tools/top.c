// SPDX-License-Identifier: MIT
/* The clients and what they hold, again and again. */
#include <getopt.h>
#include <stdlib.h>

#include "cli.h"
#include "clients.h"
#include "clock.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "terminal.h"
#include "value.h"

/**
 * struct watch - one run of top
 * @fd: the device
 * @period: milliseconds between two frames
 * @count: how many frames; 0 is without an end
 * @clients: as last read
 */
struct watch {
	int fd;
	__u64 period;
	__u64 count;
	struct clients clients;
};

static void print_summary(const struct watch *watch)
{
	struct bufpool_stats stats;

	device_stats(watch->fd, &stats);
	fprintf(out_file,
		"%zu clients, %llu waiting; %s in use, %s warm, %s pinned of %s\n\n",
		watch->clients.count, stats.waiting,
		short_bytes(stats.in_use).text, short_bytes(stats.warm).text,
		short_bytes(stats.pinned).text, short_bytes(stats.limit).text);
}

static void print_frame(struct watch *watch)
{
	struct list list = {
		.name = "clients",
		.columns = client_columns,
		.count = CLIENT_COLUMNS,
		.width = 7,
	};
	size_t i;

	clients_read(&watch->clients);
	if (out_format == FORMAT_PEOPLE)
		print_summary(watch);
	out_list_begin(&list);
	for (i = 0; i < watch->clients.count; i++)
		out_list_row(&list, &watch->clients.list[i]);
	out_list_end(&list);
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

static void run_live(struct watch *watch)
{
	enum terminal_event event = TERMINAL_TIMEOUT;
	__u64 next = clock_now(), frames = 0;

	terminal_open();
	while (event != TERMINAL_QUIT) {
		draw_frame(watch);
		if (event == TERMINAL_TIMEOUT) {
			next += watch->period;
			frames++;
		}
		if (watch->count && frames > watch->count)
			break;
		event = terminal_wait(next);
	}
	terminal_close();
}

static void run_batch(struct watch *watch)
{
	__u64 next = clock_now(), frame;

	for (frame = 0; !watch->count || frame < watch->count; frame++) {
		if (frame) {
			next += watch->period;
			clock_sleep_until(next);
			if (out_format != FORMAT_JSON)
				fputc('\n', out_file);
		}
		print_frame(watch);
		fflush(out_file);
	}
}

void top_run(int argc, char **argv)
{
	struct watch watch = { .period = 2000 };
	bool batch = false, counted = false;
	int option;

	while ((option = cli_option(argc, argv, "bd:n:")) != -1) {
		if (option == 'b') {
			batch = true;
		} else if (option == 'd') {
			watch.period = value_milliseconds("the delay", optarg);
		} else {
			watch.count = value_number("COUNT", optarg, 0, MAX_COUNT);
			counted = true;
		}
	}
	cli_arguments(argc, 0);
	if (!watch.period)
		fail_usage("the delay is more than 0");
	batch = batch || out_format != FORMAT_PEOPLE || !terminal_is_there();
	if (batch && !counted)
		watch.count = 1;
	watch.fd = device_open();
	if (batch)
		run_batch(&watch);
	else
		run_live(&watch);
	clients_free(&watch.clients);
}
