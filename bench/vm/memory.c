// SPDX-License-Identifier: MIT
/* What it costs to reach a block's memory, and to lose it again. */
#include <stdio.h>
#include <sys/resource.h>

#include "cases.h"
#include "device.h"
#include "measure.h"
#include "pages.h"

static struct device client;
static size_t size, touched;

/* What one entry maps */
#define HUGE	(2UL << 20)

static unsigned long faults(void)
{
	struct rusage usage;

	MUST(!getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

static uint64_t first_touch(void)
{
	uint64_t cost;

	device_rent(&client, size);
	cost = COST(pages_touch(device_at(&client), touched));
	device_return(&client, BUFPOOL_RETURN_REVOKE);
	return cost;
}

static uint64_t count_faults(void)
{
	unsigned long before;

	device_rent(&client, size);
	before = faults();
	pages_touch(device_at(&client), touched);
	before = faults() - before;
	device_return(&client, BUFPOOL_RETURN_REVOKE);
	return before;
}

static uint64_t revoke(void)
{
	device_rent(&client, size);
	pages_touch(device_at(&client), touched);
	return COST(device_return(&client, BUFPOOL_RETURN_REVOKE));
}

static uint64_t use_warm(void)
{
	uint64_t begin = now();

	device_rent(&client, size);
	pages_touch(device_at(&client), touched);
	device_return(&client, 0);
	return now() - begin;
}

/* Of a slab that has just been made, in a mapping that is there. */
static uint64_t count_cold_faults(void)
{
	device_give_back();
	return count_faults();
}

static uint64_t use_cold(void)
{
	uint64_t cost;

	device_give_back();
	cost = COST(device_rent(&client, size));
	cost += COST(pages_touch(device_at(&client), touched));
	device_return(&client, BUFPOOL_RETURN_REVOKE);
	return cost;
}

static void begin(size_t bytes, unsigned int flags)
{
	size = bytes;
	/* to write to all of what one entry maps takes longer than to map it */
	touched = size < HUGE ? size : PAGE;
	client.flags = flags;
	device_open(&client);
	device_rent(&client, size);
	device_map(&client);
	device_return(&client, BUFPOOL_RETURN_REVOKE);
}

static void end(void)
{
	device_unmap(&client);
	device_close(&client);
}

static void measure_size(const char *name, size_t bytes, unsigned int flags)
{
	char text[32];

	begin(bytes, flags);
	snprintf(text, sizeof(text), "touch.first.%s", name);
	measure(text, first_touch, SOME, 1);
	snprintf(text, sizeof(text), "touch.first.%s.faults", name);
	report(text, count_faults());
	snprintf(text, sizeof(text), "revoke.%s", name);
	measure(text, revoke, SOME, 1);
	snprintf(text, sizeof(text), "use.warm.%s", name);
	measure(text, use_warm, SOME, 1);
	end();
}

void memory_measure(void)
{
	measure_size("4k", 4096, 0);
	measure_size("64k", 64 << 10, 0);
	measure_size("1m", 1 << 20, 0);
	measure_size("2m", HUGE, 0);
	measure_size("io.4k", 4096, BUFPOOL_RENT_IO);
	measure_size("io.1m", 1 << 20, BUFPOOL_RENT_IO);
	measure_size("io.2m", HUGE, BUFPOOL_RENT_IO);
	begin(1 << 20, 0);
	measure("use.cold.1m", use_cold, SOME, 1);
	report("touch.cold.1m.faults", count_cold_faults());
	end();
}
