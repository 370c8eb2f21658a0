/* SPDX-License-Identifier: MIT */
/*
 * Which blocks this pool holds
 *
 * A table with an entry for every unit of a window; those that no block begins at are
 * not used. A class that is opened later has its own. They are address space only,
 * but for the beginning of each class, which becomes accessible as blocks are
 * rented: mlockall() would give memory to whatever is accessible.
 *
 * An entry is the truth about a block that the program has. What is kept is in stacks,
 * and a thief may take it from there: then its entry stays as it is, until the block is
 * rented again. The state names who rented the block. The thread that is named there
 * may write the state by a plain store, see cache.h; all others change it by
 * compare-and-exchange, and leave the block alone where that fails.
 */
#ifndef BUFPOOL_RENTALS_H
#define BUFPOOL_RENTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "window.h"

/* What a state says, in its low bits */
enum bufpool_kind {
	BUFPOOL_NEVER,		/* the program has never had this block */
	BUFPOOL_HELD,		/* the program has it */
	BUFPOOL_FREE,		/* kept for the next rent */
	BUFPOOL_FRESH,		/* so too, and the program has never had it */
	BUFPOOL_CLAIMED,	/* a thread is just returning it */
	BUFPOOL_RETURNED,	/* the provider has it back */
};

/* Above: which cache rented it, or claims it, for HELD and CLAIMED; 0 is none. */
#define BUFPOOL_KIND_BITS	3

/*
 * Both fields are atomic, and so are both at once; @generation is written by the
 * thread that the provider gave the block to.
 */
struct bufpool_rental {
	__u32 generation;	/* the lower half of the handle */
	__u32 state;
} __attribute__((aligned(8)));

/* The entries of one class, by the unit */
struct bufpool_span {
	struct bufpool_rental *rentals;	/* atomic; NULL until the class is open */
	size_t ready;			/* atomic, grows: so many are accessible */
};

struct bufpool_rentals {
	const struct bufpool_window *window;
	struct bufpool_span *spans;	/* by class */
	void *table;			/* of the classes of slabs, one by one */
	size_t length;			/* bytes in @table */
};

static inline __u32 bufpool_state(enum bufpool_kind kind, unsigned int cache)
{
	return kind | cache << BUFPOOL_KIND_BITS;
}

static inline enum bufpool_kind bufpool_state_kind(__u32 state)
{
	return (enum bufpool_kind)(state & ((1U << BUFPOOL_KIND_BITS) - 1));
}

static inline unsigned int bufpool_state_cache(__u32 state)
{
	return state >> BUFPOOL_KIND_BITS;
}

/* The entries of a class, or NULL: it is not open */
static inline struct bufpool_rental *
bufpool_rentals_first(const struct bufpool_rentals *rentals, unsigned int class)
{
	return __atomic_load_n(&rentals->spans[class].rentals, __ATOMIC_ACQUIRE);
}

/* The entry of a block that has been rented at some time */
static inline struct bufpool_rental *
bufpool_rentals_at(const struct bufpool_rentals *rentals,
		   const struct bufpool_place *place)
{
	return bufpool_rentals_first(rentals, place->class) +
	       bufpool_window_unit(rentals->window, place);
}

/* How many units of a class, from the first on, have an entry. */
static inline size_t
bufpool_rentals_ready(const struct bufpool_rentals *rentals, unsigned int class)
{
	return __atomic_load_n(&rentals->spans[class].ready, __ATOMIC_ACQUIRE);
}

static inline __u32 bufpool_rental_state(const struct bufpool_rental *rental)
{
	return __atomic_load_n(&rental->state, __ATOMIC_ACQUIRE);
}

static inline void bufpool_rental_set(struct bufpool_rental *rental,
				      __u32 state)
{
	__atomic_store_n(&rental->state, state, __ATOMIC_RELEASE);
}

static inline bool bufpool_rental_change(struct bufpool_rental *rental,
					 __u32 from, __u32 to)
{
	return __atomic_compare_exchange_n(&rental->state, &from, to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

/* 0 or -errno; -ENOMEM where a smaller window may succeed. */
int bufpool_rentals_init(struct bufpool_rentals *rentals,
			 const struct bufpool_window *window);

/* In a child of fork(), which does not have the table, call forget instead. */
void bufpool_rentals_destroy(struct bufpool_rentals *rentals);
void bufpool_rentals_forget(struct bufpool_rentals *rentals);

/* Have memory for the entries of the first @length bytes of a class, or -ENOMEM. */
int bufpool_rentals_provide(struct bufpool_rentals *rentals, unsigned int class,
			    size_t length);

/*
 * A new rental, in @state; an older one of the same place is over. What the program
 * had once is FREE then rather than FRESH. 0, or -ENOMEM.
 */
int bufpool_rentals_add(struct bufpool_rentals *rentals,
			const struct bufpool_place *place, __u64 handle,
			__u32 state);

/*
 * A rental that began outside this pool, and is the program's now. 0, -ENOMEM,
 * -EEXIST (rented by this handle already) or -ESTALE (returned; or, where @is_kept, the
 * block is in a stack, which it could not be if it had another rental)
 */
int bufpool_rentals_adopt(struct bufpool_rentals *rentals,
			  const struct bufpool_place *place, __u64 handle,
			  bool is_kept);

/* The entry of a block that is held; or NULL and in *@error -ENOENT, -ESTALE */
struct bufpool_rental *
bufpool_rentals_find(const struct bufpool_rentals *rentals,
		     const struct bufpool_place *place, int *error);

/* What the provider calls the rental. */
__u64 bufpool_rentals_handle(const struct bufpool_rentals *rentals,
			     const struct bufpool_place *place);

/*
 * End up to @count rentals, held or kept, from @cursor on, which begins as
 * {0, 0} and is moved on; how many there were.
 */
unsigned int bufpool_rentals_drain(struct bufpool_rentals *rentals,
				   struct bufpool_place *cursor,
				   __u64 *handles, unsigned int count);

#endif /* BUFPOOL_RENTALS_H */
