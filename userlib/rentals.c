// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "rentals.h"
#include "reserve.h"

/* The entries that become accessible at once: a multiple of any page size. */
#define STEP	4096

enum state {
	NEVER,
	HELD,
	RETURNED,
};

/* Both fields are atomic; @handle is written only by who was given the block. */
struct bufpool_rental {
	__u64 handle;
	__u32 state;
	__u32 unused;
};

static size_t round_up(size_t entries)
{
	return (entries + STEP - 1) / STEP * STEP;
}

int bufpool_rentals_init(struct bufpool_rentals *rentals,
			 const struct bufpool_window *window)
{
	void *table;
	int ret;

	rentals->nr_classes = window->nr_classes;
	rentals->stride = round_up(window->reach / window->page_size);
	/* Less than the window, which fits, or little. */
	rentals->length = rentals->nr_classes * rentals->stride *
			  sizeof(*rentals->table);

	rentals->ready = calloc(rentals->nr_classes, sizeof(*rentals->ready));
	if (!rentals->ready)
		return -ENOMEM;

	ret = bufpool_reserve(rentals->length, window->page_size, &table);
	if (ret)
		goto free_ready;
	rentals->table = table;
	return 0;

free_ready:
	free(rentals->ready);
	return ret;
}

void bufpool_rentals_destroy(struct bufpool_rentals *rentals)
{
	munmap(rentals->table, rentals->length);
	bufpool_rentals_forget(rentals);
}

void bufpool_rentals_forget(struct bufpool_rentals *rentals)
{
	free(rentals->ready);
}

static struct bufpool_rental *entry(struct bufpool_rentals *rentals,
				    const struct bufpool_place *place)
{
	return &rentals->table[place->class * rentals->stride + place->index];
}

static bool change(struct bufpool_rental *rental, __u32 from, __u32 to)
{
	return __atomic_compare_exchange_n(&rental->state, &from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static bool is_ready(struct bufpool_rentals *rentals,
		     const struct bufpool_place *place)
{
	return place->index < __atomic_load_n(&rentals->ready[place->class],
					      __ATOMIC_ACQUIRE);
}

/* Threads may do this at once: each has seen to all that it adds to ready. */
static int make_ready(struct bufpool_rentals *rentals,
		      const struct bufpool_place *place)
{
	size_t *ready = &rentals->ready[place->class];
	size_t old = __atomic_load_n(ready, __ATOMIC_ACQUIRE);
	size_t new = round_up(place->index + 1);
	struct bufpool_place first = { place->class, old };

	if (old >= new)
		return 0;
	if (mprotect(entry(rentals, &first),
		     (new - old) * sizeof(struct bufpool_rental),
		     PROT_READ | PROT_WRITE))
		return -ENOMEM;
	while (old < new &&
	       !__atomic_compare_exchange_n(ready, &old, new, true,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	return 0;
}

int bufpool_rentals_add(struct bufpool_rentals *rentals,
			const struct bufpool_place *place, __u64 handle)
{
	struct bufpool_rental *rental = entry(rentals, place);

	if (!is_ready(rentals, place) && make_ready(rentals, place))
		return -ENOMEM;
	__atomic_store_n(&rental->handle, handle, __ATOMIC_RELAXED);
	__atomic_store_n(&rental->state, HELD, __ATOMIC_RELEASE);
	return 0;
}

int bufpool_rentals_adopt(struct bufpool_rentals *rentals,
			  const struct bufpool_place *place, __u64 handle)
{
	__u64 known;
	int ret;

	ret = bufpool_rentals_find(rentals, place, &known);
	/* Another handle is another rental: what is known is over. */
	if (ret != -ENOENT && known == handle)
		return ret ? ret : -EEXIST;
	return bufpool_rentals_add(rentals, place, handle);
}

int bufpool_rentals_find(struct bufpool_rentals *rentals,
			 const struct bufpool_place *place, __u64 *handle)
{
	struct bufpool_rental *rental = entry(rentals, place);
	__u32 state = NEVER;

	if (is_ready(rentals, place))
		state = __atomic_load_n(&rental->state, __ATOMIC_ACQUIRE);
	if (state == NEVER)
		return -ENOENT;
	*handle = __atomic_load_n(&rental->handle, __ATOMIC_RELAXED);
	return state == HELD ? 0 : -ESTALE;
}

int bufpool_rentals_take(struct bufpool_rentals *rentals,
			 const struct bufpool_place *place, __u64 *handle)
{
	struct bufpool_rental *rental = entry(rentals, place);
	int ret;

	ret = bufpool_rentals_find(rentals, place, handle);
	if (ret)
		return ret;
	if (!change(rental, HELD, RETURNED))
		return -ESTALE;
	/* Whoever took the rental knows that it cannot be replaced. */
	*handle = __atomic_load_n(&rental->handle, __ATOMIC_RELAXED);
	return 0;
}

void bufpool_rentals_put_back(struct bufpool_rentals *rentals,
			      const struct bufpool_place *place)
{
	change(entry(rentals, place), RETURNED, HELD);
}

unsigned int bufpool_rentals_drain(struct bufpool_rentals *rentals,
				   struct bufpool_place *cursor,
				   __u64 *handles, unsigned int count)
{
	unsigned int n = 0;

	while (n < count && cursor->class < rentals->nr_classes) {
		if (cursor->index >= rentals->ready[cursor->class]) {
			cursor->class++;
			cursor->index = 0;
			continue;
		}
		if (!bufpool_rentals_take(rentals, cursor, &handles[n]))
			n++;
		cursor->index++;
	}
	return n;
}
