// SPDX-License-Identifier: MIT
/*
 * What each verb of the device costs, against a call that does nothing.
 */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cases.h"
#include "device.h"
#include "measure.h"

#define BLOCK	4096

static struct device client;
static unsigned int count;

static uint64_t empty_ioctl(void)
{
	return COST(device_call(&client, _IO(BUFPOOL_IOC_TYPE, 0xff), NULL));
}

static uint64_t getppid_call(void)
{
	return COST(syscall(SYS_getppid));
}

static uint64_t rent_alone(void)
{
	uint64_t cost = COST(device_rent(&client, BLOCK));

	device_return(&client, 0);
	return cost;
}

static uint64_t return_alone(void)
{
	device_rent(&client, BLOCK);
	return COST(device_return(&client, 0));
}

static uint64_t pair_with(unsigned int flags)
{
	uint64_t begin = now();

	device_rent(&client, BLOCK);
	device_return(&client, flags);
	return now() - begin;
}

static uint64_t pair_warm(void)
{
	return pair_with(0);
}

static uint64_t pair_depot(void)
{
	return pair_with(BUFPOOL_RETURN_REVOKE);
}

static uint64_t pair_depot_touched(void)
{
	uint64_t cost = COST(device_rent(&client, BLOCK));

	*device_at(&client) = 1;
	return cost + COST(device_return(&client, BUFPOOL_RETURN_REVOKE));
}

static uint64_t rent_depot(void)
{
	uint64_t cost = COST(device_rent(&client, BLOCK));

	device_return(&client, BUFPOOL_RETURN_REVOKE);
	return cost;
}

static uint64_t return_revoke(void)
{
	device_rent(&client, BLOCK);
	return COST(device_return(&client, BUFPOOL_RETURN_REVOKE));
}

static uint64_t first_touch(void)
{
	uint64_t cost;

	device_rent(&client, BLOCK);
	cost = COST(*device_at(&client) = 1);
	device_return(&client, BUFPOOL_RETURN_REVOKE);
	return cost;
}

static uint64_t revoke_touched(void)
{
	device_rent(&client, BLOCK);
	*device_at(&client) = 1;
	return COST(device_return(&client, BUFPOOL_RETURN_REVOKE));
}

static void copy_handles(void)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		client.handles[i] = client.many[i].handle;
}

static uint64_t rent_many(void)
{
	uint64_t cost = COST(device_rent_many(&client, BLOCK, count));

	copy_handles();
	device_return_many(&client, count, 0);
	return cost;
}

static uint64_t return_many(void)
{
	device_rent_many(&client, BLOCK, count);
	copy_handles();
	return COST(device_return_many(&client, count, 0));
}

static uint64_t info(void)
{
	return COST(device_info(&client));
}

static uint64_t stats(void)
{
	return COST(device_stats(&client));
}

static uint64_t limit(void)
{
	struct bufpool_limit limit = {
		.size = sizeof(limit),
		.ceiling = ~0ULL,
	};

	return COST(device_call(&client, BUFPOOL_IOC_LIMIT, &limit));
}

static uint64_t trim(void)
{
	device_rent(&client, BLOCK);
	device_return(&client, 0);
	return COST(device_trim(&client));
}

static void begin(void)
{
	device_open(&client);
	device_set("warm_blocks", BUFPOOL_MANY_MAX);
	device_rent(&client, BLOCK);
	device_map(&client);
	device_return(&client, BUFPOOL_RETURN_REVOKE);
}

static void end(void)
{
	device_unmap(&client);
	device_close(&client);
	device_set("warm_blocks", 64);
}

static void measure_many(unsigned int how_many)
{
	char name[32];

	count = how_many;
	snprintf(name, sizeof(name), "rent_many.%u", count);
	measure(name, rent_many, OFTEN, count);
	snprintf(name, sizeof(name), "return_many.%u", count);
	measure(name, return_many, OFTEN, count);
	device_trim(&client);
}

static void measure_warm(void)
{
	measure("rent.warm", rent_alone, OFTEN, 1);
	measure("return.warm", return_alone, OFTEN, 1);
	device_trim(&client);
}

void verbs_measure(void)
{
	begin();
	measure("ioctl.empty", empty_ioctl, OFTEN, 1);
	measure("getppid", getppid_call, OFTEN, 1);
	measure_warm();
	measure("pair.warm", pair_warm, OFTEN, 1);
	device_trim(&client);
	client.flags = BUFPOOL_RENT_IO;
	measure("pair.warm.io", pair_warm, OFTEN, 1);
	device_trim(&client);
	client.flags = 0;
	measure("pair.depot.untouched", pair_depot, OFTEN, 1);
	measure("pair.depot.touched", pair_depot_touched, OFTEN, 1);
	measure_many(1);
	measure_many(8);
	measure_many(64);
	measure_many(256);
	end();
}

void verbs_measure_growth(void)
{
	begin();
	measure("info", info, OFTEN, 1);
	measure("stats", stats, OFTEN, 1);
	measure("limit", limit, OFTEN, 1);
	measure("trim", trim, OFTEN, 1);
	measure_warm();
	measure_many(64);
	measure("rent.depot", rent_depot, OFTEN, 1);
	measure("return.revoke", return_revoke, OFTEN, 1);
	measure("touch.first", first_touch, OFTEN, 1);
	measure("revoke.touched", revoke_touched, OFTEN, 1);
	end();
}
