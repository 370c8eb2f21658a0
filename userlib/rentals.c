// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "rentals.h"
#include "reserve.h"

/* The entries that become accessible at once: a multiple of any page size. */
#define STEP	8192

static size_t round_up(size_t entries)
{
	return (entries + STEP - 1) / STEP * STEP;
}

/* How many entries a class has. */
static size_t entries_of(const struct bufpool_window *window, unsigned int class)
{
	return round_up(window->reach[class] >> BUFPOOL_UNIT_SHIFT);
}

/* No class has an accessible entry yet. */
static void lay_out(struct bufpool_rentals *rentals)
{
	struct bufpool_rental *first = rentals->table;
	unsigned int class;

	for (class = 0; class < rentals->window->classes->nr_slab; class++) {
		rentals->spans[class].rentals = first;
		first += entries_of(rentals->window, class);
	}
}

int bufpool_rentals_init(struct bufpool_rentals *rentals,
			 const struct bufpool_window *window)
{
	size_t smallest = bufpool_window_block_size(window, 0);
	unsigned int nr_slab = window->classes->nr_slab;
	int ret;

	rentals->window = window;
	/* Less than the window, which fits, or little. */
	rentals->length = nr_slab * entries_of(window, 0) * sizeof(struct bufpool_rental);
	rentals->spans = calloc(window->classes->count, sizeof(*rentals->spans));
	if (!rentals->spans)
		return -ENOMEM;

	ret = bufpool_reserve(rentals->length, smallest, &rentals->table);
	if (ret)
		goto free_spans;
	lay_out(rentals);
	return 0;

free_spans:
	free(rentals->spans);
	return ret;
}

static size_t table_length(const struct bufpool_rentals *rentals, unsigned int class)
{
	return entries_of(rentals->window, class) * sizeof(struct bufpool_rental);
}

void bufpool_rentals_destroy(struct bufpool_rentals *rentals)
{
	const struct bufpool_classes *classes = rentals->window->classes;
	unsigned int class;

	munmap(rentals->table, rentals->length);
	for (class = classes->nr_slab; class < classes->count; class++)
		if (rentals->spans[class].rentals)
			munmap(rentals->spans[class].rentals, table_length(rentals, class));
	bufpool_rentals_forget(rentals);
}

void bufpool_rentals_forget(struct bufpool_rentals *rentals)
{
	free(rentals->spans);
}

static bool knows_place(const struct bufpool_rentals *rentals,
			const struct bufpool_place *place)
{
	return bufpool_window_unit(rentals->window, place) <
	       bufpool_rentals_ready(rentals, place->class);
}

/*
 * The entries of a class that is open, or NULL. Threads may do this at once: the first has
 * made the table.
 */
static struct bufpool_rental *open_span(struct bufpool_rentals *rentals, unsigned int class)
{
	struct bufpool_rental *there = bufpool_rentals_first(rentals, class);
	size_t length = table_length(rentals, class);
	void *table;

