// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "array.h"
#include "budget.h"
#include "class.h"
#include "column.h"
#include "device.h"
#include "module.h"
#include "out.h"
#include "prometheus.h"

/**
 * struct metric - what one name stands for
 * @name: without the prefix that all have
 * @help: a sentence
 * @value: where it is
 */
struct metric {
	const char *name;
	const char *help;
	struct column value;
};

#define METRIC(_struct, _member, _name, _help)	\
	{ _name, _help, { .offset = offsetof(struct _struct, _member) } }

static const struct metric gauges[] = {
	METRIC(bufpool_stats, in_use, "in_use_bytes", "Bytes in blocks that are rented."),
	METRIC(bufpool_stats, warm, "warm_bytes",
	       "Bytes in returned blocks that are kept mapped for their client."),
	METRIC(bufpool_stats, kept, "kept_bytes",
	       "Bytes of those in use that programs keep for their next rents."),
	METRIC(bufpool_stats, pinned, "pinned_bytes",
	       "Bytes that the pool has taken from the system."),
	METRIC(bufpool_stats, idle, "idle_bytes",
	       "Bytes of those pinned that no user is charged for."),
	METRIC(bufpool_stats, quarantined, "quarantined_bytes",
	       "Bytes of those pinned that were given back and are reached from outside still."),
	METRIC(bufpool_stats, in_channels, "in_channels_bytes",
	       "Bytes of those pinned that were sent and not received yet."),
	METRIC(bufpool_stats, limit, "limit_bytes", "Bytes that the pool may hold."),
	METRIC(bufpool_stats, clients, "clients",
	       "Open file descriptions of the device."),
	METRIC(bufpool_stats, channels, "channels", "Channels that have an end open."),
	METRIC(bufpool_stats, waiting, "waiting_rents",
	       "Rents that wait for a block."),
};

static const struct metric counters[] = {
	METRIC(bufpool_stats, rents, "rents_total", "Blocks rented."),
	METRIC(bufpool_stats, reused, "reused_total",
	       "Blocks rented that had been rented before."),
	METRIC(bufpool_stats, returns, "returns_total",
	       "Blocks that came back, from clients that ended too."),
	METRIC(bufpool_stats, waits, "waits_total", "Rents that had to wait."),
	METRIC(bufpool_stats, steals, "steals_total",
	       "Warm blocks that were taken from their client for another renter."),
	METRIC(bufpool_stats, scrubs, "scrubs_total",
	       "Free blocks that were zeroed in the background."),
	METRIC(bufpool_stats, sent, "sent_total", "Blocks sent into channels."),
	METRIC(bufpool_stats, received, "received_total",
	       "Blocks received from channels."),
	METRIC(bufpool_stats, slabs_created, "slabs_created_total",
	       "Slabs taken from the system."),
	METRIC(bufpool_stats, slabs_destroyed, "slabs_destroyed_total",
	       "Slabs given back to the system."),
	METRIC(bufpool_stats, refused_waiters, "refused_waiters_total",
	       "Rents that failed for a quota, which was that of waiters of a user."),
	METRIC(bufpool_stats, refused_clients, "refused_clients_total",
	       "Opens of the device that failed, for too many of their user."),
};

static const struct metric class_gauges[] = {
	METRIC(class, slabs, "class_slabs", "Slabs of a class, a block size and a backing."),
	METRIC(class, idle_slabs, "class_idle_slabs",
	       "Slabs of a class without a block that is out."),
	METRIC(class, free, "class_free_blocks", "Free blocks of a class."),
	METRIC(class, out, "class_out_blocks",
	       "Blocks of a class that are rented, warm or quarantined."),
	METRIC(class, waiting, "class_waiting_rents",
	       "Rents that wait for a block of a class."),
};

/* The reasons are labels of one metric. */
static const struct metric refusals[] = {
	METRIC(bufpool_stats, refused_again, "again", NULL),
	METRIC(bufpool_stats, refused_quota, "quota", NULL),
	METRIC(bufpool_stats, refused_memory, "memory", NULL),
	METRIC(bufpool_stats, timeouts, "timeout", NULL),
};

static void print_head(const char *name, const char *help, const char *type)
{
	fprintf(out_file, "# HELP bufpool_%s %s\n# TYPE bufpool_%s %s\n",
		name, help, name, type);
}

/* What the module does not know is no metric. */
static void print_metrics(const struct metric *metrics, size_t count,
			  const char *type, const void *from)
{
	__u64 number;
	size_t i;

	for (i = 0; i < count; i++) {
		number = column_number(&metrics[i].value, from);
		if (number == NO_NUMBER)
			continue;
		print_head(metrics[i].name, metrics[i].help, type);
		fprintf(out_file, "bufpool_%s %llu\n", metrics[i].name, number);
	}
}

static void print_refusals(const struct bufpool_stats *stats)
{
	size_t i;

	print_head("refused_rents_total",
		   "Rents that failed, by reason: none free and no wait wanted, a quota or ceiling, no memory, waited in vain.",
		   "counter");
	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		fprintf(out_file,
			"bufpool_refused_rents_total{reason=\"%s\"} %llu\n",
			refusals[i].name,
			column_number(&refusals[i].value, stats));
}

static void print_quota(void)
{
	__u64 quota = quota_read();

	print_head("user_quota_bytes", "Bytes that each user may hold.",
		   "gauge");
	if (quota == NO_LIMIT)
		fputs("bufpool_user_quota_bytes +Inf\n", out_file);
	else
		fprintf(out_file, "bufpool_user_quota_bytes %llu\n", quota);
}

static void print_class_metric(const struct metric *metric,
			       const struct class *classes, size_t count)
{
	size_t i;

	print_head(metric->name, metric->help, "gauge");
	for (i = 0; i < count; i++)
		fprintf(out_file,
			"bufpool_%s{block_size=\"%llu\",backing=\"%s\"} %llu\n",
			metric->name, classes[i].block_size, classes[i].backing,
			column_number(&metric->value, &classes[i]));
}

static void print_classes(void)
{
	struct class *classes;
	size_t count, i;

	count = class_read_all(&classes);
	for (i = 0; count && i < ARRAY_SIZE(class_gauges); i++)
		print_class_metric(&class_gauges[i], classes, count);
	free(classes);
}

/* A label without a value is as good as none. */
static void print_module(int fd)
{
	struct bufpool_info info;

	device_info(fd, &info);
	print_head("module_info", "The module that is loaded.", "gauge");
	fprintf(out_file,
		"bufpool_module_info{version=\"%s\",abi_version=\"%u\"} 1\n",
		module_version().text, info.abi_version);
}

void prometheus_print(int fd)
{
	struct bufpool_stats stats;

	device_stats(fd, &stats);
	print_module(fd);
	print_metrics(gauges, ARRAY_SIZE(gauges), "gauge", &stats);
	print_metrics(counters, ARRAY_SIZE(counters), "counter", &stats);
	print_refusals(&stats);
	print_quota();
	print_classes();
}
