/* SPDX-License-Identifier: MIT */
/*
 * Pointers from one thread to one other, in order
 *
 * Each side looks at the other's position only when, by what it saw last, it
 * cannot go on, so that the ring costs little beside what is measured.
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <sched.h>
#include <stdalign.h>
#include <stddef.h>

#define RING_SIZE 256
#define RING_SPINS 1024

struct ring_side {
	alignas(128) size_t position;	/* written by this side, read by the other */
	size_t seen;			/* the other's position; this side's alone */
};

struct ring {
	struct ring_side producer;
	struct ring_side consumer;
	void *slots[RING_SIZE];
};

/* Until @side's position is not @stop. */
static inline size_t ring_wait(const struct ring_side *side, size_t stop)
{
	unsigned int spins = 0;
	size_t position;

	while ((position = __atomic_load_n(&side->position,
					   __ATOMIC_ACQUIRE)) == stop) {
		if (++spins % RING_SPINS == 0)
			sched_yield();
	}
	return position;
}

static inline void ring_push(struct ring *ring, void *pointer)
{
	struct ring_side *me = &ring->producer;

	if (me->position - me->seen == RING_SIZE)
		me->seen = ring_wait(&ring->consumer,
				     me->position - RING_SIZE);
	ring->slots[me->position % RING_SIZE] = pointer;
	__atomic_store_n(&me->position, me->position + 1, __ATOMIC_RELEASE);
}

static inline void *ring_pop(struct ring *ring)
{
	struct ring_side *me = &ring->consumer;
	void *pointer;

	if (me->position == me->seen)
		me->seen = ring_wait(&ring->producer, me->position);
	pointer = ring->slots[me->position % RING_SIZE];
	__atomic_store_n(&me->position, me->position + 1, __ATOMIC_RELEASE);
	return pointer;
}

#endif
