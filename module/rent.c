// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding a block for a renter whose client has no warm one.
 *
 * In this order: a free block of the class; a new slab within the limit; a free
 * block of a larger class; the longest unused warm block of the class, whichever
 * client has it; a new slab in the place of warm blocks of any class; a warm block
 * of a larger class; waiting.
 *
 * Nothing here waits for another task: memory is had without a lock, warm blocks
 * are taken from clients that can be taken from at once, and no more than
 * BUFPOOL_STEALS_MAX in one call.
 */
#include "bufpool.h"

/* How much larger a block may be than was asked for, in classes. */
#define LARGER_CLASSES	2

/* A free block, if no waiter is about to have it. */
static struct bufpool_blk *rent_take_free(struct bufpool_class *class)
{
	struct bufpool_blk *blk = NULL;

	spin_lock(&class->lock);
	if (!bufpool_class_has_waiters(class))
		blk = bufpool_class_take(class);
	spin_unlock(&class->lock);
	return blk;
}

/* The longest unused warm block of a class, or of any with NULL. */
static struct bufpool_blk *rent_take_warm(struct bufpool_request *request,
					  struct bufpool_class *class)
{
	if (!bufpool_rent_may_steal(request))
		return NULL;
	return bufpool_evict_steal(request->class->pool, class);
}

static size_t rent_rest(const struct bufpool_request *request,
			struct bufpool_blk *blk)
{
	return bufpool_blk_size(blk) - bufpool_class_block_size(request->class);
}

/*
 * Charge what a larger block has more than was asked for; that has been charged.
 * The renter did not ask for a larger block, so no warm block gives way to that.
 * Return: whether ceiling and quota admit it.
 */
static bool rent_charge_rest(const struct bufpool_request *request,
			     struct bufpool_blk *blk)
{
	struct bufpool_client *client = request->client;
	size_t more = rent_rest(request, blk);

	if (!bufpool_budget_charge(&client->held, more,
				   bufpool_client_ceiling(client)))
		return false;
	if (bufpool_budget_charge(&client->account->held, more,
				  bufpool_client_quota(client)))
		return true;
	bufpool_budget_uncharge(&client->held, more);
	return false;
}

/* Put back a larger block that was found for a request. */
void bufpool_rent_put_larger(const struct bufpool_request *request,
			     struct bufpool_blk *blk)
{
	bufpool_client_uncharge(request->client, rent_rest(request, blk));
	bufpool_supply_put(blk);
}

/* A larger block, or NULL if the client may not have that. */
static struct bufpool_blk *rent_admit(struct bufpool_request *request,
				      struct bufpool_blk *blk)
{
	if (!blk || rent_charge_rest(request, blk))
		return blk;
	bufpool_supply_put(blk);
	request->exact = true;
	return NULL;
}

/**
 * bufpool_rent_larger - take a free block of a larger class
 * @request: there is none in its own class
 *
 * May sleep.
 *
 * Return: the block, which the caller owns, maybe dirty, and charged; or NULL.
 */
struct bufpool_blk *bufpool_rent_larger(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk = NULL;
	unsigned int i;

	if (request->exact)
		return NULL;
	for (i = 0; !blk && i < LARGER_CLASSES; i++) {
		class = bufpool_pool_larger_class(class);
		if (!class)
			break;
		blk = rent_take_free(class);
	}
	return rent_admit(request, blk);
}

/**
 * bufpool_rent_larger_warm - take a block of a larger class, from its client too
 * @request: its own class can get none, though warm blocks were given up for that;
 *	some of these may be of a larger class, and free now
 *
 * May sleep.
 *
 * Return: the block, which the caller owns, maybe dirty, and charged; or NULL.
 */
struct bufpool_blk *bufpool_rent_larger_warm(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk = NULL;
	unsigned int i;

	if (request->exact)
		return NULL;
	for (i = 0; !blk && i < LARGER_CLASSES; i++) {
		class = bufpool_pool_larger_class(class);
		if (!class)
			break;
		blk = rent_take_free(class) ?: rent_take_warm(request, class);
	}
	return rent_admit(request, blk);
}

/**
 * bufpool_rent_grow - make blocks for a class that has none, within the limit
 * @class: which
 * @ticket: of the waiter that asks, or BUFPOOL_NO_TICKET
 * @keep: gets a block, for the caller to own, if waiters leave one; or NULL
 *
 * May sleep.
 *
 * Return: 0 if there was anything; -EAGAIN, -EDQUOT, -ENOMEM.
 */
int bufpool_rent_grow(struct bufpool_class *class, u64 ticket,
		      struct bufpool_blk **keep)
{
	if (!bufpool_waitq_is_turn(class, ticket))
		return -EAGAIN;
	return bufpool_supply_grow(class, keep);
}

