// SPDX-License-Identifier: MIT
/*
 * Whether a call costs more the more strangers there are: clients that hold
 * nothing, or a warm block; the caller's user's own; descriptors in an epoll set;
 * tasks that sleep in poll(), or wait for a block.
 *
 * Beside waiters there is no pair: the block that is returned is theirs, or its slab is
 * drained for them; see neighbours.c.
 */
#include <poll.h>
#include <sched.h>

#include "calls.h"
#include "cases.h"
#include "crowd.h"
#include "device.h"
#include "full.h"
#include "measure.h"
#include "pages.h"
#include "tasks.h"
#include "user.h"

#define LARGE	(1024 * 1024)

/* The client of all tasks, so that what is counted is tasks and not clients. */
static struct device shared;

static void poll_for_ever(unsigned int nr)
{
	struct pollfd poll_fd = { .fd = shared.fd, .events = POLLIN };

	(void)nr;
	MUST(poll(&poll_fd, 1, -1) == 1);
}

static void wait_for(size_t size)
{
	struct device client = { .fd = shared.fd };

	device_rent_waiting(&client, size);
}

static void wait_for_page(unsigned int nr)
{
	(void)nr;
	wait_for(PAGE);
}

static void wait_for_large(unsigned int nr)
{
	(void)nr;
	wait_for(LARGE);
}

static void start(unsigned int count, task_fn *call)
{
	device_open(&shared);
	tasks_start(count, call);
}

static void start_waiters(unsigned int count, task_fn *call)
{
	start(count, call);
	MUST(device_stats(&shared).waiting == count);
}

static void end_tasks(void)
{
	tasks_end();
	device_close(&shared);
}

static void join_warm(unsigned int count)
{
	crowd_join(count);
	crowd_keep_warm();
}

static void join_own(unsigned int count)
{
	user_enter();
	crowd_join(count);
	user_leave();
}

static void join_epoll(unsigned int count)
{
	crowd_join(count);
	crowd_register();
}

static void join_epoll_armed(unsigned int count)
{
	crowd_join(count);
	crowd_arm();
}

static void start_pollers(unsigned int count)
{
	start(count, poll_for_ever);
}

/* They are behind the waiter that a return serves. */
static void start_waiters_page(unsigned int count)
{
	start_waiters(count + 1, wait_for_page);
}

static void start_waiters_large(unsigned int count)
{
	start_waiters(count, wait_for_large);
}

static void measure_beside_clients(void)
{
	calls_measure_pairs();
	calls_measure_open();
	calls_measure_refusal();
	calls_measure_quota();
	calls_measure_return_beside_larger();
}

static void measure_beside_warm(void)
{
	calls_measure_pairs();
	calls_measure_open();
	calls_measure_steal();
}

static void measure_beside_own(void)
{
	calls_measure_quota();
}

static void measure_beside_pollers(void)
{
	calls_measure_pairs();
	calls_measure_open();
	calls_measure_refusal();
}

static void measure_beside_registered(void)
{
	measure_beside_pollers();
	calls_measure_return_beside_larger();
}

static void measure_beside_waiters(void)
{
	calls_measure_open();
	calls_measure_refusal();
	calls_measure_return();
}

/* How they come, what is counted beside them, and how they go. */
static const struct strangers {
	const char *axis;
	void (*come)(unsigned int count);
	void (*measure)(void);
	void (*go)(void);
} kinds[] = {
	{ "empty-clients", crowd_join, measure_beside_clients, crowd_leave },
	{ "warm-clients", join_warm, measure_beside_warm, crowd_leave },
	{ "own-clients", join_own, measure_beside_own, crowd_leave },
	{ "idle-pollers", join_epoll, measure_beside_registered, crowd_leave },
	{ "armed-pollers", join_epoll_armed, measure_beside_pollers,
	  crowd_leave },
	{ "sleeping-pollers", start_pollers, measure_beside_pollers,
	  end_tasks },
	{ "waiters-4k", start_waiters_page, measure_beside_waiters,
	  end_tasks },
	{ "waiters-1m", start_waiters_large, measure_beside_waiters,
	  end_tasks },
};

static void measure_kind(const struct strangers *kind, unsigned int count)
{
	full_begin();
	calls_begin();
	kind->come(count);
	measure_at(kind->axis, count);
	kind->measure();
	kind->go();
	calls_end();
	full_end();
}

/* So that no task that a call wakes runs before the call is over. */
static void schedule(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	MUST(!sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param));
}

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

void strangers_measure(void)
{
	static const unsigned int counts[] = { 1, 100, 10000 };
	unsigned int i, j;

	schedule(SCHED_FIFO, 1);
	/* nothing becomes old in between */
	device_set("trim_ms", 3600000);
	for (i = 0; i < COUNT(kinds); i++)
		for (j = 0; j < COUNT(counts); j++)
			measure_kind(&kinds[i], counts[j]);
	measure_at(NULL, 0);
	schedule(SCHED_OTHER, 0);
}
