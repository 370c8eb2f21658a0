// SPDX-License-Identifier: MIT
/*
 * Time how messages are handed over from one process to another, on this machine.
 *
 * usage: handover TRANSPORT SIZE COUNT MILLISECONDS
 *
 * Prints nanoseconds for each message, with COUNT of them on their way at a time. Status 4:
 * this machine has no such transport.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exchange.h"
#include "measure.h"
#include "transport.h"

#define NOT_HERE	4
#define WARM_UP		10

void die(const char *what)
{
	fprintf(stderr, "not true: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double nanoseconds(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e9 + at.tv_nsec;
}

static const struct transport *transport_of(const char *name)
{
	const struct transport *const *transport;

	for (transport = transports; *transport; transport++)
		if (!strcmp((*transport)->name, name))
			return *transport;
	fprintf(stderr, "there is no transport %s\n", name);
	exit(2);
}

/* Of each load, for so long */
static double time_load(double milliseconds)
{
	double begin, now;
	unsigned long loads;
	int i;

	for (i = 0; i < WARM_UP; i++)
		exchange_once();
	begin = nanoseconds();
	for (loads = 1; ; loads++) {
		exchange_once();
		now = nanoseconds();
		if (now - begin >= milliseconds * 1e6)
			return (now - begin) / loads;
	}
}

int main(int argc, char **argv)
{
	const struct transport *transport;
	struct load load;
	double time;

	if (argc != 5)
		die("usage: handover TRANSPORT SIZE COUNT MILLISECONDS");
	transport = transport_of(argv[1]);
	load.size = strtoul(argv[2], NULL, 0);
	load.touched = load.size;
	load.count = strtoul(argv[3], NULL, 0);
	if (!load.size || !load.count || load.count > IN_FLIGHT_MAX)
		die("a size, and at most 64");
	if (!exchange_begin(transport, &load)) {
		fprintf(stderr, "this machine has none\n");
		return NOT_HERE;
	}
	time = time_load(atof(argv[4])) / load.count;
	exchange_end();
	printf("%.1f\n", time);
	return 0;
}
