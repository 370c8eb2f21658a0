/* SPDX-License-Identifier: MIT */
/*
 * Tools that watch a program's memory, and are told what is rented
 *
 * These are the address sanitizer, if the program is built with it, and memcheck, if it
 * runs under valgrind. Both know memory that must not be touched, and search for leaks: they
 * find a *token* of each rental that was not returned, with the place in the program where
 * it was rented: it is allocated there, and no address of it is left.
 *
 * Called outside of fast paths only: a pool that is watched keeps nothing.
 */
#ifndef BUFPOOL_WATCH_H
#define BUFPOOL_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rentals.h"

/* Tokens of one class, by the number of the block */
struct bufpool_watch_class {
	uintptr_t *tokens;		/* turned over: not to be found */
	size_t room;
};

struct bufpool_watch {
	bool is_on;			/* else nothing is done here; constant */
	const struct bufpool_rentals *rentals;
	pthread_mutex_t lock;		/* of the tokens */
	struct bufpool_watch_class of[BUFPOOL_CLASSES_MAX];
};

/* It is on if there is such a tool, and the environment does not say otherwise. */
void bufpool_watch_init(struct bufpool_watch *watch, const struct bufpool_rentals *rentals);

/*
 * All addresses are the program's again. In a child of fork() too, which has no block there
 * any more, but what the tools were told.
 */
void bufpool_watch_destroy(struct bufpool_watch *watch);

/* This memory may be touched, whoever watches it. */
void bufpool_watch_allow(const void *start, size_t length);

/* A block is rented, of which so many bytes were @asked for. */
void bufpool_watch_rent(struct bufpool_watch *watch, const struct bufpool_place *place,
			size_t asked);

/* The program has been told how large it is. */
void bufpool_watch_open(const struct bufpool_watch *watch, const struct bufpool_place *place);

/* It is not rented any more. */
void bufpool_watch_return(struct bufpool_watch *watch, const struct bufpool_place *place);

#endif /* BUFPOOL_WATCH_H */
