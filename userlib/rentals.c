// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "rentals.h"
#include "reserve.h"

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

int bufpool_rentals_init(struct bufpool_rentals *rentals,
			 const struct bufpool_window *window)
{
	void *table;
	int ret;

	rentals->nr_classes = window->nr_classes;
	rentals->stride = window->reach / window->page_size;
	/* Less than the window, which fits. */
	rentals->length = rentals->nr_classes * rentals->stride *
			  sizeof(*rentals->table);

	rentals->ends = calloc(rentals->nr_classes, sizeof(*rentals->ends));
	if (!rentals->ends)
		return -ENOMEM;

	ret = bufpool_reserve(rentals->length, window->page_size,
			      PROT_READ | PROT_WRITE, &table);
	if (ret)
		goto free_ends;
	rentals->table = table;
	return 0;

free_ends:
	free(rentals->ends);
	return ret;
}

void bufpool_rentals_destroy(struct bufpool_rentals *rentals)
{
	munmap(rentals->table, rentals->length);
	bufpool_rentals_forget(rentals);
}

void bufpool_rentals_forget(struct bufpool_rentals *rentals)
{
	free(rentals->ends);
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

static void move_end(size_t *end, size_t index)
{
	size_t old = __atomic_load_n(end, __ATOMIC_RELAXED);

	while (index >= old &&
	       !__atomic_compare_exchange_n(end, &old, index + 1, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void bufpool_rentals_add(struct bufpool_rentals *rentals,
			 const struct bufpool_place *place, __u64 handle)
{
	struct bufpool_rental *rental = entry(rentals, place);

	move_end(&rentals->ends[place->class], place->index);
	__atomic_store_n(&rental->handle, handle, __ATOMIC_RELAXED);
	__atomic_store_n(&rental->state, HELD, __ATOMIC_RELEASE);
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
	bufpool_rentals_add(rentals, place, handle);
	return 0;
}

int bufpool_rentals_find(struct bufpool_rentals *rentals,
			 const struct bufpool_place *place, __u64 *handle)
{
	struct bufpool_rental *rental = entry(rentals, place);
	__u32 state = __atomic_load_n(&rental->state, __ATOMIC_ACQUIRE);

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
		if (cursor->index >= rentals->ends[cursor->class]) {
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