	if (there)
		return there;
	if (bufpool_reserve(length, bufpool_window_block_size(rentals->window, 0), &table))
		return NULL;
	if (__atomic_compare_exchange_n(&rentals->spans[class].rentals, &there, table, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return table;
	munmap(table, length);
	return there;
}

/* What is accessible already stays so. */
static int make_accessible(struct bufpool_rental *first, size_t count)
{
	return mprotect(first, count * sizeof(*first), PROT_READ | PROT_WRITE) ? -ENOMEM : 0;
}

int bufpool_rentals_provide(struct bufpool_rentals *rentals, unsigned int class,
			    size_t length)
{
	struct bufpool_rental *first = open_span(rentals, class);

	return first ? make_accessible(first, round_up(length >> BUFPOOL_UNIT_SHIFT)) : -ENOMEM;
}

/* Threads may do this at once: each has seen to all that it wants. */
static int make_ready(struct bufpool_rentals *rentals,
		      const struct bufpool_place *place)
{
	struct bufpool_rental *first = open_span(rentals, place->class);
	struct bufpool_span *span = &rentals->spans[place->class];
	size_t ready = bufpool_rentals_ready(rentals, place->class);
	size_t want = round_up(bufpool_window_unit(rentals->window, place) + 1);

	if (!first || make_accessible(first, want))
		return -ENOMEM;
	while (ready < want &&
	       !__atomic_compare_exchange_n(&span->ready, &ready, want, true,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	return 0;
}

static bool was_held(const struct bufpool_rental *rental)
{
	enum bufpool_kind kind = bufpool_state_kind(bufpool_rental_state(rental));

	return kind != BUFPOOL_NEVER && kind != BUFPOOL_FRESH;
}

int bufpool_rentals_add(struct bufpool_rentals *rentals,
			const struct bufpool_place *place, __u64 handle,
			__u32 state)
{
	struct bufpool_rental *rental;

	if (!knows_place(rentals, place) && make_ready(rentals, place))
		return -ENOMEM;
	rental = bufpool_rentals_at(rentals, place);
	if (state == bufpool_state(BUFPOOL_FRESH, 0) && was_held(rental))
		state = bufpool_state(BUFPOOL_FREE, 0);
	__atomic_store_n(&rental->generation, (__u32)handle, __ATOMIC_RELAXED);
	bufpool_rental_set(rental, state);
	return 0;
}

static int error_of(__u32 state)
{
	switch (bufpool_state_kind(state)) {
	case BUFPOOL_HELD:
		return 0;
	case BUFPOOL_NEVER:
	case BUFPOOL_FRESH:
		return -ENOENT;
	default:
		return -ESTALE;
	}
}

/* Whether what is known of a block lets it have a rental of this generation. */
static int check_adopted(const struct bufpool_rental *known, __u32 generation)
{
	switch (bufpool_state_kind(known->state)) {
	case BUFPOOL_NEVER:
		return 0;
	/* Another handle is another rental: what is known is over. */
	case BUFPOOL_HELD:
		return known->generation == generation ? -EEXIST : 0;
	case BUFPOOL_CLAIMED:
		return -ESTALE;
	default:
		return known->generation == generation ? -ESTALE : 0;
	}
}

int bufpool_rentals_adopt(struct bufpool_rentals *rentals,
			  const struct bufpool_place *place, __u64 handle, bool is_kept)
{
	struct bufpool_rental adopted = {
		.generation = handle,
		.state = bufpool_state(BUFPOOL_HELD, 0),
	};
	struct bufpool_rental *rental, known;
	int ret;

	if (!knows_place(rentals, place) && make_ready(rentals, place))
		return -ENOMEM;
	if (is_kept)
		return -ESTALE;
	rental = bufpool_rentals_at(rentals, place);
	__atomic_load(rental, &known, __ATOMIC_ACQUIRE);
	do {
		ret = check_adopted(&known, adopted.generation);
		if (ret)
			return ret;
	} while (!__atomic_compare_exchange(rental, &known, &adopted, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return 0;
}

struct bufpool_rental *
bufpool_rentals_find(const struct bufpool_rentals *rentals,
		     const struct bufpool_place *place, int *error)
{
	struct bufpool_rental *rental;

	*error = -ENOENT;
	if (!knows_place(rentals, place))
		return NULL;
	rental = bufpool_rentals_at(rentals, place);
	*error = error_of(bufpool_rental_state(rental));
	return *error ? NULL : rental;
}

__u64 bufpool_rentals_handle(const struct bufpool_rentals *rentals,
			     const struct bufpool_place *place)
{
	struct bufpool_rental *rental = bufpool_rentals_at(rentals, place);

	return bufpool_window_handle(rentals->window, place,
				     __atomic_load_n(&rental->generation,
						     __ATOMIC_RELAXED));
}

/* Whether the provider takes the block for rented, if the entry is not in use. */
static bool end_rental(struct bufpool_rental *rental)
{
	__u32 state = bufpool_rental_state(rental);

	switch (bufpool_state_kind(state)) {
	case BUFPOOL_NEVER:
	case BUFPOOL_RETURNED:
		return false;
	default:
		return bufpool_rental_change(rental, state,
					     bufpool_state(BUFPOOL_RETURNED, 0));
	}
}

unsigned int bufpool_rentals_drain(struct bufpool_rentals *rentals,
				   struct bufpool_place *cursor,
				   __u64 *handles, unsigned int count)
{
	unsigned int n = 0;

	while (n < count && cursor->class < rentals->window->classes->count) {
		if (!knows_place(rentals, cursor)) {
			cursor->class++;
			cursor->index = 0;
			continue;
		}
		if (end_rental(bufpool_rentals_at(rentals, cursor)))
			handles[n++] = bufpool_rentals_handle(rentals, cursor);
		cursor->index++;
	}
	return n;
}
