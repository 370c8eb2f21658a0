// SPDX-License-Identifier: MIT
/* The pool's numbers, once or again and again. */
#include <getopt.h>

#include "array.h"
#include "cli.h"
#include "clock.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "prometheus.h"
#include "value.h"

/* Lines for people between two headers. */
#define LINES_PER_HEADER	20

#define MEMBER(_kind, _name)	\
	{ #_name, NULL, _kind, offsetof(struct bufpool_stats, _name) }

static const struct column once_columns[] = {
	MEMBER(KIND_BYTES, in_use),
	MEMBER(KIND_BYTES, warm),
	MEMBER(KIND_BYTES, kept),
	MEMBER(KIND_BYTES, pinned),
	MEMBER(KIND_BYTES, idle),
	MEMBER(KIND_BYTES, quarantined),
	MEMBER(KIND_BYTES, in_channels),
	MEMBER(KIND_BYTES, limit),
	MEMBER(KIND_COUNT, clients),
	MEMBER(KIND_COUNT, channels),
	MEMBER(KIND_COUNT, waiting),
	MEMBER(KIND_COUNT, rents),
	MEMBER(KIND_COUNT, reused),
	MEMBER(KIND_COUNT, returns),
	MEMBER(KIND_COUNT, waits),
	MEMBER(KIND_COUNT, steals),
	MEMBER(KIND_COUNT, scrubs),
	MEMBER(KIND_COUNT, sent),
	MEMBER(KIND_COUNT, received),
	MEMBER(KIND_COUNT, slabs_created),
	MEMBER(KIND_COUNT, slabs_destroyed),
	MEMBER(KIND_COUNT, refused_again),
	MEMBER(KIND_COUNT, refused_quota),
	MEMBER(KIND_COUNT, refused_memory),
	MEMBER(KIND_COUNT, timeouts),
	MEMBER(KIND_COUNT, refused_waiters),
	MEMBER(KIND_COUNT, refused_clients),
	MEMBER(KIND_BYTES, user_held),
	MEMBER(KIND_BYTES, user_quota),
	MEMBER(KIND_BYTES, user_quarantined),
};

/**
 * struct sample - one line of many
 * @level: how it is at its end
 * @rate: of what only grows: thousandths per second, since the line before
 * @failed: the rate of rents that were refused or timed out
 */
struct sample {
	struct bufpool_stats level;
	struct bufpool_stats rate;
	__u64 failed;
};

#define LEVEL(_kind, _name, _label)	\
	{ #_name, _label, _kind, offsetof(struct sample, level._name) }
#define RATE(_name, _label)	\
	{ #_name, _label, KIND_RATE, offsetof(struct sample, rate._name) }

/* Without a label it is for scripts only: a line is to fit on a terminal. */
static const char group_header[] =
	"------- bytes -------- clients ------------------ per second ------------------\n";

static const struct column sample_columns[] = {
	LEVEL(KIND_BYTES, in_use, "in-use"),
	LEVEL(KIND_BYTES, warm, "warm"),
	LEVEL(KIND_BYTES, kept, NULL),
	LEVEL(KIND_BYTES, pinned, "pinned"),
	LEVEL(KIND_BYTES, quarantined, NULL),
	LEVEL(KIND_BYTES, in_channels, NULL),
	LEVEL(KIND_COUNT, clients, "all"),
	LEVEL(KIND_COUNT, waiting, "wait"),
	RATE(rents, "rent"),
	RATE(reused, "reuse"),
	RATE(returns, "back"),
	RATE(waits, "wait"),
	RATE(steals, "steal"),
	RATE(scrubs, NULL),
	RATE(sent, NULL),
	RATE(received, NULL),
	RATE(slabs_created, "slab+"),
	RATE(slabs_destroyed, "slab-"),
	RATE(refused_again, NULL),
	RATE(refused_quota, NULL),
	RATE(refused_memory, NULL),
	RATE(timeouts, NULL),
	{ "failed", "fail", KIND_RATE, offsetof(struct sample, failed) },
};

static __u64 per_second(__u64 before, __u64 after, __u64 ms)
{
	if (after == NO_NUMBER)
		return NO_NUMBER;
	return (after - before) * 1000000 / ms;
}

static void measure_refusals(struct sample *sample,
			     const struct bufpool_stats *before, __u64 ms)
{
	const struct bufpool_stats *after = &sample->level;
	struct bufpool_stats *rate = &sample->rate;

	rate->refused_again = per_second(before->refused_again,
					 after->refused_again, ms);
	rate->refused_quota = per_second(before->refused_quota,
					 after->refused_quota, ms);
	rate->refused_memory = per_second(before->refused_memory,
					  after->refused_memory, ms);
	rate->timeouts = per_second(before->timeouts, after->timeouts, ms);
	sample->failed = rate->refused_again + rate->refused_quota +
			 rate->refused_memory + rate->timeouts;
}

static void measure(struct sample *sample, const struct bufpool_stats *before,
		    __u64 ms)
{
	const struct bufpool_stats *after = &sample->level;
	struct bufpool_stats *rate = &sample->rate;

	rate->rents = per_second(before->rents, after->rents, ms);
	rate->reused = per_second(before->reused, after->reused, ms);
	rate->returns = per_second(before->returns, after->returns, ms);
	rate->waits = per_second(before->waits, after->waits, ms);
	rate->steals = per_second(before->steals, after->steals, ms);
	rate->scrubs = per_second(before->scrubs, after->scrubs, ms);
	rate->sent = per_second(before->sent, after->sent, ms);
	rate->received = per_second(before->received, after->received, ms);
	rate->slabs_created = per_second(before->slabs_created,
					 after->slabs_created, ms);
	rate->slabs_destroyed = per_second(before->slabs_destroyed,
					   after->slabs_destroyed, ms);
	measure_refusals(sample, before, ms);
}

static void print_header(struct list *list)
{
	if (out_format == FORMAT_PEOPLE)
		fputs(group_header, out_file);
	out_list_begin(list);
}

static void print_sample(struct list *list, const struct sample *sample)
{
	if (out_format == FORMAT_PEOPLE && list->rows == LINES_PER_HEADER)
		print_header(list);
	out_list_row(list, sample);
	fail_unless_written();
}

static void watch(int fd, __u64 period, __u64 count)
{
	struct list list = {
		.columns = sample_columns,
		.count = ARRAY_SIZE(sample_columns),
		.width = 5,
	};
	__u64 then = clock_now(), now, i;
	struct bufpool_stats before;
	struct sample sample;

	device_stats(fd, &before);
	print_header(&list);
	fail_unless_written();
	for (i = 0; !count || i < count; i++) {
		clock_sleep_until(then + period);
		now = clock_now();
		device_stats(fd, &sample.level);
		measure(&sample, &before, now - then);
		print_sample(&list, &sample);
		before = sample.level;
		then = now;
	}
}

void stat_run(int argc, char **argv)
{
	__u64 period = 0, count = 0;
	struct bufpool_stats stats;

	cli_option(argc, argv, "");
	cli_arguments(argc, 2);
	if (optind < argc) {
		period = value_milliseconds("SECONDS", argv[optind]);
		if (!period)
			fail_usage("SECONDS is more than 0");
	}
	if (optind + 1 < argc)
		count = value_number("COUNT", argv[optind + 1], 1, MAX_COUNT);
	if (out_format == FORMAT_PROMETHEUS) {
		if (period)
			fail_usage("--prometheus is of one moment: leave SECONDS out");
		prometheus_print(device_open());
	} else if (period) {
		watch(device_open(), period, count);
	} else {
		device_stats(device_open(), &stats);
		out_record(once_columns, ARRAY_SIZE(once_columns), &stats);
	}
}
