/* SPDX-License-Identifier: MIT */
/* Ways to hand the bytes of one process to another. */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

/* The most messages that are on their way at a time */
#define IN_FLIGHT_MAX	64

/**
 * struct load - what is handed over, again and again
 * @size: bytes of each message
 * @touched: of these, bytes in whose pages the producer writes a word and the consumer
 *	reads it: those of all pages, or of the first one
 * @count: messages, which are all on their way before the producer waits
 */
struct load {
	size_t size;
	size_t touched;
	unsigned int count;
};

/**
 * struct transport - one way
 * @name: what it is called
 * @begin: make what both processes share, before there is a second one. Return: false
 *	where this machine has nothing of that kind
 * @join: by each process, before its first message; may be NULL
 * @produce: hand over as many messages as the load has; what was handed over the last time
 *	has been consumed
 * @consume: take so many, wait for them where they are not there, read them, and be done
 *	with them
 * @end: by the producer, when there is no second process any more
 */
struct transport {
	const char *name;
	bool (*begin)(const struct load *load);
	void (*join)(void);
	void (*produce)(const struct load *load);
	void (*consume)(const struct load *load);
	void (*end)(const struct load *load);
};

extern const struct transport transport_ring;
extern const struct transport transport_channel;
extern const struct transport transport_channel_map;
extern const struct transport transport_memfd;
extern const struct transport transport_vmsplice;
extern const struct transport transport_pipe;
extern const struct transport transport_socket;
/* Where iceoryx is installed */
extern const struct transport transport_iceoryx;

/* All of them; NULL is behind the last. */
extern const struct transport *const transports[];

#endif /* BENCH_TRANSPORT_H */
