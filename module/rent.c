// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding a block for a renter whose client has no warm one.
 *
 * In this order: a free block of the class; a new slab within the limit; a free
 * block of a larger class; the longest unused warm block of the class, whoever has
 * it; a new slab in the place of warm blocks of any class; a warm block of a
 * larger class; waiting.
 */
#include <linux/sched/signal.h>
#include "bufpool.h"

/* How much larger a block may be than was asked for, in doublings. */
#define LARGER_CLASSES	2

static struct bufpool_blk *rent_take_free(struct bufpool_class *class)
{
	struct bufpool_blk *blk = NULL;

	spin_lock(&class->lock);
	/* what is free while somebody waits is about to be that one's */
	if (list_empty(&class->waiters))
		blk = bufpool_class_take(class);
	spin_unlock(&class->lock);
	return blk;
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
	if (bufpool_budget_charge(&client->user->held, more,
				  bufpool_user_quota(client)))
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
 * @request: whose own class has none
 *
 * May sleep.
 *
 * Return: the block, in transit and maybe dirty, and charged, or NULL.
 */
struct bufpool_blk *bufpool_rent_larger(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_pool *pool = class->pool;
	struct bufpool_blk *blk = NULL;
	unsigned int nr;

	if (request->exact)
		return NULL;
	for (nr = class->nr + 1; !blk && nr <= class->nr + LARGER_CLASSES &&
	     nr < pool->nr_classes; nr++)
		blk = rent_take_free(&pool->classes[nr]);
	return rent_admit(request, blk);
}

/**
 * bufpool_rent_larger_warm - take a warm block of a larger class from whoever has it
 * @request: whose own class can get none
 *
 * May sleep.
 *
 * Return: the block, in transit and maybe dirty, and charged, or NULL.
 */
struct bufpool_blk *bufpool_rent_larger_warm(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_pool *pool = class->pool;
	struct bufpool_blk *blk = NULL;
	unsigned int nr;

	if (request->exact)
		return NULL;
	for (nr = class->nr + 1; !blk && nr <= class->nr + LARGER_CLASSES &&
	     nr < pool->nr_classes; nr++)
		blk = bufpool_evict_steal(pool, &pool->classes[nr]);
	return rent_admit(request, blk);
}

/* Grow; where there is no room for it, warm blocks of any class give way. */
static int rent_grow_for_warm(struct bufpool_class *class, struct bufpool_blk **keep)
{
	struct bufpool_pool *pool = class->pool;
	struct bufpool_blk *blk;
	int err = -EAGAIN;

	/* not in vain */
	if (bufpool_supply_unused(pool) <
	    bufpool_pool_missing(pool, class->slab_size))
		return err;
	while (err == -EAGAIN && !signal_pending(current)) {
		blk = bufpool_evict_steal(class->pool, NULL);
		if (!blk)
			break;
		bufpool_supply_put(blk);
		err = bufpool_supply_grow(class, keep);
	}
	return err;
}

/**
 * bufpool_rent_replenish - get blocks for a class that has none, from others
 * @class: which; its grow mutex is held
 * @ticket: whose turn it would be, see wait.c
 * @keep: gets a block, in transit, if those who wait leave one; or NULL
 *
 * Those who wait for the class are served first. May sleep.
 *
 * Return: 0 if there was anything; -EAGAIN, -EDQUOT, -ENOMEM.
 */
int bufpool_rent_replenish(struct bufpool_class *class, u64 ticket,
			   struct bufpool_blk **keep)
{
	struct bufpool_blk *blk;
	int err = -EAGAIN;

	lockdep_assert_held(&class->grow);
	if (bufpool_waitq_is_turn(class, ticket))
		err = bufpool_supply_grow(class, keep);
	if (!err || err == -EDQUOT)
		return err;
	blk = bufpool_evict_steal(class->pool, class);
	if (blk) {
		bufpool_supply_put_or_take(blk, keep);
		return 0;
	}
	if (err == -EAGAIN && bufpool_waitq_is_turn(class, ticket))
		err = rent_grow_for_warm(class, keep);
	return err;
}

/*
 * Whether there may be room for a slab. Where there are warm blocks this says
 * yes too often; who tries has them given up, so it does not say so twice.
 */
static bool rent_could_grow(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;
	size_t missing = bufpool_pool_missing(pool, class->slab_size);

	if (!bufpool_waitq_is_turn(class, BUFPOOL_NO_TICKET))
		return false;
	return bufpool_supply_idle(pool) >= missing ||
	       (bufpool_supply_warm(pool) && bufpool_supply_unused(pool) >= missing);
}

/**
 * bufpool_rent_could - whether a block of a class can be had now
 * @class: which
 *
 * Without taking it, and without asking whose quota it would be. May sleep.
 */
bool bufpool_rent_could(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;
	unsigned int nr;

	if (bufpool_pool_missing(pool, 0))
		return false;
	if (rent_could_grow(class))
		return true;
	for (nr = class->nr; nr <= class->nr + LARGER_CLASSES &&
	     nr < pool->nr_classes; nr++)
		if (bufpool_class_has_free(&pool->classes[nr]) ||
		    bufpool_counters_warm(pool->counters, nr))
			return true;
	return false;
}

/* Grow if it is a newcomer's turn. */
static int rent_grow(struct bufpool_class *class, struct bufpool_blk **keep)
{
	if (!bufpool_waitq_is_turn(class, BUFPOOL_NO_TICKET))
		return -EAGAIN;
	return bufpool_supply_grow(class, keep);
}

static int rent_replenish(struct bufpool_class *class, struct bufpool_blk **keep)
{
	return bufpool_rent_replenish(class, BUFPOOL_NO_TICKET, keep);
}

/* A way to make blocks for a class whose grow mutex is held. */
typedef int rent_make_fn(struct bufpool_class *class, struct bufpool_blk **keep);

/* Have one task at a time make blocks. */
static struct bufpool_blk *rent_make(struct bufpool_class *class, rent_make_fn *by)
{
	struct bufpool_blk *blk;
	int err = 0;

	if (mutex_lock_interruptible(&class->grow))
		return ERR_PTR(-ERESTARTSYS);
	/* who had the mutex before has often left blocks */
	blk = rent_take_free(class);
	while (!blk && !err)
		err = by(class, &blk);
	bufpool_wait_unlock_grow(class);
	return blk ?: ERR_PTR(err);
}

static bool rent_has_no_waiters(struct bufpool_class *class)
{
	return list_empty_careful(&class->waiters);
}

/**
 * bufpool_rent_find - look for a block everywhere, without waiting for one
 * @request: what is wanted
 *
 * May sleep.
 *
 * Return: a block, in transit and maybe dirty, or ERR_PTR(): -EAGAIN, -EDQUOT,
 * -ENOMEM, -ERESTARTSYS.
 */
struct bufpool_blk *bufpool_rent_find(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk = rent_take_free(class), *larger = NULL;

	if (blk)
		return blk;
	blk = rent_make(class, rent_grow);
	if (!IS_ERR(blk) || blk == ERR_PTR(-ERESTARTSYS))
		return blk;
	if (rent_has_no_waiters(class))
		larger = bufpool_rent_larger(request);
	if (larger)
		return larger;
	blk = rent_make(class, rent_replenish);
	if (IS_ERR(blk) && rent_has_no_waiters(class))
		larger = bufpool_rent_larger_warm(request);
	return larger ?: blk;
}
