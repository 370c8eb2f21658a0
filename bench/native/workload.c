// SPDX-License-Identifier: MIT
#include <err.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "ring.h"
#include "workload.h"

#define PAGE 4096UL
#define LIVE 64
#define CHOICES 4096

static size_t block_size;
/* Of each block, as a mask: nothing or all of it. */
static size_t touched;

/* Nothing is known of @block from here on, nor that it is not used. */
static inline void *keep(void *block)
{
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

static inline void *get(struct peer_size size)
{
	void *block = keep(peer_get(size));

	if (!block)
		errx(1, "no block");
	return block;
}

static inline void write_pages(char *block, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE)
		__atomic_store_n((size_t *)(block + i), i, __ATOMIC_RELAXED);
}

static inline void read_pages(const char *block, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE)
		__atomic_load_n((const size_t *)(block + i), __ATOMIC_RELAXED);
}

static void pair(size_t count)
{
	struct peer_size size = peer_size_of(block_size);
	size_t bytes = block_size & touched;
	void *block;

	while (count--) {
		block = get(size);
		write_pages(block, bytes);
		peer_put(block, size);
	}
}

static void burst(size_t count)
{
	struct peer_size size = peer_size_of(block_size);
	size_t bytes = block_size & touched;
	void *blocks[WORKLOAD_BURST];
	int i;

	for (; count; count -= WORKLOAD_BURST) {
		for (i = 0; i < WORKLOAD_BURST; i++) {
			blocks[i] = get(size);
			write_pages(blocks[i], bytes);
		}
		for (i = 0; i < WORKLOAD_BURST; i++)
			peer_put(blocks[i], size);
	}
}

#ifdef PEER_HAS_MANY
static void bulk(size_t count)
{
	struct peer_size size = peer_size_of(block_size);
	size_t bytes = block_size & touched;
	void *blocks[WORKLOAD_BURST];
	int i;

	for (; count; count -= WORKLOAD_BURST) {
		if (!peer_get_many(size, blocks, WORKLOAD_BURST))
			errx(1, "no blocks");
		for (i = 0; i < WORKLOAD_BURST; i++)
			write_pages(keep(blocks[i]), bytes);
		peer_put_many(blocks, WORKLOAD_BURST, size);
	}
}
#endif

/* What is thrown is thrown before, so that it is no part of what is measured. */
static struct {
	size_t bytes;
	unsigned int slot;
} choices[CHOICES];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* As many between 4 and 8 KiB as between 512 KiB and 1 MiB. */
static void choose(void)
{
	double doublings = log2((double)block_size / PAGE);
	uint64_t state = 88172645463325252ULL;
	double fraction;
	int i;

	for (i = 0; i < CHOICES; i++) {
		fraction = (double)(next_random(&state) >> 11) / (1ULL << 53);
		choices[i].bytes = PAGE * exp2(doublings * fraction);
		choices[i].slot = next_random(&state) % LIVE;
	}
}

/* LIVE blocks are out; each pair puts one of them and gets another. */
static void random_sizes(size_t count)
{
	static struct {
		void *block;
		struct peer_size size;
	} live[LIVE];
	static unsigned int next;
	unsigned int slot;
	size_t bytes;

	while (count--) {
		slot = choices[next].slot;
		bytes = choices[next].bytes;
		next = (next + 1) % CHOICES;
		if (live[slot].block)
			peer_put(live[slot].block, live[slot].size);
		live[slot].size = peer_size_of(bytes);
		live[slot].block = get(live[slot].size);
		write_pages(live[slot].block, bytes & touched);
	}
}

static struct ring ring;

static void produce(size_t count)
{
	struct peer_size size = peer_size_of(block_size);
	size_t bytes = block_size & touched;
	void *block;

	while (count--) {
		block = get(size);
		write_pages(block, bytes);
		ring_push(&ring, block);
	}
}

static void finish(void)
{
	ring_push(&ring, NULL);
}

static void consume(void)
{
	struct peer_size size = peer_size_of(block_size);
	size_t bytes = block_size & touched;
	void *block;

	while ((block = ring_pop(&ring))) {
		read_pages(block, bytes);
		peer_put(block, size);
	}
}

static const struct workload workloads[] = {
	{ .name = "pair", .run = pair },
	{ .name = "burst", .run = burst },
#ifdef PEER_HAS_MANY
	{ .name = "bulk", .run = bulk },
#endif
	{ .name = "random", .run = random_sizes, .all_sizes = true },
	{
		.name = "handover", .run = produce, .consume = consume,
		.finish = finish,
	},
};

const struct workload *workload_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	return NULL;
}

void workload_open(const struct workload *workload, size_t size, bool touch)
{
	block_size = size;
	touched = touch ? SIZE_MAX : 0;
	choose();
	peer_open(workload->all_sizes ? PAGE : size, size);
}

void workload_thread_begin(void)
{
	peer_thread_begin();
}

void workload_thread_end(void)
{
	peer_thread_end();
}
