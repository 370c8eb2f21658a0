// SPDX-License-Identifier: GPL-2.0-only
/*
 * Places: what a waiter that a signal has interrupted comes back to.
 *
 * While it is away it is in no queue, and blocks go to the next waiters. Its ticket
 * is good for one return, by any task of its client: a program that makes up a
 * number, or uses one twice, waits as a newcomer.
 */
#include <linux/slab.h>
#include "bufpool.h"

/* How many of a client are kept; beyond that the longest unused is forgotten. */
#define PLACES_MAX	1024

/**
 * struct bufpool_place - a place in line
 * @node: in client->places; client->lock
 * @class: what was waited for; constant, as the rest
 * @ticket: since when
 * @passed: how often others had been given what it could have had, while it waited
 * @deadline: until when; KTIME_MAX is for ever
 */
struct bufpool_place {
	struct list_head node;
	const struct bufpool_class *class;
	u64 ticket;
	u64 passed;
	ktime_t deadline;
};

/**
 * bufpool_place_keep - keep the place of a waiter that is about to leave
 * @client: whose
 * @class: what it waits for
 * @ticket: since when
 * @passed: how often it was passed by
 * @deadline: until when
 *
 * May sleep.
 *
 * Return: false where there is no memory.
 */
bool bufpool_place_keep(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket, u64 passed,
			ktime_t deadline)
{
	struct bufpool_place *place, *oldest = NULL;

	place = kmalloc(sizeof(*place), GFP_KERNEL_ACCOUNT);
	if (!place)
		return false;
	place->class = class;
	place->ticket = ticket;
	place->passed = passed;
	place->deadline = deadline;
	spin_lock(&client->lock);
	if (client->nr_places == PLACES_MAX) {
		oldest = list_last_entry(&client->places, struct bufpool_place,
					 node);
		list_del(&oldest->node);
	} else {
		WRITE_ONCE(client->nr_places, client->nr_places + 1);
	}
	list_add(&place->node, &client->places);
	spin_unlock(&client->lock);
	kfree(oldest);
	return true;
}

/* Take a place out of its client. Return: the place, or NULL if there is none such. */
static struct bufpool_place *place_remove(struct bufpool_client *client,
					  const struct bufpool_class *class,
					  u64 ticket)
{
	struct bufpool_place *place, *found = NULL;

	spin_lock(&client->lock);
	list_for_each_entry(place, &client->places, node) {
		if (place->ticket != ticket || place->class != class)
			continue;
		found = place;
		list_del(&found->node);
		WRITE_ONCE(client->nr_places, client->nr_places - 1);
		break;
	}
	spin_unlock(&client->lock);
	return found;
}

/**
 * bufpool_place_take - go back to a place that was kept
 * @client: whose
 * @class: what is waited for
 * @ticket: which
 * @passed: (out) how often it was passed by, if there is such a place
 * @deadline: (out) until when
 *
 * Return: whether there is.
 */
bool bufpool_place_take(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket, u64 *passed,
			ktime_t *deadline)
{
	struct bufpool_place *place = place_remove(client, class, ticket);

	if (!place)
		return false;
	*passed = place->passed;
	*deadline = place->deadline;
	kfree(place);
	return true;
}

/* Forget a place: the call that came back to it need not wait any more. */
void bufpool_place_drop(struct bufpool_client *client,
			const struct bufpool_class *class, u64 ticket)
{
	kfree(place_remove(client, class, ticket));
}

/* Forget all places of a client that is going. */
void bufpool_place_drop_all(struct bufpool_client *client)
{
	struct bufpool_place *place, *next;

	list_for_each_entry_safe(place, next, &client->places, node)
		kfree(place);
}
