// SPDX-License-Identifier: MIT
/*
 * iceoryx: chunks of a memory that all processes map, by its C binding; its daemon, RouDi,
 * must run. The consumer maps them read-only; the producer is trusted to leave alone what it
 * has published.
 */
#include <iceoryx_binding_c/enums.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/types.h>
#include <iceoryx_binding_c/wait_set.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "pages.h"
#include "transport.h"

/* The daemon may take a while to forget those who are gone: all names are new. */
static char instance[32];

static iox_pub_t publisher;
static iox_sub_t subscriber;
static iox_ws_t waiting;

static bool begin(const struct load *load)
{
	(void)load;
	snprintf(instance, sizeof(instance), "%d", getpid());
	return true;
}

static void enter_runtime(void)
{
	char name[32];

	snprintf(name, sizeof(name), "handover-%d", getpid());
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	iox_runtime_init(name);
}

static void be_publisher(void)
{
	const struct timespec while_it_joins = { .tv_nsec = 1000000 };
	static iox_pub_storage_t storage;

	enter_runtime();
	publisher = iox_pub_init(&storage, "bench", instance, "message", NULL);
	MUST(publisher);
	while (!iox_pub_has_subscribers(publisher))
		nanosleep(&while_it_joins, NULL);
}

static void be_subscriber(void)
{
	static iox_sub_storage_t storage;
	static iox_ws_storage_t waiting_storage;
	iox_sub_options_t options;

	enter_runtime();
	iox_sub_options_init(&options);
	options.queueCapacity = IN_FLIGHT_MAX;
	subscriber = iox_sub_init(&storage, "bench", instance, "message", &options);
	waiting = iox_ws_init(&waiting_storage);
	MUST(subscriber && waiting);
	MUST(iox_ws_attach_subscriber_state(waiting, subscriber, SubscriberState_HAS_DATA, 0,
					    NULL) == WaitSetResult_SUCCESS);
}

static void produce(const struct load *load)
{
	unsigned int i;
	void *chunk;

	if (!publisher)
		be_publisher();
	for (i = 0; i < load->count; i++) {
		MUST(iox_pub_loan_aligned_chunk(publisher, &chunk, load->size, PAGE) ==
		     AllocationResult_SUCCESS);
		pages_touch(chunk, load->touched);
		iox_pub_publish_chunk(publisher, chunk);
	}
}

static const void *take_chunk(void)
{
	iox_notification_info_t info;
	const void *chunk;
	uint64_t missed;

	while (iox_sub_take_chunk(subscriber, &chunk) != ChunkReceiveResult_SUCCESS)
		iox_ws_wait(waiting, &info, 1, &missed);
	return chunk;
}

static void consume(const struct load *load)
{
	const void *chunk;
	unsigned int i;

	if (!subscriber)
		be_subscriber();
	for (i = 0; i < load->count; i++) {
		chunk = take_chunk();
		MUST(pages_are_touched(chunk, load->touched));
		iox_sub_release_chunk(subscriber, chunk);
	}
}

static void end(const struct load *load)
{
	(void)load;
	iox_pub_deinit(publisher);
	iox_runtime_shutdown();
}

const struct transport transport_iceoryx = {
	.name = "iceoryx",
	.begin = begin,
	.produce = produce,
	.consume = consume,
	.end = end,
};
