/* SPDX-License-Identifier: MIT */
/*
 * Which blocks this pool holds
 *
 * A table with an entry for every block of a window. It is address space only,
 * but for the beginning of each class, which becomes accessible as blocks are
 * rented: mlockall() would give memory to whatever is accessible.
 *
 * An entry changes hands by one compare-and-exchange: of two threads that return
 * one block, one is refused. What a place was rented as before stays known, which
 * tells a returned block from one never rented.
 */
#ifndef BUFPOOL_RENTALS_H
#define BUFPOOL_RENTALS_H

#include <stddef.h>
#include <stdint.h>

#include "window.h"

struct bufpool_rental;

struct bufpool_rentals {
	struct bufpool_rental *table;	/* class by class */
	size_t *ready;			/* atomic, grows: accessible entries per class */
	size_t length;			/* bytes in @table */
	size_t stride;			/* entries for each class */
	unsigned int nr_classes;
};

/* 0 or -errno; -ENOMEM where a smaller window may succeed. */
int bufpool_rentals_init(struct bufpool_rentals *rentals,
			 const struct bufpool_window *window);

/* In a child of fork(), which does not have the table, call forget instead. */
void bufpool_rentals_destroy(struct bufpool_rentals *rentals);
void bufpool_rentals_forget(struct bufpool_rentals *rentals);

/* 0 or -ENOMEM. A new rental; an older one of the same place is over. */
int bufpool_rentals_add(struct bufpool_rentals *rentals,
			const struct bufpool_place *place, __u64 handle);

/* As add, or -EEXIST (rented by this handle already) or -ESTALE (returned) */
int bufpool_rentals_adopt(struct bufpool_rentals *rentals,
			  const struct bufpool_place *place, __u64 handle);

/* 0, -ENOENT (never rented) or -ESTALE (returned) */
int bufpool_rentals_find(struct bufpool_rentals *rentals,
			 const struct bufpool_place *place, __u64 *handle);

/* As find, and from now on the rental is over. */
int bufpool_rentals_take(struct bufpool_rentals *rentals,
			 const struct bufpool_place *place, __u64 *handle);

/* Undo take. */
void bufpool_rentals_put_back(struct bufpool_rentals *rentals,
			      const struct bufpool_place *place);

/*
 * Take up to @count rentals, from @cursor on, which begins as {0, 0} and
 * is moved on; how many there were.
 */
unsigned int bufpool_rentals_drain(struct bufpool_rentals *rentals,
				   struct bufpool_place *cursor,
				   __u64 *handles, unsigned int count);

#endif /* BUFPOOL_RENTALS_H */
