// SPDX-License-Identifier: MIT
/*
 * Nothing but the call itself is counted. The caller runs under SCHED_FIFO on the
 * only processor, so the tasks that a call wakes, and the work items and RCU
 * callbacks that it leaves to the kernel, run when the caller sleeps next, and are
 * in no count.
 */
#include <errno.h>
#include <poll.h>

#include "calls.h"
#include "crowd.h"
#include "device.h"
#include "full.h"
#include "measure.h"
#include "pages.h"
#include "tasks.h"
#include "user.h"

#define LARGER_WAITERS	8

#define NO_QUOTA	0x7fffffffffffffffULL

static struct device caller;

/* A client of an ordinary user. */
static struct device subject;

static uint64_t pair_with(unsigned int flags)
{
	uint64_t begin;

	tasks_settle();
	crowd_rearm();
	begin = now();
	device_return(&caller, flags);
	device_rent(&caller, PAGE);
	return now() - begin;
}

static uint64_t pair_warm(void)
{
	return pair_with(0);
}

static uint64_t pair_revoke(void)
{
	return pair_with(BUFPOOL_RETURN_REVOKE);
}

static uint64_t open_client(void)
{
	struct device client;
	uint64_t cost = COST(device_open(&client));

	device_close(&client);
	return cost;
}

static uint64_t close_client(void)
{
	struct device client;

	device_open(&client);
	return COST(device_close(&client));
}

static uint64_t refused(void)
{
	struct device client = { .fd = caller.fd };

	return COST(device_rent_refused(&client, PAGE, EAGAIN));
}

static uint64_t poll_full(void)
{
	short events = 0;
	uint64_t cost = COST(events = device_poll(&caller));

	MUST(!(events & POLLIN));
	return cost;
}

static uint64_t over_quota(void)
{
	return COST(device_rent_refused(&subject, PAGE, EDQUOT));
}

static uint64_t steal(void)
{
	struct device thief = { .fd = caller.fd };
	uint64_t steals = device_stats(&caller).steals;
	uint64_t cost = COST(device_rent(&thief, PAGE));

	MUST(device_stats(&caller).steals == steals + 1);
	device_return(&thief, BUFPOOL_RETURN_REVOKE);
	crowd_keep_warm_at(thief.rent.offset);
	return cost;
}

static uint64_t return_block(void)
{
	tasks_settle();
	return full_return();
}

static void wait_for_larger(unsigned int nr)
{
	struct device client = { .fd = caller.fd };

	device_rent_waiting(&client, (size_t)PAGE << (nr + 1));
}

void calls_begin(void)
{
	device_open(&caller);
	full_give();
	device_rent(&caller, PAGE);
}

void calls_end(void)
{
	device_close(&caller);
}

void calls_measure_pairs(void)
{
	measure("pair.warm", pair_warm, SOME, 1);
	measure("pair.revoke", pair_revoke, SOME, 1);
}

void calls_measure_open(void)
{
	measure("open", open_client, SOME, 1);
	measure("close", close_client, SOME, 1);
}

void calls_measure_refusal(void)
{
	measure("rent.refused", refused, SOME, 1);
	measure("poll.full", poll_full, SOME, 1);
}

void calls_measure_quota(void)
{
	device_set("quota", PAGE);
	user_open(&subject);
	full_give_slab();
	device_rent(&subject, PAGE);
	measure("rent.over-quota", over_quota, SOME, 1);
	device_close(&subject);
	device_set("quota", NO_QUOTA);
	/* the pool is to be full again */
	full_take_slab();
}

void calls_measure_steal(void)
{
	measure("rent.steal", steal, SOME, 1);
}

void calls_measure_return(void)
{
	measure("return", return_block, SOME, 1);
}

void calls_measure_return_beside_larger(void)
{
	tasks_start(LARGER_WAITERS, wait_for_larger);
	MUST(device_stats(&caller).waiting == LARGER_WAITERS);
	measure("return.larger-waiters", return_block, SOME, 1);
	tasks_end();
}
