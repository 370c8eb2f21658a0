// SPDX-License-Identifier: MIT
#include "depot.h"

void bufpool_depot_init(struct bufpool_depot *depot)
{
	const struct bufpool_rentals *rentals = depot->caches->rentals;
	unsigned int class;

	pthread_mutex_init(&depot->lock, NULL);
	for (class = 0; class < rentals->window->classes->count; class++)
		bufpool_magazine_init(&depot->magazines[class], rentals, class,
				      BUFPOOL_DEPOT_HALVES, &depot->empty);
	if (depot->caches->all)
		depot->set = bufpool_caches_claim_set(depot->caches);
}

void bufpool_depot_destroy(struct bufpool_depot *depot)
{
	bufpool_caches_leave_set(depot->caches, depot->set, depot->magazines);
}

/* Return: whether the magazine of a class can be used */
static bool open_magazine(struct bufpool_depot *depot, unsigned int class)
{
	struct bufpool_magazine *magazine = &depot->magazines[class];
	struct bufpool_stack *stack;

	if (magazine->stack != &depot->empty)
		return true;
	stack = bufpool_caches_stack(depot->caches, depot->set, class);
	if (stack)
		bufpool_magazine_open(magazine, depot->caches->rentals, class, stack);
	return stack;
}

unsigned int bufpool_depot_put(struct bufpool_depot *depot, unsigned int class,
			       const __u32 *units, unsigned int count)
{
	unsigned int done = 0;

	pthread_mutex_lock(&depot->lock);
	if (open_magazine(depot, class))
		while (done < count &&
		       bufpool_magazine_push(&depot->magazines[class],
					     units[count - 1 - done]))
			done++;
	pthread_mutex_unlock(&depot->lock);
	return done;
}

unsigned int bufpool_depot_get(struct bufpool_depot *depot, unsigned int class,
			       __u32 *units, unsigned int count)
{
	struct bufpool_stack *stack = bufpool_magazine_stack(&depot->magazines[class]);
	unsigned int done = 0;

	/* What is put in just now is not missed: there is more behind. */
	if (!bufpool_stack_count(stack))
		return 0;
	pthread_mutex_lock(&depot->lock);
	while (done < count && bufpool_stack_pop(stack, &units[done]))
		done++;
	pthread_mutex_unlock(&depot->lock);
	return done;
}