/**
 * bufpool_rent_grow_for_warm - grow in the place of warm blocks of any class
 * @request: for which; its class cannot grow within the limit
 * @ticket: of the waiter that asks, or BUFPOOL_NO_TICKET
 * @keep: gets a block, for the caller to own, if waiters leave one; or NULL
 *
 * May sleep.
 *
 * Return: 0 if there was anything; -EAGAIN, -EDQUOT, -ENOMEM.
 */
int bufpool_rent_grow_for_warm(struct bufpool_request *request, u64 ticket,
			       struct bufpool_blk **keep)
{
	struct bufpool_class *class = request->class;
	struct bufpool_pool *pool = class->pool;
	struct bufpool_blk *blk;
	int err = -EAGAIN;

	bufpool_take_look(pool);
	/* not in vain */
	if (!bufpool_waitq_is_turn(class, ticket) ||
	    bufpool_supply_unused(pool) <
	    bufpool_pool_missing(pool, class->slab_size))
		return err;
	while (err == -EAGAIN) {
		blk = rent_take_warm(request, NULL);
		if (!blk)
			break;
		bufpool_supply_put(blk);
		err = bufpool_rent_grow(class, ticket, keep);
	}
	return err;
}

/**
 * bufpool_rent_steal - take a block of the class itself from the client that has it
 * @request: for which
 * @keep: gets it, for the caller to own, if no waiter does; or NULL
 *
 * May sleep.
 *
 * Return: whether there was one.
 */
bool bufpool_rent_steal(struct bufpool_request *request,
			struct bufpool_blk **keep)
{
	struct bufpool_blk *blk = rent_take_warm(request, request->class);

	if (blk)
		bufpool_supply_put_or_take(blk, keep);
	return blk;
}

/* A block that was made, or that was left when others were served with what was. */
static struct bufpool_blk *rent_result(struct bufpool_class *class,
				       struct bufpool_blk *blk, int err)
{
	if (!blk && !err)
		blk = rent_take_free(class);
	return blk ?: ERR_PTR(err ?: -EAGAIN);
}

/**
 * bufpool_rent_find - look for a block everywhere, without waiting for one
 * @request: what is wanted
 *
 * May sleep.
 *
 * Return: a block, which the caller owns, maybe dirty, maybe of a larger class and
 * then charged for the rest of that; or ERR_PTR(): -EAGAIN, -EDQUOT, -ENOMEM.
 */
struct bufpool_blk *bufpool_rent_find(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk = rent_take_free(class), *larger = NULL;
	int err;

	if (blk)
		return blk;
	err = bufpool_rent_grow(class, BUFPOOL_NO_TICKET, &blk);
	if (!err || err == -EDQUOT)
		return rent_result(class, blk, err);
	if (!bufpool_waitq_wants_larger(class))
		larger = bufpool_rent_larger(request);
	if (larger)
		return larger;
	if (bufpool_rent_steal(request, &blk))
		err = 0;
	else if (err == -EAGAIN)
		err = bufpool_rent_grow_for_warm(request, BUFPOOL_NO_TICKET, &blk);
	if (!err)
		return rent_result(class, blk, err);
	if (!bufpool_waitq_wants_larger(class))
		larger = bufpool_rent_larger_warm(request);
	return larger ?: ERR_PTR(err);
}

/*
 * Whether there may be room for a slab. Where there are warm blocks this says
 * yes too often; a rent that tries has them given up, so it does not say so twice.
 */
static bool rent_could_grow(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;
	size_t least = bufpool_class_least_slab(class);

	if (!bufpool_waitq_is_turn(class, BUFPOOL_NO_TICKET))
		return false;
	if (bufpool_supply_idle(pool) >= bufpool_pool_missing(pool, least))
		return true;
	return (bufpool_supply_warm(pool) || bufpool_kept_of_pool(pool)) &&
	       bufpool_supply_unused(pool) >=
	       bufpool_pool_missing(pool, class->slab_size);
}

/* Whether a class has a block for a newcomer. */
static bool rent_could_take(struct bufpool_class *class)
{
	return bufpool_class_has_free(class) ||
	       bufpool_counters_warm(class->pool->counters, class->nr) ||
	       bufpool_kept_seen(&class->kept);
}

/**
 * bufpool_rent_could - whether a block of a class can be had now
 * @class: which
 *
 * Without taking it, and without asking for which client it would be. May sleep.
 */
bool bufpool_rent_could(struct bufpool_class *class)
{
	struct bufpool_class *larger = class;
	unsigned int i;

	if (bufpool_pool_missing(class->pool, 0))
		return false;
	bufpool_take_look(class->pool);
	if (rent_could_grow(class) || rent_could_take(class))
		return true;
	if (bufpool_waitq_wants_larger(class))
		return false;
	for (i = 0; i < LARGER_CLASSES; i++) {
		larger = bufpool_pool_larger_class(larger);
		if (!larger)
			break;
		if (rent_could_take(larger))
			return true;
	}
	return false;
}
