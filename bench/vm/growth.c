// SPDX-License-Identifier: MIT
/*
 * Whether a verb costs more the more there is: other clients, blocks that are
 * rented, sizes that are in use, accounts.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "cases.h"
#include "device.h"
#include "measure.h"
#include "pages.h"
#include "user.h"

#define MOST_CLIENTS	1000
#define MOST_BLOCKS	100000
#define MOST_CLASSES	11
#define MOST_ACCOUNTS	10000
#define HOLDERS		1000	/* of these, with a slab */

static struct device *others;
static unsigned int nr_others;

static struct device *join(void)
{
	struct device *other = &others[nr_others++];

	device_open(other);
	return other;
}

static void part(void)
{
	while (nr_others)
		device_close(&others[--nr_others]);
	device_give_back();
}

/* Each rents a block and keeps another one warm. */
static void add_clients(unsigned int count)
{
	while (nr_others < count) {
		struct device *other = join();

		device_rent_many(other, PAGE, 2);
		other->handles[0] = other->many[0].handle;
		device_return_many(other, 1, 0);
	}
}

static void add_blocks(unsigned int count)
{
	struct device *other = join();
	unsigned int some;

	for (; count; count -= some) {
		some = count < BUFPOOL_MANY_MAX ? count : BUFPOOL_MANY_MAX;
		device_rent_many(other, PAGE, some);
	}
}

static void add_classes(unsigned int count)
{
	struct device *other = join();

	while (count--)
		device_rent(other, (size_t)PAGE << count);
}

/* Each is a user of its own; some have a slab. */
static void add_accounts(unsigned int count)
{
	struct device *other;

	while (nr_others < count) {
		other = &others[nr_others++];
		user_open_of(other, nr_others);
		if (nr_others <= HOLDERS)
			device_rent(other, PAGE);
	}
}

static void measure_axis(const char *axis, void (*add)(unsigned int level),
			 const unsigned int *levels, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		add(levels[i]);
		measure_at(axis, levels[i]);
		verbs_measure_growth();
		part();
	}
	measure_at(NULL, 0);
}

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

void growth_measure(void)
{
	static const unsigned int clients[] = { 1, 10, 100, MOST_CLIENTS };
	static const unsigned int blocks[] = { 10, 1000, MOST_BLOCKS };
	static const unsigned int classes[] = { 1, 4, MOST_CLASSES };
	static const unsigned int accounts[] = { 1, 100, MOST_ACCOUNTS };
	struct rlimit limit = { MOST_ACCOUNTS + 100, MOST_ACCOUNTS + 100 };

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	others = calloc(MOST_ACCOUNTS, sizeof(*others));
	MUST(others);
	device_set("limit", 600ULL << 20);
	measure_axis("clients", add_clients, clients, COUNT(clients));
	measure_axis("blocks", add_blocks, blocks, COUNT(blocks));
	measure_axis("classes", add_classes, classes, COUNT(classes));
	measure_axis("accounts", add_accounts, accounts, COUNT(accounts));
	free(others);
}
