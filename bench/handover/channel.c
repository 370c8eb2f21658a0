// SPDX-License-Identifier: MIT
/*
 * bufpool's channels, by the library. The same blocks go round: the consumer sends them back
 * through a second channel, and that is counted with the rest.
 */
#include <bufpool.h>
#include <unistd.h>

#include "measure.h"
#include "pages.h"
#include "transport.h"

/* [0] receives, [1] sends. */
static int there[2], back[2];
static struct bufpool *pool;
static struct bufpool_parcel parcels[IN_FLIGHT_MAX];

/* Of each call that receives */
static unsigned int receive_flags;

/* Blocks that came back, or were never away */
static unsigned int nr_here;

static void prepare(void)
{
	unsigned int i;

	for (i = 0; i < IN_FLIGHT_MAX; i++)
		parcels[i] = (struct bufpool_parcel){ .size = sizeof(parcels[i]) };
}

static void send_all(int end, unsigned int count)
{
	unsigned int done = 0;
	int ret;

	for (; done < count; done += ret) {
		ret = bufpool_send_many(pool, end, parcels + done, count - done, 0,
					BUFPOOL_FOREVER);
		MUST(ret > 0);
	}
}

static void receive_all(int end, unsigned int count)
{
	unsigned int done = 0;
	int ret;

	for (; done < count; done += ret) {
		ret = bufpool_receive_many(pool, end, parcels + done, count - done,
					   receive_flags, BUFPOOL_FOREVER);
		MUST(ret > 0);
	}
}

static bool begin_with(unsigned int flags)
{
	bool is_there;

	receive_flags = flags;
	pool = bufpool_open("/dev/bufpool", 0);
	if (!pool)
		return false;
	is_there = !bufpool_channel(pool, IN_FLIGHT_MAX, there);
	if (is_there)
		MUST(!bufpool_channel(pool, IN_FLIGHT_MAX, back));
	bufpool_close(pool);
	return is_there;
}

static bool begin(const struct load *load)
{
	(void)load;
	return begin_with(0);
}

static bool begin_map(const struct load *load)
{
	(void)load;
	return begin_with(BUFPOOL_RECEIVE_MAP);
}

/* Each process is a client of its own. */
static void join(void)
{
	pool = bufpool_open("/dev/bufpool", 0);
	MUST(pool);
	prepare();
	nr_here = 0;
}

static void rent_all(const struct load *load)
{
	for (; nr_here < load->count; nr_here++) {
		parcels[nr_here].block = bufpool_rent(pool, load->size, 0);
		MUST(parcels[nr_here].block);
		parcels[nr_here].used = load->size;
	}
}

static void produce(const struct load *load)
{
	unsigned int i;

	if (nr_here)
		receive_all(back[0], load->count);
	rent_all(load);
	for (i = 0; i < load->count; i++)
		pages_touch(parcels[i].block, load->touched);
	send_all(there[1], load->count);
}

static void consume(const struct load *load)
{
	unsigned int i;

	receive_all(there[0], load->count);
	for (i = 0; i < load->count; i++)
		MUST(pages_are_touched(parcels[i].block, load->touched));
	send_all(back[1], load->count);
}

static void end(const struct load *load)
{
	int i;

	(void)load;
	MUST(!bufpool_close(pool));
	for (i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

const struct transport transport_channel = {
	.name = "channel",
	.begin = begin,
	.join = join,
	.produce = produce,
	.consume = consume,
	.end = end,
};

const struct transport transport_channel_map = {
	.name = "channel-map",
	.begin = begin_map,
	.join = join,
	.produce = produce,
	.consume = consume,
	.end = end,
};
