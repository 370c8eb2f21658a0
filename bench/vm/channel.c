// SPDX-License-Identifier: MIT
/* What SEND and RECEIVE cost by themselves: from one client to another, of one process. */
#include <stdio.h>

#include "cases.h"
#include "device.h"
#include "measure.h"
#include "pages.h"

#define MANY	64

static struct device sender, receiver;
static struct device_channel channel;
static struct bufpool_message messages[MANY];
static unsigned int count;
static size_t size, touched;

static void touch_all(void)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		sender.rent.offset = messages[i].offset;
		pages_touch(device_at(&sender), touched);
	}
}

static void bring_back(void)
{
	device_send(&receiver, &channel, messages, count);
	device_receive(&sender, &channel, messages, count);
}

static uint64_t send_alone(void)
{
	uint64_t cost;

	touch_all();
	cost = COST(device_send(&sender, &channel, messages, count));
	device_receive(&receiver, &channel, messages, count);
	bring_back();
	return cost;
}

static uint64_t receive_alone(void)
{
	uint64_t cost;

	device_send(&sender, &channel, messages, count);
	cost = COST(device_receive(&receiver, &channel, messages, count));
	bring_back();
	return cost;
}

static uint64_t pair(void)
{
	uint64_t cost;

	touch_all();
	cost = COST(device_send(&sender, &channel, messages, count));
	cost += COST(device_receive(&receiver, &channel, messages, count));
	bring_back();
	return cost;
}

/* Blocks of so many bytes, of which the sender touches so many each time */
static void begin(size_t bytes, size_t bytes_touched, unsigned int how_many)
{
	unsigned int i;

	size = bytes;
	touched = bytes_touched;
	count = how_many;
	device_open(&sender);
	device_open(&receiver);
	device_channel_make(&sender, &channel, MANY);
	for (i = 0; i < count; i++) {
		device_rent(&sender, size);
		messages[i] = (struct bufpool_message){
			.handle = sender.rent.handle,
			.offset = sender.rent.offset,
			.used = size,
		};
	}
	device_map(&sender);
}

static void end(void)
{
	device_unmap(&sender);
	device_channel_close(&channel);
	device_close(&receiver);
	device_close(&sender);
}

static void measure_pair(const char *name, size_t bytes, size_t bytes_touched,
			 unsigned int how_many)
{
	begin(bytes, bytes_touched, how_many);
	measure(name, pair, OFTEN, how_many);
	end();
}

static void measure_parts(void)
{
	begin(PAGE, 0, 1);
	measure("channel.send.untouched", send_alone, OFTEN, 1);
	measure("channel.receive.untouched", receive_alone, OFTEN, 1);
	end();
}

void channel_measure(void)
{
	measure_parts();
	measure_pair("channel.pair.untouched", PAGE, 0, 1);
	measure_pair("channel.pair.untouched.64", PAGE, 0, MANY);
	measure_pair("channel.pair.4k", PAGE, PAGE, 1);
	measure_pair("channel.pair.4k.64", PAGE, PAGE, MANY);
	measure_pair("channel.pair.64k", 64 << 10, 64 << 10, 1);
	measure_pair("channel.pair.1m", 1 << 20, 1 << 20, 1);
	measure_pair("channel.pair.2m", 2 << 20, PAGE, 1);
}
