// SPDX-License-Identifier: MIT
/*
 * What it costs two processes to hand a message over: from before the producer writes it
 * until the producer knows that the consumer has read it, with the switches between them.
 */
#include <stdio.h>

#include "../handover/exchange.h"
#include "../handover/transport.h"
#include "cases.h"
#include "measure.h"
#include "pages.h"

/* A load that takes long is its own average. */
#define LARGE_LOAD	(32UL << 20)

/* The limit of the VM's pool, an eighth of its memory, is less than 64 blocks of 4 MiB. */
#define LOAD_MAX	(128UL << 20)

static const struct {
	const char *name;
	size_t bytes;
} sizes[] = {
	{ "4k", 4 << 10 },
	{ "64k", 64 << 10 },
	{ "1m", 1 << 20 },
	{ "2m", 2 << 20 },
	{ "4m", 4 << 20 },
};

static uint64_t hand_over(void)
{
	uint64_t begin = now();

	exchange_once();
	return now() - begin;
}

static void measure_load(const char *name, const struct transport *transport,
			 const struct load *load)
{
	if (load->size * load->count > LOAD_MAX || !exchange_begin(transport, load))
		return;
	measure(name, hand_over, load->size * load->count > LARGE_LOAD ? 1 : SOME, load->count);
	exchange_end();
}

static void measure_size(const struct transport *transport, const char *size, size_t bytes)
{
	char name[64];

	snprintf(name, sizeof(name), "handover.%s.%s", transport->name, size);
	measure_load(name, transport, &(struct load){ bytes, bytes, 1 });
	snprintf(name, sizeof(name), "handover.%s.%s.64", transport->name, size);
	measure_load(name, transport, &(struct load){ bytes, bytes, IN_FLIGHT_MAX });
	snprintf(name, sizeof(name), "handover.%s.%s.word", transport->name, size);
	measure_load(name, transport, &(struct load){ bytes, PAGE, 1 });
}

void handover_measure(void)
{
	const struct transport *const *transport;
	unsigned int i;

	for (transport = transports; *transport; transport++)
		for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			measure_size(*transport, sizes[i].name, sizes[i].bytes);
}
